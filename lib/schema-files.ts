import { readFileSync, statSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import type { Diagnostic } from "./compiler/diagnostics.ts";
import type { SourceHost } from "./compiler/modules.ts";
import { schemaTexts } from "./std/schema-texts.ts";

/** The folder of an import path that stands for the schemas that come with this library. */
export const standardSchemas = "capstan:";

/** With forward slashes, as the compiler writes paths. */
export const slashes = (path: string): string => (sep === "\\" ? path.replaceAll("\\", "/") : path);

/** A path as people write it: relative where it lies in the current folder, else absolute; with forward slashes. */
export function shortPath(path: string): string {
  const absolute = resolve(path);
  const short = relative(".", absolute);
  if (short === "") return ".";
  return slashes(short === ".." || short.startsWith(`..${sep}`) || isAbsolute(short) ? absolute : short);
}

const standardText = (path: string): string | undefined =>
  Object.hasOwn(schemaTexts, path) ? schemaTexts[path] : undefined;

const start = { offset: 0, line: 1, column: 1 };

/** Why a file cannot be read, for people; undefined where there is simply no such file. */
function problemOf(error: unknown): string | undefined {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return undefined;
  if (code === "EACCES" || code === "EPERM") return "This file may not be read: permission denied.";
  return `This file cannot be read: ${message}.`;
}

/**
 * The file system as the compiler sees it, for one compilation: every file is read once, all that was looked for is
 * remembered, and a path that cannot be read becomes a diagnostic instead of an exception.
 */
export class SchemaFiles implements SourceHost {
  readonly importPath: readonly string[];
  readonly #sources = new Map<string, Uint8Array | undefined>();
  readonly #problems: Diagnostic[] = [];

  /** `importPath`: folders for `import "/..."`; `standardSchemas` among them stands for the `/capnp/...` of this library. */
  constructor(importPath: readonly string[]) {
    this.importPath = importPath;
  }

  readonly readSource = (path: string): Uint8Array | string | undefined => {
    if (path.startsWith(`${standardSchemas}/`)) return standardText(path.slice(standardSchemas.length));
    if (!this.#sources.has(path)) this.#sources.set(path, this.#read(path));
    return this.#sources.get(path);
  };

  /** Absolute paths of the files that were read, in the order of reading. */
  get read(): string[] {
    return [...this.#sources].filter(([, source]) => source !== undefined).map(([path]) => resolve(path));
  }

  /** Absolute paths of all that was looked for, whether it exists or not: what to watch. */
  get lookedFor(): string[] {
    return [...this.#sources.keys()].map((path) => resolve(path));
  }

  /** True as long as every file that was looked for is what it was. */
  isCurrent(): boolean {
    return [...this.#sources].every(([path, source]) => {
      const now = readRegularFile(path);
      if (!(now instanceof Uint8Array) || source === undefined) return source === undefined && now === undefined;
      return Buffer.compare(now, source) === 0;
    });
  }

  /** Adds what the compiler cannot know: why a file that exists could not be read. */
  explain(diagnostics: readonly Diagnostic[]): Diagnostic[] {
    const paths = new Set(this.#problems.map(({ path }) => path));
    return [
      ...diagnostics.filter(({ path, message }) => !(paths.has(path) && message === "No such file.")),
      ...this.#problems,
    ];
  }

  #read(path: string): Uint8Array | undefined {
    const source = readRegularFile(path);
    if (source === undefined || source instanceof Uint8Array) return source;
    this.#problems.push({ path, start, end: start, message: source.problem });
    return undefined;
  }
}

/** Only regular files are read: a device or a pipe may never end. */
function readRegularFile(path: string): Uint8Array | { readonly problem: string } | undefined {
  try {
    const stats = statSync(path);
    if (stats.isDirectory()) return { problem: "This is a folder, not a file." };
    if (!stats.isFile()) return { problem: "This is not a regular file." };
    return readFileSync(path);
  } catch (error) {
    const problem = problemOf(error);
    return problem === undefined ? undefined : { problem };
  }
}
