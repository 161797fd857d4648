import { inspect } from "node:util";
import { expect } from "chai";
import { pino } from "pino";
import { equals } from "../../lib/schema/equals.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { withinBudget } from "../support/budget.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";
import { AllTypes, orRefused, withPointer } from "./hostile-messages.ts";

const most = 0x1fffffff;

/** A few hundred bytes with a list of so many structs without content, or of so many voids. */
const emptyStructs = (count: number): Uint8Array => withPointer("structList", [1, 7], [(count << 2) >>> 0, 0]);
const voids = (count: number): Uint8Array => withPointer("voidList", [1, (count << 3) >>> 0]);
const anyStructs = (count: number): Uint8Array => withPointer("anyField", [1, 7], [(count << 2) >>> 0, 0]);

/** All that looks at every element of a list, or of every list of a message. */
const consumers: Readonly<Record<string, (reader: Loose, list: () => Loose) => unknown>> = {
  "for...of": (_, list) => {
    for (const _element of list());
  },
  "at()": (_, list) => list().at(-1),
  "map()": (_, list) => list().map(() => 0),
  "forEach()": (_, list) => list().forEach(() => {}),
  spread: (_, list) => [...list()],
  "toArray()": (_, list) => list().toArray(),
  "join()": (_, list) => list().join(),
  "toString() of the list": (_, list) => String(list()),
  "includes()": (_, list) => list().includes(1),
  "toObject()": (reader) => reader.toObject(),
  "toObject() with defaults": (reader) => reader.toObject({ defaults: true }),
  "JSON.stringify()": (reader) => JSON.stringify(reader),
  "JSON.stringify() of the list": (_, list) => JSON.stringify(list()),
  "toText()": (reader) => reader.toText(),
  "toText({ pretty })": (reader) => reader.toText({ pretty: true }),
  "String()": (reader) => String(reader),
  "equals()": (reader) => equals(reader, reader),
  "equals() of the list": (_, list) => equals(list(), list()),
  "copy()": (reader) => reader.copy(),
  "newMessage()": (reader) => AllTypes.newMessage(reader),
  "a setter of another message": (_, list) => {
    AllTypes.newMessage().structList = list();
  },
  "canonicalize()": (reader) => canonicalize(reader),
  "isCanonical()": (reader) => isCanonical(reader.toSegmentViews()),
  totalSize: (reader) => reader.totalSize,
  "toBytes() of a part": (reader) => reader.structField.toBytes(),
  "util.inspect()": (reader) => inspect(reader),
  "structuredClone() of toObject()": (reader) => structuredClone(reader.toObject()),
  "a line of pino": (reader) => {
    const lines: string[] = [];
    pino({}, { write: (line: string) => lines.push(line) }).info({ reader }, "received");
    expect(lines).to.have.lengthOf(1);
    expect(lines[0]).to.have.length.below(10_000);
  },
};

// CVE-2015-2312 and, for the sizes, CVE-2015-2313
describe("a list of 2^29 - 1 elements without content, in a few bytes", () => {
  for (const [what, segment, field] of [
    ["structs", emptyStructs(most), "structList"],
    ["structs, behind a pointer of any type,", anyStructs(most), "anyField"],
    ["voids", voids(most), "voidList"],
  ] as const) {
    for (const [consumer, consume] of Object.entries(consumers)) {
      it(`of ${what} costs ${consumer} next to nothing`, () => {
        withinBudget(() => {
          const reader = readAs(AllTypes, [segment]);
          const list = (): Loose => (field === "anyField" ? reader.anyField.as(listOf(AllTypes)) : reader[field]);
          orRefused(() => consume(reader, list));
        });
      });
    }
  }

  it("is charged a word of the traversal limit for each element, as one that has them is", () => {
    for (const [field, segment] of [
      ["structList", emptyStructs(1000)],
      ["voidList", voids(1000)],
    ] as const) {
      const reader = readAs(AllTypes, [segment], { traversalLimitInWords: AllTypes.pointerCount + 2500 });
      for (let i = 0; i < 2; i++) expect(reader[field].length).to.equal(1000);
      expectError("CAPNP_TRAVERSAL_LIMIT", () => reader[field]);
    }
  });

  it("is said to be unreadable where it is printed or logged, which never fails", () => {
    expect(inspect({ message: readAs(AllTypes, [voids(most)]) })).to.include(
      "[unreadable: Exceeded message traversal limit",
    );
  });

  it("may be read where a program raises the limit", () => {
    const reader = readAs(AllTypes, [voids(most)], { traversalLimitInWords: 2 ** 32 });
    expect(reader.voidList.length).to.equal(most);
    expect(reader.voidList.at(-1)).to.equal(null);
    expectError("CAPNP_RANGE", () => reader.voidList.toArray(), String(most));
  });
});

describe("a list without content that is just within the traversal limit", () => {
  /** Of eight million elements, and with limits so that a walk over them shows what one would cost. */
  const limits = { traversalLimitInWords: 64 * 1024 };
  const [count, structs] = [60_000, emptyStructs(60_000)];

  it("makes no plain object that is larger than the limit allows", () => {
    for (const options of [{}, { defaults: true }]) {
      const convert = () =>
        expectError("CAPNP_TRAVERSAL_LIMIT", () => readAs(AllTypes, [structs], limits).toObject(options));
      withinBudget(convert);
    }
    const few = readAs(AllTypes, [emptyStructs(20)], limits).toObject();
    expect(few.structList).to.have.lengthOf(20);
  });

  it("makes no JSON, text or line of a log that is", () => {
    for (const name of ["JSON.stringify()", "toText()", "util.inspect()", "a line of pino"]) {
      const convert = (): void => {
        const reader = readAs(AllTypes, [structs], limits);
        orRefused(() => consumers[name]?.(reader, () => reader.structList));
      };
      withinBudget(convert);
    }
  });

  it("cannot be blown up by a builder to the size that our schema gives its elements", () => {
    const eightMillion = emptyStructs(8_000_000);
    const copied = readAs(AllTypes, [eightMillion]).copy();
    withinBudget(() => expectError("CAPNP_MESSAGE_SIZE", () => copied.structList, "8000000 elements"));
    withinBudget(() => {
      const { structList } = readAs(AllTypes, [eightMillion]);
      expectError("CAPNP_MESSAGE_SIZE", () => AllTypes.newMessage({ structList }), "8000000 elements");
    });
    expect(readAs(AllTypes, [emptyStructs(1000)]).copy().structList.length).to.equal(1000);
    expect(count).to.be.lessThan(limits.traversalLimitInWords);
  });
});

describe("a small message at the default limits", () => {
  /** Takes ten seconds and more where each word that is read, and each default value, counts once; now about one. */
  const budget = { cpuMs: 4000, heapBytes: 256 << 20, bufferBytes: 64 << 20 };
  const conversions = ["toObject()", "toObject() with defaults", "JSON.stringify()", "toText({ pretty })"];
  const refused = (read: () => Loose): void => {
    for (const name of conversions) {
      withinBudget(() => orRefused(() => consumers[name]?.(read(), () => undefined)), budget);
    }
  };

  it("is not converted for seconds because its pointers lead to one list of numbers", () => {
    const { Table } = parseLoosely("struct Table { rows @0 :List(List(Float64)); }");
    const count = 4096;
    const bytes = new Uint8Array((2 + 2 * count) * 8);
    const view = new DataView(bytes.buffer);
    bytes.set(words([0, 1 << 16], [1, 6 | (count << 3)]));
    for (let i = 0; i < count; i++) {
      view.setInt32((2 + i) * 8, ((count - i - 1) << 2) | 1, true);
      view.setUint32((2 + i) * 8 + 4, 5 | (count << 3), true);
    }
    new Float64Array(bytes.buffer, (2 + count) * 8).fill(Math.PI / 1e9);
    refused(() => readAs(Table, [bytes]));
  });

  it("is not converted for seconds because its default values hold default values", () => {
    const fields = Array.from({ length: 200 }, (_, i) => `f${i} @${i} :Int32 = 12345;`).join(" ");
    const levels = Array.from({ length: 40 }, (_, i) => {
      const next = i < 39 ? `L${i + 1}` : "Leaf";
      return `struct L${i} { union { l @0 :List(${next}) = [(), (), (), (), (), (), (), ()]; v @1 :Void; } m @2 :List(Leaf); }`;
    });
    const { L0 } = parseLoosely(`struct Leaf { ${fields} } ${levels.join("\n")}`);
    refused(() => readAs(L0, [new Uint8Array(8)]));
  });

  it("is not converted for seconds because a word of it stands for many groups", () => {
    const groups = Array.from(
      { length: 40 },
      (_, i) => `g${i} :group { union { a${i} @${2 * i} :Int64; b${i} @${2 * i + 1} :Void; } }`,
    );
    const { Table } = parseLoosely(`struct Row { ${groups.join(" ")} } struct Table { rows @0 :List(Row); }`);
    const count = 8000;
    const bytes = new Uint8Array((3 + count) * 8);
    bytes.set(words([0, 1 << 16], [1, 7 | (count << 3)], [count << 2, 1]));
    refused(() => readAs(Table, [bytes]));
  });

  it("nor is a long default text written for each of many structs without content", () => {
    const { Table } = parseLoosely(
      `struct Row { union { t @0 :Text = "${"x".repeat(1000)}"; v @1 :Void; } } struct Table { rows @0 :List(Row); }`,
    );
    refused(() => readAs(Table, [words([0, 1 << 16], [1, 7], [2_000_000 << 2, 0])]));
  });

  it("that says everything once is converted, whatever it consists of", () => {
    const bools = Array.from({ length: 64 }, (_, i) => `b${i} @${i} :Bool;`).join(" ");
    const { Table } = parseLoosely(`struct Row { ${bools} } struct Table { rows @0 :List(Row); bits @1 :List(Bool); }`);
    for (const count of [10, 500, 5000]) {
      const table = Table.newMessage();
      table.init("rows", count);
      table.init("bits", count * 64);
      const bytes = table.toBytes();
      expect(Table.fromBytes(bytes).toObject().rows).to.have.lengthOf(count);
      expect(JSON.parse(JSON.stringify(Table.fromBytes(bytes))).bits).to.have.lengthOf(count * 64);
      expect(Table.fromBytes(bytes).toText()).to.have.length.above(count * 64);
    }
  });
});

describe("a message that points to the same data again and again", () => {
  const { Node } = parseLoosely(
    "struct Node { bits @0 :List(Bool); next @1 :List(Node); text @2 :Text; data @3 :Data; }",
  );

  /** A list of structs whose pointers of one field all lead to the same list of `size` with `count` elements. */
  const aliases = (field: number, times: number, encoding: number, count: number, contentWords: number): Uint8Array => {
    const bytes = new Uint8Array((1 + 4 + 1 + times * 4 + contentWords) * 8);
    const view = new DataView(bytes.buffer);
    const write = (word: number, low: number, high: number): void => {
      view.setInt32(word * 8, low, true);
      view.setUint32(word * 8 + 4, high >>> 0, true);
    };
    write(0, 0, 4 << 16);
    // next, the second pointer, leads to the list behind the root struct.
    write(2, (2 << 2) | 1, 7 | ((times * 4) << 3));
    write(5, times << 2, 4 << 16);
    const content = 6 + times * 4;
    for (let i = 0; i < times; i++) {
      const at = 6 + i * 4 + field;
      write(at, ((content - at - 1) << 2) | 1, encoding | (count << 3));
    }
    return bytes;
  };

  it("cannot make a plain object, JSON or text of more than a few values for each word that it is charged", () => {
    const segment = aliases(0, 100, 1, 64_000, 1000);
    const reader = () => readAs(Node, [segment], { traversalLimitInWords: 200_000 });
    // 6.4 million values are more than 8 for each word.
    withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => reader().toObject()), {
      cpuMs: 400,
      heapBytes: 32 << 20,
    });
    withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => JSON.stringify(reader())), {
      cpuMs: 400,
      heapBytes: 32 << 20,
    });
    withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => reader().toText()), {
      cpuMs: 400,
      heapBytes: 32 << 20,
    });
    expect(readAs(Node, [aliases(0, 2, 1, 64_000, 1000)]).toObject().next[1].bits).to.have.lengthOf(64_000);
  });

  it("is limited when it is copied, measured, compared and canonicalised", () => {
    const segment = aliases(3, 1000, 2, 80_000, 10_000);
    const limits = { traversalLimitInWords: 500_000 };
    const read = () => readAs(Node, [segment], limits);
    const most = { cpuMs: 100, bufferBytes: 16 << 20, heapBytes: 8 << 20 };
    withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => read().copy()), most);
    withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => read().totalSize), most);
    withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => canonicalize(read())), most);
    withinBudget(() => expect(isCanonical([segment], limits)).to.equal(false), most);
    withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => equals(read(), read())), most);
  });

  it("in a circle ends at the nesting limit, and in a tree that doubles at each level at the traversal limit", () => {
    const { Loop } = parseLoosely("struct Loop { a @0 :Loop; b @1 :Loop; }");
    const circle = words([0, 2 << 16], [-2 << 2, 2 << 16], [-3 << 2, 2 << 16]);
    // Both pointers of each of 40 structs lead to the next: 2^40 to visit.
    const halves: [number, number][] = [[0, 2 << 16]];
    for (let level = 1; level < 40; level++) halves.push([1 << 2, 2 << 16], [0, 2 << 16]);
    const tree = words(...halves, [0, 0], [0, 0]);
    for (const walk of [
      (reader: Loose) => reader.toObject(),
      (reader: Loose) => reader.toText(),
      (reader: Loose) => JSON.stringify(reader),
      (reader: Loose) => reader.copy(),
      (reader: Loose) => reader.totalSize,
      (reader: Loose) => canonicalize(reader),
      (reader: Loose) => equals(reader, reader.asReader()),
    ]) {
      withinBudget(() => expectError("CAPNP_NESTING_LIMIT", () => walk(readAs(Loop, [circle]))));
      const limited = () => readAs(Loop, [tree], { traversalLimitInWords: 10_000 });
      withinBudget(() => expectError("CAPNP_TRAVERSAL_LIMIT", () => walk(limited())), {
        heapBytes: 16 << 20,
        bufferBytes: 1 << 20,
      });
    }
  });
});
