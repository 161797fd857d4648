import type { Brand, Node, Type } from "./node.ts";

/** The kinds of declaration that are types. */
export type TypeKind = "struct" | "enum" | "interface";

/** Told of a node that another one needs, the kind that it must be of, and what it is there. */
export type ReferenceVisitor = (id: bigint, kind: TypeKind, what: string) => void;

/** Visits every node that a node mentions as a type, each as often as it is mentioned. */
export const visitReferences = (node: Node, visit: ReferenceVisitor): void => {
  const { body } = node;
  switch (body.which) {
    case "struct":
      for (const field of body.fields) {
        if (field.body.which === "slot") visitType(field.body.type, `the type of its field ${field.name}`, visit);
        else visit(field.body.typeId, "struct", `its group ${field.name}`);
      }
      if (body.isGroup) visit(node.scopeId, "struct", "the struct that it is a group of");
      return;
    case "interface":
      for (const { id, brand } of body.superclasses) {
        visit(id, "interface", "what it extends");
        visitBrand(brand, "a type argument of what it extends", visit);
      }
      for (const method of body.methods) {
        const params = `the parameters of its method ${method.name}`;
        const results = `the results of its method ${method.name}`;
        visit(method.paramStructType, "struct", params);
        visitBrand(method.paramBrand, params, visit);
        visit(method.resultStructType, "struct", results);
        visitBrand(method.resultBrand, results, visit);
      }
      return;
    case "const":
    case "annotation":
      visitType(body.type, "its type", visit);
      return;
    default:
  }
};

const visitType = (type: Type, what: string, visit: ReferenceVisitor): void => {
  let inner = type;
  while (inner.which === "list") inner = inner.elementType;
  if (!("brand" in inner)) return;
  visit(inner.typeId, inner.which, what);
  visitBrand(inner.brand, what, visit);
};

const visitBrand = (brand: Brand, what: string, visit: ReferenceVisitor): void => {
  for (const scope of brand.scopes) {
    if (scope.which === "inherit") continue;
    for (const binding of scope.bindings) if (binding.which === "type") visitType(binding.type, what, visit);
  }
};
