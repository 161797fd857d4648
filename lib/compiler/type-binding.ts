import type { Brand, BrandScope, Type } from "../schema/node.ts";

/**
 * What the type parameters of a node stand for while its values are read: the bindings of a brand, or `unbound` inside
 * the generic node itself, where they stay open.
 */
export type Bindings = Brand | "unbound";

const anyPointer: Type = { which: "anyPointer", kind: "unconstrained" };

/** `type` with the parameters in it replaced by what they are bound to. */
export function bindType(type: Type, bindings: Bindings): Type {
  switch (type.which) {
    case "anyPointer": {
      if (type.kind !== "parameter" || bindings === "unbound") return type;
      const scope = bindings.scopes.find(({ scopeId }) => scopeId === type.scopeId);
      if (scope?.which === "inherit") return type;
      const binding = scope?.bindings[type.parameterIndex];
      return binding?.which === "type" ? binding.type : anyPointer;
    }
    case "list": {
      const elementType = bindType(type.elementType, bindings);
      return elementType === type.elementType ? type : { which: "list", elementType };
    }
    case "struct":
    case "enum":
    case "interface":
      if (bindings === "unbound" || type.brand.scopes.length === 0) return type;
      return { which: type.which, typeId: type.typeId, brand: bindBrand(type.brand, bindings) };
    default:
      return type;
  }
}

function bindBrand(brand: Brand, bindings: Brand): Brand {
  const scopes: BrandScope[] = [];
  for (const scope of brand.scopes) {
    if (scope.which === "inherit") {
      const outer = bindings.scopes.find(({ scopeId }) => scopeId === scope.scopeId);
      // Even with nothing bound it tells the type from one that was declared elsewhere, as in C++.
      scopes.push(outer ?? { scopeId: scope.scopeId, which: "bind", bindings: [] });
    } else {
      scopes.push({
        ...scope,
        bindings: scope.bindings.map((binding) =>
          binding.which === "type" ? { which: "type", type: bindType(binding.type, bindings) } : binding,
        ),
      });
    }
  }
  return { scopes };
}

/** Whether two types, read in the same place, are one. */
export function sameType(a: Type, b: Type): boolean {
  if (a.which !== b.which) return false;
  switch (a.which) {
    case "list":
      return b.which === "list" && sameType(a.elementType, b.elementType);
    case "struct":
    case "enum":
    case "interface":
      return "typeId" in b && a.typeId === b.typeId && sameBrand(a.brand, b.brand);
    case "anyPointer":
      return b.which === "anyPointer" && parameterKey(a) === parameterKey(b);
    default:
      return true;
  }
}

function parameterKey(type: Type & { which: "anyPointer" }): string {
  if (type.kind === "parameter") return `${type.scopeId} ${type.parameterIndex}`;
  return type.kind === "implicitMethodParameter" ? `implicit ${type.parameterIndex}` : type.kind;
}

function sameBrand(a: Brand, b: Brand): boolean {
  return (
    a.scopes.length === b.scopes.length &&
    a.scopes.every((scope, i) => {
      const other = b.scopes[i]!;
      if (scope.scopeId !== other.scopeId) return false;
      if (scope.which === "inherit" || other.which === "inherit") return scope.which === other.which;
      return scope.bindings.every((binding, j) => {
        const match = other.bindings[j];
        if (binding.which === "unbound" || match?.which !== "type") return binding.which === match?.which;
        return sameType(binding.type, match.type);
      });
    })
  );
}
