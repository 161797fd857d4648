import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CompileError } from "./compile-error.ts";
import { compile } from "./compiler/compiler.ts";
import { CapnpError } from "./errors.ts";
import { SchemaLoader } from "./schema/loader.ts";
import type { CompiledSchema, Node } from "./schema/node.ts";
import { forgetSharedLoader, sharedLoader } from "./schema/shared-loader.ts";
import { schemaTexts } from "./std/schema-texts.ts";

export { CompileError } from "./compile-error.ts";

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

export interface ParserOptions extends LoadOptions {
  /** What the parser loads into. Default: a universe of its own. */
  readonly loader?: SchemaLoader;
}

/** The folder at the end of the import path that stands for the schemas that come with this library. */
const standardFolder = "capstan:";

type Source = Uint8Array | string | undefined;
type Sources = (path: string) => Source;

/** A schema that comes with this library, by the path that it is imported under. */
const standardSource: Sources = (path) => (Object.hasOwn(schemaTexts, path) ? schemaTexts[path] : undefined);

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
  readonly loader: SchemaLoader;
  readonly #importPath: readonly string[];
  readonly #files = new Map<string, LoadedFile>();

  constructor(options: ParserOptions = {}) {
    this.loader = options.loader ?? new SchemaLoader();
    this.#importPath = options.importPath ?? [];
  }

  /**
   * Compiles a file and what it imports. The same file gives the same object. The schemas that come with this library
   * load under the paths that they are imported under: `/capnp/schema.capnp`.
   *
   * @throws CAPNP_COMPILE where the schema has mistakes, CAPNP_SCHEMA_NOT_FOUND where there is no such file.
   */
  async load<T = LoadedFile>(file: string | URL, options: LoadOptions = {}): Promise<T> {
    const path = pathOf(file);
    const known = this.#files.get(resolve(path));
    if (known !== undefined) return known as T;
    const sources = new Map<string, Source>([[path, await readAsync(path)]]);
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
    const isStandard = read(path) === undefined && standardSource(path) !== undefined;
    if (!isStandard && read(path) === undefined) {
      throw new CapnpError("CAPNP_SCHEMA_NOT_FOUND", `There is no schema file ${path} (in ${resolve(".")}).`);
    }
    const file = this.#declare(this.#compile(isStandard ? standardFolder + path : path, read, options));
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

  #declare(schema: CompiledSchema): LoadedFile {
    for (const node of schema.nodes) {
      const known = this.loader.tryGet(node.id)?.node;
      if (known !== undefined && content(known) !== content(node)) {
        throw new CapnpError(
          "CAPNP_SCHEMA",
          `${node.displayName} has the id 0x${node.id.toString(16)} of ${known.displayName}, which was loaded before and differs. Give it another id, or use a parser of its own.`,
        );
      }
    }
    this.loader.loadAll(schema);
    const [file] = schema.requestedFiles;
    if (file === undefined) throw new CapnpError("CAPNP_SCHEMA", "The compiler returned no file.");
    return this.loader.declare(this.loader.get(file.id)) as LoadedFile;
  }
}

/** What a node says, whatever path its file was found under. */
const content = ({ displayName: _, displayNamePrefixLength: __, ...node }: Node): string =>
  JSON.stringify(node, (_key, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return value instanceof Uint8Array ? [...value] : value;
  });

const readAsync = async (path: string): Promise<Source> => {
  try {
    return await readFile(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
};

let shared = new SchemaParser({ loader: sharedLoader() });

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
  forgetSharedLoader();
  shared = new SchemaParser({ loader: sharedLoader() });
};
