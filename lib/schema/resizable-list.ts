import { CapnpError } from "../errors.ts";
import { wrongType } from "../serialization/scalar.ts";
import { adopt } from "./disown.ts";
import { newOrphan } from "./orphanage.ts";
import type { Orphan } from "./orphan.ts";
import type { List } from "../serialization/list.ts";
import { FieldSchema, noSuchField, type StructSchema } from "./schema.ts";
import { StructBuilder } from "./struct-base.ts";
import { ListType } from "./type-argument.ts";

/**
 * A list of structs of which the length is not known in advance. Each element is built in the message as it is added, without a
 * place in a list; `finish` makes the list, moves the elements there and gives that to the field. What an element points to is
 * not copied, but its own words are, and where they were stays unused in the message: where the length is known, `init` is
 * better.
 *
 * States: adding, then finished, by `finish`, after which only the list that it returned may be used.
 */
export class ResizableList<E = unknown> {
  readonly #struct: StructBuilder;
  readonly #field: FieldSchema;
  readonly #element: StructSchema;
  #elements: Orphan[] | undefined = [];

  /** @internal */
  constructor(struct: StructBuilder, field: FieldSchema, element: StructSchema) {
    this.#struct = struct;
    this.#field = field;
    this.#element = element;
  }

  /** How many elements there are by now. */
  get length(): number {
    return this.#unfinished().length;
  }

  /** A new element at the end. It must not be used any more once the list is finished. */
  add(): E {
    const elements = this.#unfinished();
    const orphan = newOrphan(this.#struct, this.#element.structClass);
    elements.push(orphan);
    return orphan.get() as E;
  }

  /** Gives the field the list of all elements, and returns it. */
  finish(): List<E> {
    const elements = this.#unfinished();
    const list = newOrphan(this.#struct, new ListType({ which: "struct", schema: this.#element }), elements.length);
    const made = list.get() as List<unknown> & { adopt(index: number, orphan: Orphan): void };
    for (const [i, element] of elements.entries()) made.adopt(i, element);
    adopt(this.#struct, this.#field.name, list);
    this.#elements = undefined;
    return made as unknown as List<E>;
  }

  #unfinished(): Orphan[] {
    if (this.#elements !== undefined) return this.#elements;
    throw new CapnpError("CAPNP_ORPHAN", `The list of ${this.#field.path} is finished: its length is fixed now.`);
  }
}

/** Begins a list of structs that grows; the field gets it from `finish()`. Until then the field is as it was. */
export const initResizableList = (struct: unknown, field: string | FieldSchema): ResizableList => {
  if (!(struct instanceof StructBuilder)) throw wrongType("initResizableList", "a builder of a struct", struct);
  const name = field instanceof FieldSchema ? field.name : field;
  const access = struct.$fields.get(name);
  if (access === undefined) throw noSuchField(struct.$schema, String(name));
  const { type } = access.schema;
  if (type.which !== "list" || type.elementType.which !== "struct") {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${access.schema.path} is not a list of structs: only those are built one by one.`,
    );
  }
  return new ResizableList(struct, access.schema, type.elementType.schema);
};
