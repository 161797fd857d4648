import { readFileSync, type Stats, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
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
  readonly #sources = new Map<string, Uint8Array | string | undefined>();
  readonly #problems: Diagnostic[] = [];
  #isDeferred = false;

  /** `importPath`: folders for `import "/..."`; `standardSchemas` among them stands for the `/capnp/...` of this library. */
  constructor(importPath: readonly string[]) {
    this.importPath = importPath;
  }

  readonly readSource = (path: string): Uint8Array | string | undefined => {
    if (path.startsWith(`${standardSchemas}/`)) return standardText(path.slice(standardSchemas.length));
    if (!this.#sources.has(path)) {
      if (this.#isDeferred) throw new NotYetRead(path);
      this.#keep(path, readRegularFile(path));
    }
    return this.#sources.get(path);
  };

  /** Makes a path stand for a text, whatever the file system has there. */
  provide(path: string, text: string): void {
    this.#sources.set(path, text);
  }

  /**
   * Does what reads files through `readSource`, without blocking: where it asks for a file that has not been read, the file
   * is read, asynchronously unless it is small, and the work starts over. `first` is a file that it will surely ask for.
   */
  async withoutBlocking<T>(first: string, work: () => T): Promise<T> {
    this.#isDeferred = true;
    for (let next = first; ; ) {
      this.#keep(next, await readRegularFileAsync(next));
      try {
        return work();
      } catch (error) {
        if (!(error instanceof NotYetRead)) throw error;
        next = error.path;
      }
    }
  }

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
      return Buffer.from(now).equals(Buffer.from(source as Uint8Array));
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

  #keep(path: string, read: ReadFile): void {
    const isProblem = read !== undefined && !(read instanceof Uint8Array);
    this.#sources.set(path, isProblem ? undefined : read);
    if (isProblem) this.#problems.push({ path, start, end: start, message: read.problem });
  }
}

/** Thrown through a compilation that asks for a file which has not been read yet. */
class NotYetRead extends Error {
  readonly path: string;
  constructor(path: string) {
    super(path);
    this.path = path;
  }
}

/** What a file holds, why it cannot be read, or undefined where there is none. */
type ReadFile = Uint8Array | { readonly problem: string } | undefined;

/** Only regular files are read: a device or a pipe may never end. */
const unfit = (stats: Stats): { readonly problem: string } | undefined => {
  if (stats.isDirectory()) return { problem: "This is a folder, not a file." };
  return stats.isFile() ? undefined : { problem: "This is not a regular file." };
};

const failed = (error: unknown): ReadFile => {
  const problem = problemOf(error);
  return problem === undefined ? undefined : { problem };
};

function readRegularFile(path: string): ReadFile {
  try {
    return unfit(statSync(path)) ?? readFileSync(path);
  } catch (error) {
    return failed(error);
  }
}

/** Up to here reading a file takes microseconds, and having another thread do it a good part of a millisecond. */
const smallFileBytes = 64 * 1024;

async function readRegularFileAsync(path: string): Promise<ReadFile> {
  try {
    const stats = statSync(path);
    return unfit(stats) ?? (stats.size <= smallFileBytes ? readFileSync(path) : await readFile(path));
  } catch (error) {
    return failed(error);
  }
}
