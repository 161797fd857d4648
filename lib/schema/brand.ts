import type { SchemaType } from "./schema.ts";

/**
 * What type parameters stand for: for each generic scope, by its id, the types bound there. A parameter of a scope that is
 * missing here is unbound and reads as AnyPointer.
 */
export class BrandArguments {
  readonly scopes: ReadonlyMap<bigint, readonly SchemaType[]>;
  /** Equal for equal brands. */
  readonly key: string;

  constructor(scopes: ReadonlyMap<bigint, readonly SchemaType[]>) {
    this.scopes = scopes;
    this.key = [...scopes]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([id, types]) => `${id.toString(16)}(${types.map(typeKey).join(",")})`)
      .join(";");
  }

  /** The same with one scope's parameters bound anew. */
  with(scopeId: bigint, types: readonly SchemaType[]): BrandArguments {
    return new BrandArguments(new Map([...this.scopes, [scopeId, types]]));
  }

  /** The same with only the scopes of which `keep` is true. */
  only(keep: (scopeId: bigint) => boolean): BrandArguments {
    const kept = [...this.scopes].filter(([id]) => keep(id));
    if (kept.length === this.scopes.size) return this;
    return kept.length === 0 ? unbound : new BrandArguments(new Map(kept));
  }
}

/** Nothing bound. */
export const unbound = new BrandArguments(new Map());

/** Equal for equal types. */
export const typeKey = (type: SchemaType): string => {
  switch (type.which) {
    case "list":
      return `[${typeKey(type.elementType)}]`;
    case "enum":
    case "struct":
    case "interface": {
      const { id, brand, serial } = type.schema;
      // Not the brand's own key, which would double in length with each level of Pair(T, T): a loader makes one schema only
      // for each brand.
      return brand.key === "" ? id.toString(16) : `${id.toString(16)}<${serial}>`;
    }
    case "anyPointer": {
      const { parameter } = type;
      return parameter === undefined ? type.kind : `${parameter.scopeId.toString(16)}#${parameter.index}`;
    }
    default:
      return type.which;
  }
};
