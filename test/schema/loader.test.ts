import { expect } from "chai";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { type Field, type Node, noDiscriminant, type StructBody } from "../../lib/schema/node.ts";
import { expectError } from "../support/errors.ts";
import type { Loose } from "../support/loose.ts";
import { received } from "../support/messages.ts";

const slot = (
  name: string,
  which: "uint32" | "text" | "bool",
  offset: number,
  discriminantValue = noDiscriminant,
): Field => ({
  name,
  codeOrder: 0,
  annotations: [],
  discriminantValue,
  body: {
    which: "slot",
    offset,
    type: { which },
    defaultValue:
      which === "text" ? { which, value: "" } : which === "bool" ? { which, value: false } : { which, value: 0 },
    hadExplicitDefault: false,
  },
});

const node = (fields: readonly Field[], body: Partial<StructBody> = {}, id = 0x1234n): Node => ({
  id,
  displayName: "made.capnp:Made",
  displayNamePrefixLength: 11,
  scopeId: 0n,
  parameters: [],
  isGeneric: false,
  nestedNodes: [],
  annotations: [],
  body: {
    which: "struct",
    dataWordCount: 1,
    pointerCount: 1,
    preferredListEncoding: "inlineComposite",
    isGroup: false,
    discriminantCount: fields.filter((field) => field.discriminantValue !== noDiscriminant).length,
    discriminantOffset: 2,
    fields: fields.map((field, codeOrder) => ({ ...field, codeOrder })),
    ...body,
  },
});

const load = (made: Node): Loose => {
  const loader = new SchemaLoader();
  loader.load(made);
  return loader.getStruct(made.id).structClass;
};

describe("a schema loader", () => {
  it("makes classes from nodes", () => {
    const Made = load(node([slot("number", "uint32", 0), slot("name", "text", 0), slot("flag", "bool", 63)]));
    const made = Made.newMessage({ number: 5, name: "n", flag: true });
    expect(received(made).toObject()).to.deep.equal({ number: 5, name: "n", flag: true });
  });

  it("hands out the same schema and class for the same id", () => {
    const loader = new SchemaLoader();
    loader.loadAll([node([slot("number", "uint32", 0)]), node([slot("number", "uint32", 0)])]);
    expect(loader.get(0x1234n)).to.equal(loader.get(0x1234n));
    expect(loader.getStruct(0x1234n).structClass).to.equal(loader.getStruct(0x1234n).structClass);
    expect([loader.has(1n), loader.tryGet(1n)]).to.deep.equal([false, undefined]);
    expectError("CAPNP_SCHEMA_NOT_FOUND", () => loader.get(0xabcn), "0xabc");
    expectError("CAPNP_SCHEMA", () => loader.getInterface(0x1234n), "struct");
  });

  it("takes any name for a field, `__proto__` too", () => {
    const made = load(node([slot("__proto__", "uint32", 0)])).newMessage();
    made.set("__proto__", 5);
    const object = received(made).toObject();
    expect(Object.getOwnPropertyDescriptor(object, "__proto__")?.value).to.equal(5);
    expect(Object.getPrototypeOf(object)).to.equal(Object.prototype);
    expect(received(load(node([slot("__proto__", "uint32", 0)])).newMessage(object)).toObject()).to.deep.equal(object);
  });

  const broken: [string, Node, string][] = [
    ["a data field behind the data section", node([slot("number", "uint32", 2)]), "offset 2"],
    [
      "a data field at an offset that would overflow 32 bits",
      node([slot("number", "uint32", 0x40000000)]),
      "1073741824",
    ],
    ["a data field at a negative offset", node([slot("number", "uint32", -1)]), "offset -1"],
    ["a bit behind the data section", node([slot("flag", "bool", 64)]), "offset 64"],
    ["a pointer behind the pointer section", node([slot("name", "text", 1)]), "1 pointers"],
    ["two fields of one name", node([slot("a", "uint32", 0), slot("a", "text", 0)]), '"a"'],
    ["a field without a name", node([slot("", "uint32", 0)]), "no name"],
    ["a field that hides the library's own", node([slot("$segment", "uint32", 0)]), "$segment"],
    ["a union of one", node([slot("a", "uint32", 0, 0)]), "only one"],
    ["a discriminant too large", node([slot("a", "uint32", 0, 0), slot("b", "uint32", 0, 2)]), "discriminant 2"],
    ["a discriminant twice", node([slot("a", "uint32", 0, 0), slot("b", "uint32", 0, 0)]), "discriminant 0"],
    ["a wrong count of members", node([slot("a", "uint32", 0, 0)], { discriminantCount: 2 }), "2"],
    [
      "a tag behind the data section",
      node([slot("a", "uint32", 0, 0), slot("b", "uint32", 0, 1)], { discriminantOffset: 4 }),
      "tag",
    ],
    ["a size that no struct can have", node([], { dataWordCount: 65536 }), "65536"],
  ];
  for (const [what, made, part] of broken) {
    it(`refuses ${what}`, () => {
      expectError("CAPNP_SCHEMA", () => new SchemaLoader().load(made), "made.capnp:Made", part);
    });
  }

  it("refuses a default value that leads out of its message or in a circle", () => {
    const circle = new Uint8Array(8 * 3);
    new DataView(circle.buffer).setBigUint64(0, 0x0001_0000_0000_0000n, true);
    // Word 1 is the struct's only pointer; it leads back to itself.
    new DataView(circle.buffer).setBigUint64(8, 0x0001_0000_ffff_fffcn, true);
    for (const value of [circle, new Uint8Array([4, 0, 0, 0, 1, 0, 0, 0]), new Uint8Array(0), new Uint8Array(4)]) {
      const made = node([
        {
          ...slot("child", "text", 0),
          body: {
            which: "slot",
            offset: 0,
            type: { which: "anyPointer", kind: "unconstrained" },
            defaultValue: { which: "anyPointer", value },
            hadExplicitDefault: true,
          },
        },
      ]);
      expectError("CAPNP_SCHEMA", () => new SchemaLoader().load(made), '"child"');
    }
  });

  it("refuses a default value of another type", () => {
    const wrong = { ...slot("a", "uint32", 0).body, defaultValue: { which: "text", value: "" } } as const;
    expectError(
      "CAPNP_SCHEMA",
      () => new SchemaLoader().load(node([{ ...slot("a", "uint32", 0), body: wrong as Field["body"] }])),
      "text",
    );
  });

  it("refuses groups that lie in a circle", () => {
    const group = (name: string, typeId: bigint): Field => ({
      ...slot(name, "text", 0),
      body: { which: "group", typeId },
    });
    const loader = new SchemaLoader();
    loader.load(node([group("outer", 0x98n)]));
    loader.load({ ...node([group("inner", 0x99n)], { isGroup: true }, 0x98n), scopeId: 0x1234n });
    loader.load({ ...node([group("again", 0x98n)], { isGroup: true }, 0x99n), scopeId: 0x98n });
    const itself = { ...node([group("itself", 0x9an)], { isGroup: true }, 0x9an), scopeId: 0x9an };
    expectError("CAPNP_SCHEMA", () => loader.load(itself), "itself");
    const made: Loose = loader.getStruct(0x1234n).structClass.newMessage();
    expectError("CAPNP_SCHEMA", () => made.toObject(), "again");
    expectError("CAPNP_SCHEMA", () => made.init("outer"), "again");
  });

  it("makes a struct as large as its groups, as C++ does", () => {
    const field: Field = { ...slot("group", "text", 0), body: { which: "group", typeId: 0x99n } };
    const loader = new SchemaLoader();
    loader.load(node([field]));
    loader.load({
      ...node([slot("number", "uint32", 3)], { dataWordCount: 2, isGroup: true }, 0x99n),
      scopeId: 0x1234n,
    });
    expect(loader.getStruct(0x1234n).body.dataWordCount).to.equal(2);
    const made: Loose = loader.getStruct(0x1234n).structClass.newMessage({ group: { number: 7 } });
    expect(received(made).toObject()).to.deep.equal({ group: { number: 7 } });
  });

  it("refuses a group of another struct", () => {
    const field: Field = { ...slot("group", "text", 0), body: { which: "group", typeId: 0x99n } };
    const loader = new SchemaLoader();
    loader.load(node([field]));
    loader.load({ ...node([slot("number", "uint32", 3)], { dataWordCount: 2, isGroup: true }, 0x99n), scopeId: 0x77n });
    const made: Loose = loader.getStruct(0x1234n).structClass.newMessage();
    expectError("CAPNP_SCHEMA", () => made.group, "group");
    expectError("CAPNP_SCHEMA", () => loader.load({ ...node([], { isGroup: true }, 0x98n) }), "group of no struct");
  });
});
