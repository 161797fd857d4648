import type { AnnotationApplication, Declaration, Expression, ParamList } from "./ast.ts";

/**
 * The imports of a file that its generated code needs: those in types, aliases, superclasses and annotation names. What
 * values import is embedded in them.
 */
export function findImports(file: Declaration): string[] {
  const paths = new Set<string>();
  inDeclaration(file, paths);
  return [...paths].sort((a, b) => (a < b ? -1 : 1));
}

function inDeclaration(declaration: Declaration, paths: Set<string>): void {
  switch (declaration.kind) {
    case "using":
      inExpression(declaration.target, paths);
      break;
    case "const":
    case "field":
      inExpression(declaration.type, paths);
      break;
    case "interface":
      for (const superclass of declaration.superclasses) inExpression(superclass, paths);
      break;
    case "method":
      inParamList(declaration.params, paths);
      if (declaration.results !== undefined) inParamList(declaration.results, paths);
      break;
    default:
  }
  inAnnotations(declaration.annotations, paths);
  for (const member of declaration.members) inDeclaration(member, paths);
}

function inParamList(list: ParamList, paths: Set<string>): void {
  if (list.which === "stream") {
    paths.add("/capnp/stream.capnp");
  } else if (list.which === "type") {
    inExpression(list.type, paths);
  } else {
    for (const param of list.params) {
      inExpression(param.type, paths);
      inAnnotations(param.annotations, paths);
    }
  }
}

function inAnnotations(applications: readonly AnnotationApplication[], paths: Set<string>): void {
  for (const { name } of applications) inExpression(name, paths);
}

function inExpression(expression: Expression, paths: Set<string>): void {
  switch (expression.which) {
    case "import":
      paths.add(expression.name.text);
      break;
    case "list":
      for (const element of expression.elements) inExpression(element, paths);
      break;
    case "tuple":
      for (const { value } of expression.params) inExpression(value, paths);
      break;
    case "application":
      inExpression(expression.callee, paths);
      for (const { value } of expression.params) inExpression(value, paths);
      break;
    case "member":
      inExpression(expression.parent, paths);
      break;
    default:
  }
}
