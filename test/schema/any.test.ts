import { expect } from "chai";
import { inspect } from "node:util";
import { toAnyStruct } from "../../lib/schema/any-struct.ts";
import { equals } from "../../lib/schema/equals.ts";
import { MessageBuilder } from "../../lib/schema/message-builder.ts";
import {
  fromBytes,
  fromSegments,
  readMultipleBytes,
  readMultipleBytesPacked,
  toBytes,
} from "../../lib/schema/message-io.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { canonicalize } from "../../lib/serialization/canonical.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { received, words } from "../support/messages.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");
const { Any, AnyOthers } = loadLoosely("test/fixtures/parity.capnp");

const filled = {
  int8Field: 5,
  textField: "foo",
  dataField: Uint8Array.of(98, 97, 114),
  structField: { textField: "baz" },
};
const lists = { boolList: [true, false, true], textList: ["plugh", "xyzzy"], structList: [{ textField: "1" }, {}] };

describe("what is of any type", () => {
  it("is printed without the message in which it lies", () => {
    const root = Any.newMessage();
    expect(inspect(root.pointer)).to.equal("[AnyPointer: null]");
    root.pointer.init(AllTypes).int8Field = 5;
    expect(inspect(root.pointer)).to.equal("[AnyPointer: struct]");
    expect(inspect(root.asReader())).to.equal("{ pointer: [AnyPointer: struct] }");
    expect(inspect(toAnyStruct(root))).to.equal("[AnyStruct: 0 bytes of data, 1 pointers]");
    const orphan = root.disown("pointer");
    expect(inspect(orphan)).to.equal("[Orphan: AnyPointer]");
    orphan.release();
    root.pointer.set([1, 2, 3], listOf("UInt32"));
    expect(inspect(root.pointer.as("AnyList"))).to.equal("[AnyList: 3 elements]");
  });

  it("is a struct, text, data or a list as which it can be set and read", () => {
    const root = Any.newMessage();
    root.pointer.init(AllTypes).textField = "foo";
    expect(root.pointer.as(AllTypes).textField).to.equal("foo");
    expect(root.asReader().pointer.as(AllTypes).textField).to.equal("foo");
    for (const [type, value] of [
      ["Text", "foo"],
      ["Data", Uint8Array.of(1, 2)],
      [listOf("UInt32"), [123, 456, 789]],
      [listOf("Text"), ["foo", "bar"]],
    ] as const) {
      root.pointer.set(value, type);
      for (const side of [root, root.asReader(), received(root)]) {
        const read = side.pointer.as(type);
        expect(Array.isArray(value) ? [...read] : read).to.deep.equal(value);
      }
    }
    root.pointer.init(listOf(AllTypes), 2)[0].textField = "first";
    expect(
      received(root)
        .pointer.as(listOf(AllTypes))
        .map((one: Loose) => one.textField),
    ).to.deep.equal(["first", ""]);
  });

  it("has a data section and pointers where it is a struct, in readers and builders", () => {
    const root = Any.newMessage();
    root.pointer.set({ ...filled, ...lists }, AllTypes);
    const size = [AllTypes.dataBytes, AllTypes.pointerCount];
    const built = root.pointer.as("AnyStruct");
    const read = received(root).pointer.as("AnyStruct");
    for (const struct of [built, built.asReader(), read, toAnyStruct(root.pointer.as(AllTypes))]) {
      expect([struct.dataSection.length, struct.pointerSection.length]).to.deep.equal(size);
      expect(struct.pointerSection[0].as("Text")).to.equal("foo");
      expect(struct.pointerSection[1].as("Data")).to.deep.equal(filled.dataField);
      expect(struct.pointerSection[2].as(AllTypes).textField).to.equal("baz");
    }
    const struct = built.as(AllTypes);
    struct.int32Field = 100;
    expect([built.asReader().as(AllTypes).int32Field, root.pointer.as(AllTypes).int32Field]).to.deep.equal([100, 100]);

    const copy = Any.newMessage();
    const made = copy.pointer.initAnyStruct(size[0]! / 8, size[1]!);
    made.dataSection.set(read.dataSection);
    made.pointerSection[0].set(read.pointerSection[0]);
    expect(received(copy).pointer.as(AllTypes).toObject()).to.deep.include({ int8Field: 5, textField: "foo" });
  });

  it("is seen as a struct of a type only where there is room for that to be built", () => {
    const root = Any.newMessage();
    const small = root.pointer.initAnyStruct(1, 0);
    expectError("CAPNP_TYPE", () => small.as(AllTypes), "makes room");
    expect(small.asReader().as(AllTypes).textField, "reading needs no room").to.equal("");
    expect(root.pointer.as(AllTypes).textField).to.equal("");
    expectError("CAPNP_RANGE", () => root.pointer.initAnyStruct(-1, 0), "65535");
    expectError("CAPNP_TYPE", () => root.pointer.init("AnyStruct"), "initAnyStruct");
    expectError("CAPNP_TYPE", () => root.pointer.as("AnyStruct").as("Text"), "struct class");
  });

  it("has a length, a size of elements and structs where it is a list", () => {
    const root = Any.newMessage();
    root.pointer.init(listOf(AllTypes), 2)[0].textField = "foo";
    for (const list of [root.pointer.as("AnyList"), received(root).pointer.as("AnyList")]) {
      expect([list.length, list.elementSize, list.structs.length]).to.deep.equal([2, "inlineComposite", 2]);
      const [first] = list.structs;
      expect(first.dataSection).to.have.length(AllTypes.dataBytes);
      expect(first.pointerSection).to.have.length(AllTypes.pointerCount);
      expect(first.as(AllTypes).textField).to.equal("foo");
      expect(list.as(listOf(AllTypes))[0].textField).to.equal("foo");
    }
    expect(root.pointer.as(listOf("AnyStruct"))[0].pointerSection[0].as("Text")).to.equal("foo");
    for (const [type, values, size] of [
      ["Void", [null, null], "void"],
      ["Bool", [true], "bit"],
      ["Int8", [1], "byte"],
      ["Int16", [1], "twoBytes"],
      ["Float32", [1], "fourBytes"],
      ["UInt64", [1n], "eightBytes"],
      ["Text", ["a"], "pointer"],
    ] as const) {
      root.pointer.set(values, listOf(type));
      const list = received(root).pointer.as("AnyList");
      expect([list.elementSize, [...list.as(listOf(type))]]).to.deep.equal([size, values]);
      if (size === "bit") expectError("CAPNP_POINTER_KIND", () => list.structs, "bit list");
      else expect(list.structs).to.have.length(values.length);
    }
    root.pointer.clear();
    expect([root.pointer.as("AnyList").length, root.pointer.as("AnyList").structs.length]).to.deep.equal([0, 0]);
  });

  it("stands in fields of the types AnyStruct, AnyList and Capability", () => {
    const root = AnyOthers.newMessage();
    root.anyStruct.init(AllTypes).textField = "foo";
    root.anyList.set([123, 456, 789], listOf("Int32"));
    expect(received(root).anyStruct.as("AnyStruct").as(AllTypes).textField).to.equal("foo");
    expect([...received(root).anyList.as("AnyList").as(listOf("Int32"))]).to.deep.equal([123, 456, 789]);
    const again = AnyOthers.newMessage();
    again.anyStruct = received(root).anyStruct.as("AnyStruct");
    again.anyList = received(root).anyList.as("AnyList");
    expect(equals(again, root)).to.equal(true);
    expect(root.capability).to.equal(null);
  });

  it("takes structs and lists of any message where its type is AnyStruct or AnyList, null, and nothing else", () => {
    const root = Any.newMessage();
    const struct = AllTypes.newMessage({ int8Field: 5, int32List: [1, 2], textList: ["a"] });
    root.pointer.set(struct, "AnyStruct");
    expect(received(root).pointer.as("AnyStruct").as(AllTypes).int8Field).to.equal(5);
    expectError("CAPNP_TYPE", () => root.pointer.set("text", "AnyStruct"), "a struct");
    for (const list of [struct.int32List, struct.textList]) {
      root.pointer.set(list, "AnyList");
      expect(received(root).pointer.as("AnyList").length).to.equal(list.length);
    }
    expectError("CAPNP_TYPE", () => root.pointer.set([1, 2], "AnyList"), "a list of a message");
    expectError("CAPNP_TYPE", () => root.pointer.init("AnyList", 1), 'listOf("UInt32")');
    for (const type of ["AnyStruct", "AnyList"]) {
      root.pointer.set(null, type);
      expect(root.pointer.isNull).to.equal(true);
    }
  });

  it("has elements that are replaced by structs of any type, and by nothing else", () => {
    const root = Any.newMessage();
    root.pointer.init(listOf(AllTypes), 2)[0].textField = "old";
    const list = root.pointer.as(listOf("AnyStruct"));
    list.set(0, AllTypes.newMessage({ textField: "new" }));
    expect(received(root).pointer.as(listOf(AllTypes))[0].textField).to.equal("new");
    expectError("CAPNP_TYPE", () => list.set(1, { textField: "?" }), "List(AnyStruct)");
    const reader = received(root).pointer.as("AnyList");
    expect(reader.asReader()).to.equal(reader);
    const [first] = reader.structs;
    expect(first.asReader()).to.equal(first);
  });

  it("keeps its place when it is asked for its kind", () => {
    const message = new MessageBuilder({ firstSegmentWords: 1 });
    message.setRoot({ ...filled, ...lists }, AllTypes);
    message.initRoot(AllTypes as object);
    expect(message.root.kind).to.equal("struct");
    message.initRoot("Data", 1);
    expect(message.root.as("Data")).to.deep.equal(Uint8Array.of(0));
    expect(fromBytes("AnyPointer", message.toBytes()).as("Data")).to.deep.equal(Uint8Array.of(0));
  });

  it("is equal where every bit and everything that it leads to is", () => {
    const [a, b] = [0, 1].map(() => {
      const message = Any.newMessage();
      message.pointer.set({ ...filled, ...lists }, AllTypes);
      return message;
    }) as [Loose, Loose];
    const changes: ((one: Loose) => void)[] = [
      (one) => {
        one.boolField = true;
      },
      (one) => {
        one.enumField = "blue";
      },
      (one) => {
        one.structField.textField = "buzz";
      },
      (one) => {
        one.init("voidList", 3);
      },
      (one) => {
        one.boolList[1] = true;
      },
      (one) => {
        one.structList[1].textField = "new";
      },
    ];
    expect(equals(a.pointer, b.pointer)).to.equal(true);
    for (const change of changes) {
      change(a.pointer.as(AllTypes));
      expect(equals(a.pointer, b.pointer)).to.equal(false);
      expect(equals(a.pointer.as("AnyStruct"), received(b).pointer.as("AnyStruct"))).to.equal(false);
      change(b.pointer.as(AllTypes));
      expect(equals(a.pointer, b.pointer)).to.equal(true);
      expect(equals(a.pointer.as("AnyStruct"), received(b).pointer.as("AnyStruct"))).to.equal(true);
    }
  });

  it("is equal where bits behind the end of a list of Bool differ, which are part of no value", () => {
    const bools = (last: number) =>
      fromSegments("AnyPointer", [words([1, 1 | (11 << 3)], [0xee | (last << 8), 0])]).as("AnyList");
    expect(equals(bools(0x7), bools(0xff))).to.equal(true);
    expect(equals(bools(0x7), bools(0x5))).to.equal(false);
  });

  it("differs where one list is of pointers and the other of structs", () => {
    const pointers = words([1, 6 | (1 << 3)], [0, 0]);
    const structs = words([1, 7 | (1 << 3)], [1 << 2, 1 << 16], [0, 0]);
    const [a, b] = [pointers, structs].map((segment) => fromSegments("AnyPointer", [segment]).as("AnyList"));
    expect(equals(a, b)).to.equal(false);
    expect(equals(a, a)).to.equal(true);
  });

  it("differs where a pointer that is not null is cut off, and not where a null one is", () => {
    // A struct with one pointer, to a struct without content; a struct with a null one; one without any.
    const [full, empty, none] = [words([0, 1 << 16], [-4, 0]), words([0, 1 << 16], [0, 0]), words([-4, 0])].map(
      (segment) => fromSegments("AnyStruct", [segment]),
    ) as [Loose, Loose, Loose];
    expect(equals(full, none)).to.equal(false);
    expect(equals(empty, none)).to.equal(true);
  });

  it("is unknown to be equal where that depends on capabilities", () => {
    const { capability } = { capability: { addRef: () => capability, release: () => undefined } };
    const [a, b] = [0, 1].map(() => {
      const message = Any.newMessage();
      const { $segment: segment, $position: position } = message.pointer;
      segment.view.setInt32(position, 3, true);
      segment.view.setInt32(position + 4, segment.arena.capTable.add({ ...capability }), true);
      return message;
    }) as [Loose, Loose];
    expect(equals(a.pointer, b.pointer)).to.equal(undefined);
    expect(equals(a.pointer, a.pointer)).to.equal(true);
    expect(equals(toAnyStruct(a), toAnyStruct(b))).to.equal(undefined);
  });

  it("may be the root of messages of several types in one stream", () => {
    const people = AllTypes.newMessage({ textField: "a struct" });
    const text = new MessageBuilder();
    text.setRoot("a text");
    const numbers = new MessageBuilder();
    numbers.setRoot([1, 2, 3], listOf("Int16") as Loose);
    const all = [people, text, numbers];
    const check = (roots: Loose[]): void => {
      expect(roots.map((one) => one.kind)).to.deep.equal(["struct", "list", "list"]);
      expect(roots[0].as(AllTypes).textField).to.equal("a struct");
      expect(roots[1].as("Text")).to.equal("a text");
      expect([...roots[2].as(listOf("Int16"))]).to.deep.equal([1, 2, 3]);
      expect(Buffer.from(toBytes(roots[1])).equals(text.toBytes())).to.equal(true);
    };
    check([...readMultipleBytes("AnyPointer", Buffer.concat(all.map((one) => one.toBytes())))]);
    check([...readMultipleBytesPacked("AnyPointer", Buffer.concat(all.map((one) => one.toBytesPacked())))]);
    expect([...readMultipleBytesPacked("AnyPointer", new Uint8Array(0))]).to.deep.equal([]);
  });

  it("is written as a message of its own from wherever it lies", () => {
    const root = Any.newMessage();
    root.pointer.set(filled, AllTypes);
    const written = AllTypes.fromBytes(toBytes(root.pointer));
    expect(equals(written, root.pointer.as(AllTypes))).to.equal(true);
    const struct = root.pointer.as("AnyStruct");
    expect(Buffer.from(canonicalize(AllTypes.fromBytes(toBytes(struct)))).equals(canonicalize(struct))).to.equal(true);
    expect(struct.totalSize).to.deep.equal(root.pointer.totalSize);
  });
});
