import type { Brand, Node, Type } from "../schema/node.ts";
import { isDataType } from "./literal-value.ts";

/** Whether schema loaders take a node: where its source is wrong in certain ways, what came out of it is not even that. */
export function isLoadable({ body }: Node): boolean {
  switch (body.which) {
    case "struct": {
      let next = 0;
      for (const { ordinal, body: member } of body.fields) {
        if (member.which === "slot" && !hasPointerArguments(member.type)) return false;
        if (ordinal === undefined) continue;
        if (ordinal < next) return false;
        next = ordinal + 1;
      }
      return body.discriminantCount !== 1 && haveDistinctNames(body.fields);
    }
    case "enum":
      return haveDistinctNames(body.enumerants);
    case "interface":
      return (
        haveDistinctNames(body.methods) &&
        body.superclasses.every(({ brand }) => bindsPointers(brand)) &&
        body.methods.every(({ paramBrand, resultBrand }) => bindsPointers(paramBrand) && bindsPointers(resultBrand))
      );
    case "const":
      return body.value.which === body.type.which && hasPointerArguments(body.type);
    case "annotation":
      return hasPointerArguments(body.type);
    case "file":
      return true;
  }
}

function haveDistinctNames(members: readonly { readonly name: string }[]): boolean {
  return new Set(members.map(({ name }) => name)).size === members.length;
}

/** Whether all type arguments in a type are of pointer types, as they must be. */
function hasPointerArguments(type: Type): boolean {
  if (type.which === "list") return hasPointerArguments(type.elementType);
  return !("brand" in type) || bindsPointers(type.brand);
}

function bindsPointers(brand: Brand): boolean {
  return brand.scopes.every(
    (scope) =>
      scope.which === "inherit" ||
      scope.bindings.every(
        (binding) =>
          binding.which === "unbound" ||
          (binding.type.which !== "void" && !isDataType(binding.type.which) && hasPointerArguments(binding.type)),
      ),
  );
}
