import type { CompiledSchema, RequestedFile, StructBody } from "../schema/node.ts";
import type { DeclarationNode, NodeTable } from "./declaration-node.ts";
import { DepthGuard } from "./depth-guard.ts";
import { type Diagnostic, DiagnosticList } from "./diagnostics.ts";
import { findImports } from "./imports.ts";
import { ModuleTable, type SourceHost } from "./modules.ts";
import { NodeWalk } from "./node-walk.ts";
import { displayNameOf } from "./source-path.ts";
import type { NodeTranslator } from "./translator.ts";
import { idFlag } from "./type-id.ts";
import { ValueBudget } from "./value-budget.ts";

export interface CompilerOptions extends SourceHost {}

/** A file to compile: its path, or also the name that its nodes and the request call it by. */
export type CompilerInput = string | { readonly path: string; readonly displayName: string };

export interface CompileResult {
  /** The nodes of the files and of all that they depend on. Only meant for use where there are no diagnostics. */
  readonly schema: CompiledSchema;
  /** Everything wrong, in the order of discovery; empty where the files are correct. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Compiles schema files, as `capnp compile` does. Never throws for what the files say: every mistake becomes a diagnostic.
 * Paths are the host's business, as long as folders end with `/`; a path's own name, with leading slashes removed, is the
 * display name where the input gives none.
 */
export function compile(files: readonly CompilerInput[], options: CompilerOptions): CompileResult {
  const diagnostics = new DiagnosticList();
  const nodes = new Nodes();
  const modules = new ModuleTable(options, nodes, diagnostics);
  const walk = new NodeWalk(nodes);
  const requestedFiles: RequestedFile[] = [];
  for (const file of files) {
    const path = typeof file === "string" ? file : file.path;
    const displayName = typeof file === "string" ? displayNameOf(path) : file.displayName;
    const module = modules.load(path, displayName);
    if (module === undefined) {
      const start = { offset: 0, line: 1, column: 1 };
      diagnostics.diagnostics.push({ path, start, end: start, message: "No such file." });
      continue;
    }
    walk.visitFile(module.root);
    const imports = findImports(module.declaration).flatMap((name) => {
      const root = module.importFile(name);
      return root === undefined ? [] : [{ id: root.id, name }];
    });
    requestedFiles.push({ id: module.root.id, filename: module.displayName, imports });
  }
  const schema = { nodes: walk.nodes, sourceInfo: walk.sourceInfo, requestedFiles };
  return { schema, diagnostics: diagnostics.diagnostics };
}

class Nodes implements NodeTable {
  readonly depth = new DepthGuard();
  readonly budget = new ValueBudget();
  readonly #byId = new Map<bigint, DeclarationNode>();
  readonly #groups = new Map<bigint, StructBody>();
  /** Stands in for ids that are taken, so that the rest of the compilation can go on. */
  #nextFreeId = 1000n;

  add(node: DeclarationNode, desired: bigint): bigint {
    let id = desired;
    for (;;) {
      const other = this.#byId.get(id);
      if (other === undefined) {
        this.#byId.set(id, node);
        return id;
      }
      if ((id & idFlag) !== 0n) {
        node.report(`Duplicate ID @0x${id.toString(16)}.`);
        other.report(`ID @0x${id.toString(16)} originally used here.`);
      }
      id = this.#nextFreeId++;
    }
  }

  get(id: bigint): DeclarationNode | undefined {
    return this.#byId.get(id);
  }

  groupBody(id: bigint): StructBody | undefined {
    return this.#groups.get(id);
  }

  addGroups(translator: NodeTranslator): void {
    for (const { node } of translator.groups) if (node.body.which === "struct") this.#groups.set(node.id, node.body);
  }
}
