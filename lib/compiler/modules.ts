import { DeclarationNode, type NodeModule, type NodeTable } from "./declaration-node.ts";
import { type DiagnosticList, ErrorReporter } from "./diagnostics.ts";
import { lex } from "./lexer.ts";
import { parseFile } from "./parser.ts";
import type { DeclarationOf } from "./ast.ts";
import { besideFile, insideFolder, normalizePath } from "./source-path.ts";
import { idFlag } from "./type-id.ts";

/** How the compiler gets at files. It never touches a file system itself. */
export interface SourceHost {
  /** The content of a file, as bytes or as text; undefined where there is no such file. */
  readonly readSource: (path: string) => Uint8Array | string | undefined;
  /** Folders that `import "/..."` and `embed "/..."` are looked up in, first match first. Default: none. */
  readonly importPath?: readonly string[] | undefined;
}

function inventId(): bigint {
  return globalThis.crypto.getRandomValues(new BigUint64Array(1))[0]! | idFlag;
}

/** A source file, parsed. */
export class Module implements NodeModule {
  readonly path: string;
  readonly displayName: string;
  readonly errors: ErrorReporter;
  readonly declaration: DeclarationOf<"file">;
  readonly root: DeclarationNode;
  readonly #modules: ModuleTable;

  constructor(modules: ModuleTable, path: string, displayName: string, source: Uint8Array) {
    this.#modules = modules;
    this.path = path;
    this.displayName = displayName;
    this.errors = new ErrorReporter(modules.diagnostics, path, source);
    this.declaration = parseFile(lex(source, this.errors), this.errors, inventId) as DeclarationOf<"file">;
    this.root = new DeclarationNode(modules.nodes, this, undefined, this.declaration);
  }

  importFile(path: string): DeclarationNode | undefined {
    return this.#modules.import(this, path)?.root;
  }

  readEmbed(path: string): Uint8Array | undefined {
    return this.#modules.embed(this, path);
  }
}

/** All files of one compilation. A file is read once, however many import it. */
export class ModuleTable {
  readonly diagnostics: DiagnosticList;
  readonly nodes: NodeTable;
  readonly #host: SourceHost;
  readonly #modules = new Map<string, Module>();

  constructor(host: SourceHost, nodes: NodeTable, diagnostics: DiagnosticList) {
    this.#host = host;
    this.nodes = nodes;
    this.diagnostics = diagnostics;
  }

  /** The file at `path`, which the host is asked for as it is given here; other spellings of the path are the same file. */
  load(path: string, displayName: string): Module | undefined {
    const key = normalizePath(path);
    const known = this.#modules.get(key);
    if (known !== undefined) return known;
    const source = this.#read(path);
    if (source === undefined) return undefined;
    const module = new Module(this, key, displayName, source);
    this.#modules.set(key, module);
    return module;
  }

  #read(path: string): Uint8Array | undefined {
    const source = this.#host.readSource(path);
    if (source === undefined) return undefined;
    if (typeof source === "string") return new TextEncoder().encode(source);
    // not the host's subclass, whose methods may differ: a Buffer's `slice` does not copy
    return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  }

  /** Relative to the importing file, or along the import path. */
  import(from: Module, path: string): Module | undefined {
    if (!path.startsWith("/")) return this.load(besideFile(from.path, path), besideFile(from.displayName, path));
    for (const folder of this.#host.importPath ?? []) {
      const module = this.load(insideFolder(folder, path), insideFolder("", path.slice(1)));
      if (module !== undefined) return module;
    }
    return undefined;
  }

  embed(from: Module, path: string): Uint8Array | undefined {
    if (!path.startsWith("/")) return this.#read(besideFile(from.path, path));
    for (const folder of this.#host.importPath ?? []) {
      const bytes = this.#read(insideFolder(folder, path));
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }
}
