import type { Field, Type } from "../schema/node.ts";
import type { Declarations } from "./declaration.ts";

/** Which structs hold something that calls can be pipelined on: a capability or an AnyPointer, also in structs within. */
export class Pipelined {
  readonly #declarations: Declarations;
  readonly #known = new Map<bigint, boolean>();

  constructor(declarations: Declarations) {
    this.#declarations = declarations;
  }

  struct(id: bigint): boolean {
    let known = this.#known.get(id);
    if (known === undefined) {
      known = this.#search(id);
      this.#known.set(id, known);
    }
    return known;
  }

  field({ body }: Field): boolean {
    return body.which === "group" ? this.struct(body.typeId) : this.type(body.type);
  }

  type(type: Type): boolean {
    return isEnd(type) || (type.which === "struct" && this.struct(type.typeId));
  }

  #search(start: bigint): boolean {
    const seen = new Set([start]);
    for (const id of seen) {
      const body = this.#declarations.find(id)?.body;
      if (body?.which !== "struct") continue;
      for (const { body: place } of body.fields) {
        if (place.which === "group") seen.add(place.typeId);
        else if (isEnd(place.type)) return true;
        else if (place.type.which === "struct") seen.add(place.type.typeId);
      }
    }
    return false;
  }
}

const isEnd = (type: Type): boolean => type.which === "interface" || type.which === "anyPointer";
