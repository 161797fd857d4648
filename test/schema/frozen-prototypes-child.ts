/**
 * Loads and uses schemas whose names mean something in JavaScript, where nothing can be added to the prototypes that all
 * objects share. It ends with status 0 where all is well; see frozen-prototypes.test.ts.
 */
import { strict as assert } from "node:assert";
import type { Node } from "../../lib/schema/node.ts";
import type { Loose } from "../support/loose.ts";

const shared: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  Map.prototype,
  Promise.prototype,
];
const before = shared.map((prototype) => Reflect.ownKeys(prototype));
for (const prototype of shared) Object.freeze(prototype);

const { compile } = await import("../../lib/compiler/compiler.ts");
const { SchemaLoader } = await import("../../lib/schema/loader.ts");
const { get, set } = await import("../../lib/schema/operations.ts");

const names = [
  "__proto__",
  "constructor",
  "then",
  "toJSON",
  "toString",
  "valueOf",
  "hasOwnProperty",
  "prototype",
  "delete",
];
const letters = names.map((_, i) => `n${String.fromCharCode(97 + i)}`);

const list = (line: (name: string, i: number) => string): string => letters.map(line).join(" ");
const source = `@0xc4c4c4c4c4c4c4c4;
struct Fields { ${list((name, i) => `${name} @${i} :Text;`)} }
struct Groups { ${list((name, i) => `${name} :group { a${name} @${i} :Text; }`)} }
struct Union { union { ${list((name, i) => `${name} @${i} :Text;`)} } }
enum Names { ${list((name, i) => `${name} @${i};`)} }
struct HasEnum { value @0 :Names; }
interface Calls { ${list((name, i) => `${name} @${i} (${name} :Text) -> (${name} :Text);`)} }
struct Scope { ${list((name) => `const ${name} :Text = "${name}";`)} }
`;

/** The same nodes with the names that no source may have, too. */
const renamed = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(renamed);
  if (typeof value === "string") return names[letters.indexOf(value)] ?? value;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, renamed(member)]));
};

const { schema, diagnostics } = compile(["names.capnp"], { readSource: () => source, importPath: [] });
assert.deepEqual(diagnostics, []);
const loader = new SchemaLoader();
loader.loadAll(schema.nodes.map((node) => renamed(node) as Node));
const file = loader.declare(loader.get(0xc4c4c4c4c4c4c4c4n)) as Loose;

for (const name of names) {
  const fields = file.Fields.newMessage();
  set(fields, name, "value");
  assert.equal(get(fields, name), "value");
  const object = fields.toObject();
  assert.deepEqual(Object.getOwnPropertyDescriptor(object, name)?.value, "value");
  assert.equal(Object.getPrototypeOf(object), Object.prototype);
  assert.equal(get(file.Fields.newMessage(object), name), "value");
  const group = get(file.Groups.newMessage(), name) as Loose;
  const letter = letters[names.indexOf(name)] as string;
  set(group, `a${letter}`, "in a group");
  assert.equal(get(group, `a${letter}`), "in a group");

  const union = file.Union.newMessage();
  set(union, name, "active");
  assert.equal(loader.getStruct(file.Union.schema.id).field(name).isUnionMember, true);

  assert.equal(file.Names[name], name);
  assert.equal(file.HasEnum.newMessage({ value: name }).value, name);
}
assert.deepEqual(Object.keys(file.Names), names);

// What the schema declares does not replace what the library or the language has.
assert.equal(file.Scope.toJSON, "toJSON");
assert.equal(typeof file.Scope.newMessage, "function");

const { Client, Server } = file.Calls;
for (const name of names) {
  const own = Object.getOwnPropertyDescriptor(Client.prototype, name === "then" ? "then_" : name);
  assert.equal(typeof own?.value, "function", name);
}
assert.equal(typeof Client.prototype.then, "undefined");
assert.ok(Server.prototype instanceof Object);

for (const [i, prototype] of shared.entries()) assert.deepEqual(Reflect.ownKeys(prototype), before[i]);
