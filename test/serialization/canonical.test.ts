import { expect } from "chai";
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

  it("does not exist for messages with capabilities", () => {
    const message = new MessageBuilder();
    const root = message.initRoot(Struct, 0, 1);
    const capability = { addRef: () => capability, release: () => undefined };
    setCapability(root._segment, root._data, capability);
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
  const verdicts: readonly (readonly [what: string, expected: boolean, ...segments: Uint8Array[]])[] = [
    ["accepts a null root", true, words([0, 0])],
    ["accepts an empty struct at offset -1", true, words(emptyStruct)],
    ["rejects an empty struct at any other offset", false, words(struct(0, 0, 2), [4, 0], struct(0, 1, 0), [1, 0])],
    ["rejects a message without segments", false],
    ["rejects a message of several segments", false, words([0, 0]), words([0, 0])],
    ["rejects words that nothing points to", false, words(struct(0, 1, 0), [1, 0], [0, 0])],
    ["rejects a gap", false, words(struct(1, 1, 0), [0, 0], [1, 0])],
    ["rejects trailing zero words of data", false, words(struct(0, 2, 0), [1, 0], [0, 0])],
    ["rejects trailing null pointers", false, words(struct(0, 1, 1), [1, 0], [0, 0])],
    ["rejects objects out of order", false, words(struct(0, 0, 2), struct(2, 1, 0), struct(0, 1, 0), [2, 0], [1, 0])],
    ["accepts them in order", true, words(struct(0, 0, 2), struct(1, 1, 0), struct(1, 1, 0), [2, 0], [1, 0])],
    ["accepts a list of structs without content", true, words(struct(0, 0, 1), list(0, 7, 0), [2 << 2, 0])],
    [
      "rejects a list of structs that claims more words than it has",
      false,
      words(struct(0, 0, 1), list(0, 7, 2), [1 << 2, 1], [1, 0], [0, 0]),
    ],
    ["rejects far pointers", false, words([2 | (1 << 3), 0], struct(0, 1, 0), [1, 0])],
  ];
  for (const [what, expected, ...segments] of verdicts) {
    it(what, () => {
      expect(isCanonical(segments)).to.equal(expected);
    });
  }

  it("throws what reading the message throws", () => {
    expectError("CAPNP_OUT_OF_BOUNDS", () => isCanonical([words(struct(0, 5, 0))]));
  });
});
