import { expect } from "chai";
import { listOf } from "../../lib/schema/type-argument.ts";
import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { MessageBuilder, MessageReader } from "../../lib/serialization/message.ts";
import { setCapability } from "../../lib/serialization/pointer-builder.ts";
import { Struct } from "../../lib/serialization/struct.ts";
import { expectError } from "../support/errors.ts";
import { loadLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";

const { AllTypes, Defaults, Old, New } = loadLoosely("test/fixtures/all-types.capnp");
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");
const canonicalOf = (...segments: Uint8Array[]): string => hex(canonicalize(new MessageReader(segments).root(Struct)));

/** Halves of a struct pointer: words to skip, words of data, pointers. */
const struct = (offset: number, data: number, pointers: number) => [offset << 2, data | (pointers << 16)] as const;
const list = (offset: number, size: number, count: number) => [(offset << 2) | 1, size | (count << 3)] as const;
const emptyStruct = [0xfffffffc, 0] as const;

describe("the canonical form", () => {
  it("is one segment in preorder, and canonical", () => {
    const scattered = AllTypes.newMessage(
      {
        int64Field: 5n,
        structList: [{ textField: "b", int8Field: 1 }, { dataField: new Uint8Array([1]) }],
        boolList: [true, false, true],
        listList: [[1], [2, 3]],
        structField: { textField: "a" },
      },
      { firstSegmentWords: 1, allocation: "fixed" },
    );
    const form = canonicalize(scattered);
    expect(isCanonical([form])).to.equal(true);
    expect(scattered.toSegments().length).to.be.greaterThan(3);
    expect(isCanonical(scattered.toSegments())).to.equal(false);
    expect(hex(canonicalize(readAs(AllTypes, [form])))).to.equal(hex(form));
    expect(readAs(AllTypes, [form]).toObject()).to.deep.equal(scattered.toObject());
  });

  it("is the same whatever room a schema gives and whatever else lies in the message", () => {
    const small = Old.newMessage({ a: 1, t: "t" });
    const large = New.newMessage({ a: 1, t: "t" });
    large.s = "x";
    large.s = null;
    expect(hex(canonicalize(large))).to.equal(hex(canonicalize(small)));
  });

  it("of a struct without content is a pointer that leads nowhere", () => {
    expect(canonicalOf(words([0, 0]))).to.equal(hex(words(emptyStruct)));
    expect(canonicalOf(words(struct(0, 1, 1), [0, 0], [0, 0]))).to.equal(hex(words(emptyStruct)));
    expect(hex(canonicalize(Defaults.newMessage()))).to.equal(hex(words(emptyStruct)));
  });

  it("leaves out trailing zeros of a list's structs as far as every element allows", () => {
    const message = words(
      struct(0, 0, 1),
      list(0, 7, 6),
      [2 << 2, 2 | (1 << 16)],
      [1, 0],
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
      [0, 0],
    );
    expect(canonicalOf(message)).to.equal(hex(words(struct(0, 0, 1), list(0, 7, 2), [2 << 2, 1], [1, 0], [0, 0])));
  });

  it("keeps the encoding of a list that is not of structs", () => {
    const message = words(struct(0, 0, 1), list(0, 4, 3), [1, 2], [3, 0]);
    expect(canonicalOf(message)).to.equal(hex(message));
    expect(isCanonical([message])).to.equal(true);
  });

  it("clears bits behind the end of a list of Bool", () => {
    expect(canonicalOf(words(struct(0, 0, 1), list(0, 1, 3), [0xff, 0]))).to.equal(
      hex(words(struct(0, 0, 1), list(0, 1, 3), [0x07, 0])),
    );
  });

  it("keeps a word of data of which only the highest bit is set, in a struct and in a list of structs", () => {
    for (const message of [
      words(struct(0, 2, 0), [1, 0], [0, 0x80000000]),
      words(struct(0, 0, 1), list(0, 7, 2), [1 << 2, 2], [0, 0], [0, 0x80000000]),
    ]) {
      expect(isCanonical([message])).to.equal(true);
      expect(canonicalOf(message)).to.equal(hex(message));
    }
  });

  it("is found for a list of values that is read as one of structs", () => {
    const { Any, Lists } = loadLoosely("test/fixtures/parity.capnp");
    const message = Any.newMessage();
    message.pointer.set([1, 2, 3], listOf("UInt8"));
    expect(message.asReader().pointer.as(listOf(Lists.Of8))[2].f).to.equal(3);
    const root = message.asReader();
    const structs = Any.newMessage();
    structs.pointer.set(root.pointer.as(listOf(Lists.Wide8)), listOf(Lists.Wide8));
    for (const one of [root, structs.asReader()]) {
      const form = canonicalize(one);
      expect(isCanonical([form])).to.equal(true);
      expect(
        readAs(Any, [form])
          .pointer.as(listOf(Lists.Wide8))
          .map((item: { f: number }) => item.f),
      ).to.deep.equal([1, 2, 3]);
    }
  });

  it("does not exist for messages with capabilities", () => {
    const message = new MessageBuilder();
    const root = message.initRoot(Struct, 0, 1);
    const capability = { addRef: () => capability, release: () => undefined };
    setCapability(root.$segment, root.$data, capability);
    expectError("CAPNP_POINTER_KIND", () => canonicalize(root), "capabilities");
    expect(isCanonical(message.segments())).to.equal(false);
  });

  it("is limited by the reader's limits", () => {
    const zeroSized = words(struct(0, 0, 1), list(0, 7, 0), [0x1fffffff << 2, 0]);
    const root = new MessageReader([zeroSized]).root(Struct);
    expectError("CAPNP_TRAVERSAL_LIMIT", () => canonicalize(root));
    expectError("CAPNP_TRAVERSAL_LIMIT", () => isCanonical([zeroSized]));
    const cycle = words(struct(0, 0, 1), struct(-1, 0, 1));
    expectError("CAPNP_NESTING_LIMIT", () => canonicalize(new MessageReader([cycle]).root(Struct)));
  });
});

describe("isCanonical", () => {
  const verdict = (...segments: Uint8Array[]): boolean => isCanonical(segments);

  it("accepts a null root", () => {
    expect(verdict(words([0, 0]))).to.equal(true);
  });

  it("accepts an empty struct at offset -1", () => {
    expect(verdict(words(emptyStruct))).to.equal(true);
  });

  it("rejects an empty struct at any other offset", () => {
    expect(verdict(words(struct(0, 0, 2), [4, 0], struct(0, 1, 0), [1, 0]))).to.equal(false);
  });

  it("rejects a message without segments", () => {
    expect(verdict()).to.equal(false);
  });

  it("rejects a message of several segments", () => {
    expect(verdict(words([0, 0]), words([0, 0]))).to.equal(false);
  });

  it("rejects words that nothing points to", () => {
    expect(verdict(words(struct(0, 1, 0), [1, 0], [0, 0]))).to.equal(false);
  });

  it("rejects a gap", () => {
    expect(verdict(words(struct(1, 1, 0), [0, 0], [1, 0]))).to.equal(false);
  });

  it("rejects trailing zero words of data", () => {
    expect(verdict(words(struct(0, 2, 0), [1, 0], [0, 0]))).to.equal(false);
  });

  it("rejects trailing null pointers", () => {
    expect(verdict(words(struct(0, 1, 1), [1, 0], [0, 0]))).to.equal(false);
  });

  it("rejects objects out of order", () => {
    expect(verdict(words(struct(0, 0, 2), struct(2, 1, 0), struct(0, 1, 0), [2, 0], [1, 0]))).to.equal(false);
  });

  it("accepts them in order", () => {
    expect(verdict(words(struct(0, 0, 2), struct(1, 1, 0), struct(1, 1, 0), [2, 0], [1, 0]))).to.equal(true);
  });

  it("accepts a list of structs without content", () => {
    expect(verdict(words(struct(0, 0, 1), list(0, 7, 0), [2 << 2, 0]))).to.equal(true);
  });

  it("rejects a list of structs that claims more words than it has", () => {
    expect(verdict(words(struct(0, 0, 1), list(0, 7, 2), [1 << 2, 1], [1, 0], [0, 0]))).to.equal(false);
  });

  it("rejects far pointers", () => {
    expect(verdict(words([2 | (1 << 3), 0], struct(0, 1, 0), [1, 0]))).to.equal(false);
  });

  it("rejects a list of small values with bits behind its end, and one of Bool", () => {
    expect(verdict(words(struct(0, 0, 1), list(0, 2, 3), [0x030201, 0]))).to.equal(true);
    expect(verdict(words(struct(0, 0, 1), list(0, 2, 3), [0x01030201, 0]))).to.equal(false);
    expect(verdict(words(struct(0, 0, 1), list(0, 1, 11), [0x7ee, 0]))).to.equal(true);
    expect(verdict(words(struct(0, 0, 1), list(0, 1, 11), [0x8ee, 0]))).to.equal(false);
  });

  it("rejects trailing zeros that all structs of a list have, and accepts those that one of them needs", () => {
    const structs = (...last: [number, number]) =>
      words(struct(0, 0, 1), list(0, 7, 4), [2 << 2, 2], [1, 0], [0, 0], [2, 0], last);
    expect(verdict(structs(0, 0))).to.equal(false);
    expect(verdict(structs(0, 0x80000000))).to.equal(true);
    const pointers = (...last: [number, number]) =>
      words(struct(0, 0, 1), list(0, 7, 2), [2 << 2, 1 << 16], [0, 0], last);
    expect(verdict(pointers(0, 0))).to.equal(false);
    expect(verdict(pointers(-4, 0))).to.equal(true);
  });

  it("accepts a pointer to a struct without content, which is not null", () => {
    const message = words(struct(0, 0, 1), emptyStruct);
    expect(verdict(message)).to.equal(true);
    expect(canonicalOf(message)).to.equal(hex(message));
  });

  it("throws what reading the message throws", () => {
    expectError("CAPNP_OUT_OF_BOUNDS", () => isCanonical([words(struct(0, 5, 0))]));
  });
});
