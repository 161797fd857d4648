import { expect } from "chai";
import { equals } from "../../lib/schema/equals.ts";
import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { readAs } from "../support/messages.ts";

const { Link } = parseLoosely("struct Link { next @0 :Link; value @1 :Int32; }");

/** A chain of so many structs, each the first pointer of the one before. */
const chain = (length: number): Uint8Array => {
  const bytes = new Uint8Array((1 + length * 2) * 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 1 | (1 << 16), true);
  for (let i = 0; i < length - 1; i++) {
    view.setInt32((2 + i * 2) * 8, 0, true);
    view.setUint32((2 + i * 2) * 8 + 4, 1 | (1 << 16), true);
  }
  return bytes;
};

const nested = (depth: number): object => {
  let value: object = {};
  for (let i = 0; i < depth; i++) value = { next: value };
  return value;
};

/** All that goes down a message to its end. */
const walks: Readonly<Record<string, (reader: Loose) => unknown>> = {
  "toObject()": (reader) => reader.toObject(),
  "JSON.stringify()": (reader) => JSON.stringify(reader),
  "copy()": (reader) => reader.copy(),
  totalSize: (reader) => reader.totalSize,
  "equals()": (reader) => equals(reader, reader),
  "canonicalize()": (reader) => canonicalize(reader),
  "isCanonical()": (reader) => isCanonical(reader.toSegmentViews(), { nestingLimit: 1_000_000 }),
  "newMessage()": () => Link.newMessage(nested(100_000)),
};

describe("a message that nests deeper than the call stack is high", () => {
  const read = (length: number): Loose => readAs(Link, [chain(length)], { nestingLimit: 1_000_000 });

  for (const [name, walk] of Object.entries(walks)) {
    it(`is an error that says so to ${name}, where the nesting limit was raised`, () => {
      expectError("CAPNP_NESTING_LIMIT", () => walk(read(100_000)), "call stack");
    });
  }

  it("is read level by level all the same, and one of a few hundred levels at once", () => {
    let at = read(100_000);
    for (let i = 1; i < 100_000; i++) at = at.next;
    expect(at.has("next")).to.equal(false);
    expect(JSON.stringify(read(300))).to.have.length.above(300 * 9);
    expect(equals(read(300), read(300).copy())).to.equal(true);
  });
});
