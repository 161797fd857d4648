import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "./compiler/compiler.ts";
import { type Diagnostic, formatDiagnostic } from "./compiler/diagnostics.ts";
import { CapnpError } from "./errors.ts";
import { SchemaLoader } from "./schema/loader.ts";
import type { CompiledSchema } from "./schema/node.ts";

/**
 * What a schema file declares, by name: struct and interface classes, enums, values of constants, ids of annotations. The
 * object has no prototype: every name is the file's. TypeScript knows more with a generated module:
 * `load<typeof import("./addressbook.capnp.js")>("addressbook.capnp")`.
 */
export type LoadedFile = Readonly<Record<string, unknown>>;

export interface LoadOptions {
  /** Folders that `import "/..."` is looked up in, first match first. Files under `/capnp/` are always found. */
  readonly importPath?: readonly string[];
}

/** A schema that does not compile: CAPNP_COMPILE with every mistake, each on a line of the message. */
export class CompileError extends CapnpError {
  /** All mistakes, in the order in which they were found. */
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    super("CAPNP_COMPILE", diagnostics.map(formatDiagnostic).join("\n"));
    this.diagnostics = diagnostics;
  }
}

/** The folder of the import path that stands for the schemas that come with this library. */
const standardFolder = "capstan:";

type Source = Uint8Array | string | undefined;
type Sources = (path: string) => Source;

const standardSource: Sources = () => undefined;

const isMissing = (error: unknown): boolean => {
  const { code } = error as { readonly code?: unknown };
  return code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR";
};

const readSync: Sources = (path) => {
  try {
    return readFileSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

/** Thrown through a compilation that asks for a file which has not been read yet. */
class NotYetRead extends Error {
  readonly path: string;
  constructor(path: string) {
    super(path);
    this.path = path;
  }
}

const slashes = (path: string): string => path.replaceAll("\\", "/");

const pathOf = (file: string | URL): string =>
  typeof file === "string" ? slashes(file) : slashes(fileURLToPath(file));

/** Compiles schema files into a universe of its own: types that two parsers made from one file are different types. */
export class SchemaParser {
  /** Everything that was loaded, by id. */
  readonly loader = new SchemaLoader();
  readonly #importPath: readonly string[];
  readonly #files = new Map<string, LoadedFile>();

  constructor(options: LoadOptions = {}) {
    this.#importPath = options.importPath ?? [];
  }

  /**
   * Compiles a file and what it imports. The same file gives the same object.
   *
   * @throws CAPNP_COMPILE where the schema has mistakes, CAPNP_SCHEMA_NOT_FOUND where there is no such file.
   */
  async load<T = LoadedFile>(file: string | URL, options: LoadOptions = {}): Promise<T> {
    const path = pathOf(file);
    const known = this.#files.get(resolve(path));
    if (known !== undefined) return known as T;
    const sources = new Map<string, Source>();
    const read: Sources = (one) => {
      if (!sources.has(one)) throw new NotYetRead(one);
      return sources.get(one);
    };
    // The compiler asks for files one after the other; what it has not got yet is read, and it starts over.
    for (;;) {
      try {
        return this.#load(path, read, options) as T;
      } catch (error) {
        if (!(error instanceof NotYetRead)) throw error;
        sources.set(error.path, await readAsync(error.path));
      }
    }
  }

  /** The same, reading files synchronously. */
  loadSync<T = LoadedFile>(file: string | URL, options: LoadOptions = {}): T {
    const path = pathOf(file);
    const known = this.#files.get(resolve(path));
    return (known ?? this.#load(path, readSync, options)) as T;
  }

  /** Compiles a schema that is given as text. Files that it imports are looked up as if it were the file `name`. */
  parse<T = LoadedFile>(text: string, name = "schema.capnp", options: LoadOptions = {}): T {
    const path = slashes(name);
    const schema = this.#compile(path, (one) => (one === path ? text : readSync(one)), options);
    return this.#declare(schema) as T;
  }

  #load(path: string, read: Sources, options: LoadOptions): LoadedFile {
    if (read(path) === undefined) {
      throw new CapnpError("CAPNP_SCHEMA_NOT_FOUND", `There is no schema file ${path} (in ${resolve(".")}).`);
    }
    const file = this.#declare(this.#compile(path, read, options));
    this.#files.set(resolve(path), file);
    return file;
  }

  #compile(path: string, read: Sources, options: LoadOptions): CompiledSchema {
    const importPath = [...(options.importPath ?? []), ...this.#importPath].map(slashes);
    const readSource: Sources = (one) =>
      one.startsWith(`${standardFolder}/`) ? standardSource(one.slice(standardFolder.length)) : read(one);
    const { schema, diagnostics } = compile([path], { readSource, importPath: [...importPath, standardFolder] });
    if (diagnostics.length > 0) throw new CompileError(diagnostics);
    return schema;
  }

  #declare({ nodes, requestedFiles }: CompiledSchema): LoadedFile {
    this.loader.loadAll(nodes);
    const [file] = requestedFiles;
    if (file === undefined) throw new CapnpError("CAPNP_SCHEMA", "The compiler returned no file.");
    return this.loader.declare(this.loader.get(file.id)) as LoadedFile;
  }
}

const readAsync = async (path: string): Promise<Source> => {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

let shared = new SchemaParser();

/**
 * Compiles a schema file, with the parser that all calls share: types of one file are the same wherever it is loaded or
 * imported. See {@link SchemaParser.load}.
 */
export const load = <T = LoadedFile>(file: string | URL, options?: LoadOptions): Promise<T> =>
  shared.load(file, options);

/** The same, reading files synchronously. */
export const loadSync = <T = LoadedFile>(file: string | URL, options?: LoadOptions): T =>
  shared.loadSync(file, options);

/** Lets go of everything that `load` and `loadSync` have loaded. What was loaded stays usable. */
export const forgetLoadedSchemas = (): void => {
  shared = new SchemaParser();
};
