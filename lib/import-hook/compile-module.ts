import { basename, delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { CompileError } from "../compile-error.ts";
import { compile } from "../compiler/compiler.ts";
import type { CompiledSchema } from "../schema/node.ts";
import { SchemaFiles, shortPath, slashes, standardSchemas } from "../schema-files.ts";

export interface CompiledModule {
  /** The compiled file, or what is wrong with it. */
  readonly result: CompiledSchema | CompileError;
  /** Absolute paths of the schemas that it was made from, its own first. */
  readonly dependencies: readonly string[];
}

const nodeModules = "/node_modules/";

/** The folders in which Node looks for packages that a file imports. */
function packageFolders(file: string): string[] {
  const folders: string[] = [];
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (basename(folder) !== "node_modules") folders.push(join(folder, "node_modules"));
    if (dirname(folder) === folder) return folders;
  }
}

/** What nodes call a file: no path of the machine on which a bundle is made. */
function displayName(file: string): string {
  const parts = file.split(nodeModules);
  if (parts.length > 1) return parts[parts.length - 1]!;
  const short = shortPath(file);
  return isAbsolute(short) ? basename(file) : short;
}

/**
 * Compiles schema files that modules import. `import "/..."` in a schema is looked up in the folders of `importPath`, then
 * among the schemas that come with this library, then in the `node_modules` folders that its importer sees. A file is
 * compiled again only when its content or that of a file that it imports has changed.
 */
export class ModuleCompiler {
  readonly #importPath: readonly string[];
  readonly #known = new Map<string, { readonly files: SchemaFiles; readonly module: CompiledModule }>();

  constructor(importPath: readonly string[] = environmentImportPath()) {
    this.#importPath = importPath.map((folder) => slashes(resolve(folder)));
  }

  compile(file: string): CompiledModule {
    const path = slashes(resolve(file));
    const known = this.#known.get(path);
    if (known?.files.isCurrent()) return known.module;
    const files = new SchemaFiles([...this.#importPath, standardSchemas, ...packageFolders(path).map(slashes)]);
    const { schema, diagnostics } = compile([{ path, displayName: displayName(path) }], files);
    const problems = files.explain(diagnostics);
    const module = { result: problems.length > 0 ? new CompileError(problems) : schema, dependencies: files.read };
    this.#known.set(path, { files, module });
    return module;
  }
}

/** `CAPSTAN_IMPORT_PATH`: folders, separated as in `PATH`. */
function environmentImportPath(): string[] {
  return (process.env.CAPSTAN_IMPORT_PATH ?? "").split(delimiter).filter((folder) => folder !== "");
}
