import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CompileError } from "./compile-error.ts";
import { compile } from "./compiler/compiler.ts";
import { CapnpError } from "./errors.ts";
import { SchemaFiles, shortPath, standardSchemas } from "./schema-files.ts";
import { loadCompiled, SchemaLoader } from "./schema/loader.ts";
import type { CompiledSchema, Node } from "./schema/node.ts";
import { forgetSharedLoader, sharedLoader } from "./schema/shared-loader.ts";

export { CompileError } from "./compile-error.ts";

/**
 * What a schema file declares, by name: struct and interface classes, enums, values of constants, ids of annotations. The
 * object has no prototype: every name is the file's. TypeScript knows more with a generated module:
 * `load<typeof import("./addressbook.capnp.js")>("addressbook.capnp")`.
 */
export type LoadedFile = Readonly<Record<string, unknown>>;

export interface LoadOptions {
  /**
   * Folders that `import "/..."` is looked up in, first match first; and the file itself, where it does not lie in the current
   * folder. Files under `/capnp/` are always found.
   */
  readonly importPath?: readonly string[];
}

export interface ParserOptions extends LoadOptions {
  /** What the parser loads into. Default: a universe of its own. */
  readonly loader?: SchemaLoader;
}

const foldersOf = ({ importPath = [] }: LoadOptions): readonly string[] => {
  if (Array.isArray(importPath)) return importPath;
  throw new CapnpError("CAPNP_TYPE", `importPath must be an array of folders, not a ${typeof importPath}.`);
};

/** Where a file lies that is not in the current folder. */
const onImportPath = (path: string, files: SchemaFiles): string => {
  for (const folder of files.importPath) {
    const source = folder === standardSchemas ? folder + path : shortPath(`${folder}/${path}`);
    if (files.readSource(source) !== undefined) return source;
  }
  const folders = files.importPath.filter((folder) => folder !== standardSchemas);
  const elsewhere = folders.length === 0 ? "" : `, nor in importPath: ${folders.join(", ")}`;
  throw new CapnpError("CAPNP_SCHEMA_NOT_FOUND", `There is no schema file ${path} (in ${resolve(".")}${elsewhere}).`);
};

const pathOf = (file: string | URL): string => shortPath(typeof file === "string" ? file : fileURLToPath(file));

/** Compiles schema files into a universe of its own: types that two parsers made from one file are different types. */
export class SchemaParser {
  /** Everything that was loaded, by id. */
  readonly loader: SchemaLoader;
  readonly #importPath: readonly string[];
  readonly #files = new Map<string, LoadedFile>();

  constructor(options: ParserOptions = {}) {
    this.loader = options.loader ?? new SchemaLoader();
    this.#importPath = foldersOf(options);
  }

  /**
   * Compiles a file and what it imports. The same file gives the same object. The schemas that come with this library
   * load under the paths that they are imported under: `/capnp/schema.capnp`.
   *
   * @throws CAPNP_COMPILE where the schema has mistakes or a file cannot be read, CAPNP_SCHEMA_NOT_FOUND where there is no such file.
   */
  async load<T = LoadedFile>(file: string | URL, options: LoadOptions = {}): Promise<T> {
    const path = pathOf(file);
    const known = this.#files.get(resolve(path));
    if (known !== undefined) return known as T;
    const files = this.#filesFor(options);
    return files.withoutBlocking(path, () => this.#load(path, files)) as Promise<T>;
  }

  /** The same, reading files synchronously. */
  loadSync<T = LoadedFile>(file: string | URL, options: LoadOptions = {}): T {
    const path = pathOf(file);
    const known = this.#files.get(resolve(path));
    return (known ?? this.#load(path, this.#filesFor(options))) as T;
  }

  /** Compiles a schema that is given as text. Files that it imports are looked up as if it were the file `name`. */
  parse<T = LoadedFile>(text: string, name = "schema.capnp", options: LoadOptions = {}): T {
    const path = shortPath(name);
    const files = this.#filesFor(options);
    files.provide(path, text);
    return this.#declare(this.#compile(path, files)) as T;
  }

  #filesFor(options: LoadOptions): SchemaFiles {
    const importPath = [...foldersOf(options), ...this.#importPath];
    return new SchemaFiles([...importPath.map(shortPath), standardSchemas]);
  }

  #load(path: string, files: SchemaFiles): LoadedFile {
    const isThere = files.readSource(path) !== undefined || files.explain([]).length > 0;
    const source = isThere ? path : onImportPath(path, files);
    const file = this.#declare(this.#compile(source, files));
    // Another import path may have another file of this name.
    const isStandard = source.startsWith(standardSchemas);
    this.#files.set(resolve(isStandard ? path : source), file);
    return file;
  }

  #compile(path: string, files: SchemaFiles): CompiledSchema {
    const { schema, diagnostics } = compile([path], files);
    // A file that was only looked for on the import path is not missed where the schema compiles without it.
    if (diagnostics.length > 0) throw new CompileError(files.explain(diagnostics));
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
    loadCompiled(this.loader, schema);
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
