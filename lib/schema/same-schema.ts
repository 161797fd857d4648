import type { SchemaBase, SchemaType } from "./schema-base.ts";

/** Whether two schemas, of one loader or of two, are the same version of the same type with the same type arguments. */
export const isSameSchema = (a: SchemaBase, b: SchemaBase): boolean => new Comparison().schemas(a, b);

class Comparison {
  /** Pairs that were compared already, by their serials: type arguments may mention one type many times. */
  readonly #seen = new Set<string>();

  schemas(a: SchemaBase, b: SchemaBase): boolean {
    if (a === b) return true;
    const pair = `${a.serial} ${b.serial}`;
    if (this.#seen.has(pair)) return true;
    this.#seen.add(pair);
    const [ours, theirs] = [a.brand.scopes, b.brand.scopes];
    if (a.id !== b.id || ours.size !== theirs.size || !areEqual(a.node, b.node)) return false;
    for (const [scopeId, types] of ours) {
      const others = theirs.get(scopeId);
      if (others?.length !== types.length) return false;
      if (!types.every((type, i) => this.#types(type, others[i] as SchemaType))) return false;
    }
    return true;
  }

  #types(a: SchemaType, b: SchemaType): boolean {
    if ("schema" in a && "schema" in b) return a.which === b.which && this.schemas(a.schema, b.schema);
    if (a.which === "list" && b.which === "list") return this.#types(a.elementType, b.elementType);
    return areEqual(a, b);
  }
}

/** Whether two plain values are equal, member by member. */
const areEqual = (a: unknown, b: unknown): boolean => {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && areEqual(a[key as keyof typeof a], b[key as keyof typeof b]))
  );
};
