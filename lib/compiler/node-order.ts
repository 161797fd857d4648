import type { Brand, Node, Type } from "../schema/node.ts";

/**
 * The order of nodes in a request. A node takes its place when it, or something that refers to it, is loaded first; ids
 * whose node never comes leave no trace.
 */
export class NodeOrder {
  readonly #places = new Map<bigint, Node | undefined>();

  load(node: Node): void {
    if (this.#places.get(node.id) !== undefined) return;
    const { body } = node;
    switch (body.which) {
      case "struct":
        for (const field of body.fields) {
          if (field.body.which === "slot") this.#referType(field.body.type);
          else this.#refer(field.body.typeId);
        }
        if (body.isGroup) this.#refer(node.scopeId);
        break;
      case "interface":
        for (const superclass of body.superclasses) {
          this.#refer(superclass.id);
          this.#referBrand(superclass.brand);
        }
        for (const method of body.methods) {
          this.#refer(method.paramStructType);
          this.#referBrand(method.paramBrand);
          this.#refer(method.resultStructType);
          this.#referBrand(method.resultBrand);
        }
        break;
      case "const":
      case "annotation":
        this.#referType(body.type);
        break;
      default:
    }
    this.#places.set(node.id, node);
  }

  nodes(): Node[] {
    return [...this.#places.values()].filter((node) => node !== undefined);
  }

  #refer(id: bigint): void {
    if (!this.#places.has(id)) this.#places.set(id, undefined);
  }

  #referType(type: Type): void {
    if (type.which === "list") {
      this.#referType(type.elementType);
    } else if (type.which === "struct" || type.which === "enum" || type.which === "interface") {
      this.#refer(type.typeId);
      this.#referBrand(type.brand);
    }
  }

  #referBrand(brand: Brand): void {
    for (const scope of brand.scopes) {
      if (scope.which === "inherit") continue;
      for (const binding of scope.bindings) if (binding.which === "type") this.#referType(binding.type);
    }
  }
}
