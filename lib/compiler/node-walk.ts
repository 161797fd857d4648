import type { Annotation, Brand, Node, SourceInfo, Type } from "../schema/node.ts";
import type { DeclarationNode, NodeTable } from "./declaration-node.ts";
import { NodeOrder } from "./node-order.ts";

// What a visit covers; the higher half says the same of what the node depends on.
const self = 1;
const parents = 2;
const children = 4;
const dependencies = 1 << 15;
const dependencyParents = parents << 15;

/** Everything in a file; of what that depends on, the nodes themselves and the scopes around them. */
const wholeFile = self | children | dependencies | dependencyParents;

type Step = { readonly node: DeclarationNode; readonly cover: number } | (() => void);

/**
 * Finishes the nodes that a file declares and those that they depend on, in the order of the C++ compiler, which is also
 * the order of diagnostics. Works with a stack of its own: a chain of 100,000 structs must not exhaust the caller's.
 */
export class NodeWalk {
  readonly #table: NodeTable;
  readonly #order = new NodeOrder();
  readonly #sourceInfo = new Map<bigint, SourceInfo>();

  constructor(table: NodeTable) {
    this.#table = table;
  }

  get nodes(): Node[] {
    return this.#order.nodes();
  }

  get sourceInfo(): SourceInfo[] {
    return [...this.#sourceInfo.values()];
  }

  visitFile(file: DeclarationNode): void {
    const seen = new Map<DeclarationNode, number>();
    const stack: Step[] = [{ node: file, cover: wholeFile }];
    for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
      if (typeof step === "function") {
        step();
        continue;
      }
      const covered = seen.get(step.node) ?? 0;
      if ((covered & step.cover) === step.cover) continue;
      seen.set(step.node, covered | step.cover);
      const next = this.#visit(step.node, step.cover);
      for (let i = next.length - 1; i >= 0; i--) stack.push(next[i]!);
    }
  }

  /** Finishes one node; gives what comes after it. */
  #visit(node: DeclarationNode, cover: number): Step[] {
    const steps: Step[] = [];
    const translation = node.finishedTranslation;
    if (translation !== undefined) {
      for (const { node: auxiliary } of translation.auxiliaries) this.#order.load(auxiliary);
      this.#order.load(translation.node);
      const further = Math.floor(cover / dependencies);
      if (further !== 0) {
        const ids: bigint[] = [];
        addDependencies(translation.node, ids);
        for (const { node: auxiliary } of translation.auxiliaries) addDependencies(auxiliary, ids);
        const nextCover = (cover & ~(dependencies - 1)) | further;
        for (const id of ids) {
          const dependency = this.#table.get(id);
          if (dependency !== undefined) steps.push({ node: dependency, cover: nextCover });
        }
      }
      steps.push(() => {
        const { sourceInfo, groups, paramStructs } = translation;
        this.#addSourceInfo(sourceInfo);
        for (const auxiliary of [...groups, ...paramStructs]) this.#addSourceInfo(auxiliary.sourceInfo);
      });
    }
    if ((cover & parents) !== 0 && node.parent !== undefined) steps.push({ node: node.parent, cover });
    if ((cover & children) !== 0) {
      for (const child of node.children) steps.push({ node: child, cover });
      steps.push(() => node.resolveAliases());
    }
    return steps;
  }

  /** The structs of inline parameter lists all have the id 0 here, as in C++, so that only the first one is kept. */
  #addSourceInfo(info: SourceInfo): void {
    if (!this.#sourceInfo.has(info.id)) this.#sourceInfo.set(info.id, info);
  }
}

function addDependencies(node: Node, ids: bigint[]): void {
  const { body } = node;
  switch (body.which) {
    case "struct":
      for (const field of body.fields) {
        if (field.body.which === "slot") addType(field.body.type, ids);
        addAnnotations(field.annotations, ids);
      }
      break;
    case "enum":
      for (const enumerant of body.enumerants) addAnnotations(enumerant.annotations, ids);
      break;
    case "interface":
      for (const superclass of body.superclasses) {
        ids.push(superclass.id);
        addBrand(superclass.brand, ids);
      }
      for (const method of body.methods) {
        ids.push(method.paramStructType);
        addBrand(method.paramBrand, ids);
        ids.push(method.resultStructType);
        addBrand(method.resultBrand, ids);
        addAnnotations(method.annotations, ids);
      }
      break;
    case "const":
    case "annotation":
      addType(body.type, ids);
      break;
    default:
  }
  addAnnotations(node.annotations, ids);
}

function addType(type: Type, ids: bigint[]): void {
  if (type.which === "list") {
    addType(type.elementType, ids);
  } else if (type.which === "struct" || type.which === "enum" || type.which === "interface") {
    ids.push(type.typeId);
    addBrand(type.brand, ids);
  }
}

function addBrand(brand: Brand, ids: bigint[]): void {
  for (const scope of brand.scopes) {
    if (scope.which === "inherit") continue;
    for (const binding of scope.bindings) if (binding.which === "type") addType(binding.type, ids);
  }
}

function addAnnotations(annotations: readonly Annotation[], ids: bigint[]): void {
  for (const { id } of annotations) ids.push(id);
}
