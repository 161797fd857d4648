// V8 compiles a function when it is first called, each by itself, after having scanned over it at import: of the first `load` of
// a small schema that was half the time. A function expression in parentheses it compiles at once, as it was made for functions
// that are called where they stand. So the functions of modules that run once, and then all of them, are written in this form.
import { parseAst } from "rollup/parseAst";

/** What the rewritten classes import: it does what the class body did. */
export const methodsModule = {
  name: "capstan:methods",
  contents: `export function defineMethod(Class, method) {
    for (const name in method) {
      Object.defineProperty(Class.prototype, name, { value: method[name], writable: true, configurable: true });
    }
  }`,
};

function* childrenOf(node) {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (typeof child?.type === "string") yield child;
  }
}

const some = (node, test, isBorder = () => false) => {
  for (const child of childrenOf(node)) {
    if (test(child) || (!isBorder(child) && some(child, test, isBorder))) return true;
  }
  return false;
};

const hasOwnThis = ({ type }) =>
  type === "FunctionExpression" || type === "FunctionDeclaration" || type === "ClassBody";
const isSuper = ({ type }) => type === "Super" || type === "MetaProperty";
const isThis = (node) =>
  isSuper(node) || node.type === "ThisExpression" || (node.type === "Identifier" && node.name === "arguments");

/** Whether it runs when its module or class is evaluated, not when it is called. */
const isLater = (node) => node.type.includes("Function") || (node.type === "PropertyDefinition" && !node.static);

/** Functions that the module's own evaluation may need before the line on which they are declared. */
const namesNeededEarly = (program) => {
  const names = new Set();
  const visit = (node) => {
    if (node.type === "Identifier") names.add(node.name);
    if (!isLater(node)) for (const child of childrenOf(node)) visit(child);
  };
  for (const statement of program.body) {
    const isList = statement.type === "ExportNamedDeclaration" && statement.declaration === null;
    const { type } = statement.declaration ?? statement;
    if (!isList && type !== "FunctionDeclaration") visit(statement);
  }
  return names;
};

/** The methods of a class that can be written as function expressions: in a class body there is no such form. */
const movableMethods = ({ body: members }) => {
  // Those may call methods, which would not be there yet.
  if (
    members.some(({ type, static: isStatic }) => type === "StaticBlock" || (type === "PropertyDefinition" && isStatic))
  ) {
    return [];
  }
  const isAsked =
    (name) =>
    ({ type, operator, left }) =>
      type === "BinaryExpression" && operator === "in" && left.type === "PrivateIdentifier" && left.name === name;
  return members.filter(
    ({ type, kind, static: isStatic, computed, key, value }) =>
      type === "MethodDefinition" &&
      kind === "method" &&
      !isStatic &&
      !computed &&
      !value.generator &&
      !some(value, isSuper) &&
      !(key.type === "PrivateIdentifier" && members.some((member) => some(member, isAsked(key.name)))),
  );
};

/**
 * JavaScript that does the same, and whose functions V8 compiles as soon as it reads them. Lines stay where they are, for source
 * maps. Private methods become methods with long names: only for classes whose objects stay inside of the library.
 */
export const compileEagerly = (code) => {
  const program = parseAst(code);
  const early = namesNeededEarly(program);
  const edits = [];
  const edit = (start, end, text) => edits.push({ start, end, text });
  const privateNames = new Set();
  let hasMethods = false;

  const visitAll = (node, privates) => {
    for (const child of childrenOf(node)) visit(child, privates);
  };

  const visitClass = (node, around) => {
    const methods = new Set(movableMethods(node.body));
    const privates = new Map(around);
    for (const { key } of node.body.body) if (key?.type === "PrivateIdentifier") privates.set(key.name, undefined);
    for (const { key } of methods) {
      if (key.type !== "PrivateIdentifier") continue;
      const name = `$${node.id?.name ?? "class"}_${key.name}`;
      if (privateNames.has(name)) throw new Error(`Two private methods would be called ${name}.`);
      privateNames.add(name);
      privates.set(key.name, name);
    }
    for (const member of node.body.body) {
      if (!methods.has(member)) {
        visit(member, privates);
        continue;
      }
      hasMethods = true;
      const { key, value } = member;
      const name = key.type === "PrivateIdentifier" ? privates.get(key.name) : code.slice(key.start, key.end);
      const head = `static { defineMethod(this, { ${name}: (${value.async ? "async " : ""}function `;
      edit(member.start, value.start, head);
      visitAll(value, privates);
      edit(member.end, member.end, ") }); }");
    }
    if (node.superClass) visit(node.superClass, around);
  };

  const visitArrow = (node, privates) => {
    if (node.async || some(node, isThis, hasOwnThis)) {
      visitAll(node, privates);
      return;
    }
    const arrow = code.lastIndexOf("=>", node.body.start);
    const isBlock = node.body.type === "BlockStatement";
    edit(node.start, node.start, "(function ");
    for (const param of node.params) visit(param, privates);
    edit(arrow, arrow + 2, isBlock ? "" : "{ return ");
    visit(node.body, privates);
    edit(node.end, node.end, isBlock ? ")" : "; })");
  };

  const visitFunction = (node, privates) => {
    const { name, end } = node.id;
    const isMovable = !early.has(name) && !node.generator;
    if (isMovable) edit(node.start, end, `const ${name} = (${node.async ? "async " : ""}function `);
    visitAll(node, privates);
    if (isMovable) edit(node.end, node.end, ");");
  };

  const visit = (node, privates) => {
    if (node.type === "ClassDeclaration" || node.type === "ClassExpression") visitClass(node, privates);
    else if (node.type === "ArrowFunctionExpression") visitArrow(node, privates);
    else {
      if (node.type === "MemberExpression" && node.property.type === "PrivateIdentifier") {
        const name = privates.get(node.property.name);
        if (name !== undefined) edit(node.property.start, node.property.end, name);
      }
      visitAll(node, privates);
    }
  };

  for (const statement of program.body) {
    const declaration = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
    if (declaration?.type === "FunctionDeclaration") visitFunction(declaration, new Map());
    else visit(statement, new Map());
  }
  const head = hasMethods ? `import { defineMethod } from "${methodsModule.name}"; ` : "";
  return head + withEdits(code, edits);
};

/** Of edits at one place, the one that was made first comes first. */
const withEdits = (code, edits) => {
  let text = "";
  let at = 0;
  for (const { start, end, text: replacement } of edits.sort((a, b) => a.start - b.start)) {
    text += code.slice(at, start) + replacement;
    at = end;
  }
  return text + code.slice(at);
};
