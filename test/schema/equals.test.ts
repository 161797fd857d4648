import { expect } from "chai";
import fc from "fast-check";
import { canonicalize } from "../../lib/serialization/canonical.ts";
import { equals } from "../../lib/schema/equals.ts";
import { arbitraryStruct } from "../support/arbitrary.ts";
import { expectError } from "../support/errors.ts";
import { loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, received, words } from "../support/messages.ts";

const { AllTypes, Shapes, Old, New } = loadLoosely("test/fixtures/all-types.capnp");

describe("equals", () => {
  it("looks at content, not at where it lies or how much room it has", () => {
    const values = { textField: "t", structList: [{ int8Field: 1 }, { textList: ["x"] }], boolList: [true, false] };
    const a = AllTypes.newMessage(values);
    const b = AllTypes.newMessage(values, { firstSegmentWords: 1, allocation: "fixed" });
    expect(equals(a, b)).to.equal(true);
    expect(equals(received(a), b)).to.equal(true);
    expect(equals(Old.newMessage({ a: 1, t: "t" }), New.newMessage({ a: 1, t: "t" }))).to.equal(true);
    expect(equals(a.structList, b.structList)).to.equal(true);
    expect(equals(a.boolList, b.boolList)).to.equal(true);
  });

  it("agrees with the canonical form", () => {
    const message = arbitraryStruct(AllTypes.schema, { depth: 2 }).map((value) => AllTypes.newMessage(value));
    const property = fc.property(message, message, (a, b) => {
      expect(equals(a, AllTypes.newMessage(a))).to.equal(true);
      expect(equals(a, b)).to.equal(Buffer.compare(canonicalize(a), canonicalize(b)) === 0);
    });
    fc.assert(property, { seed: 20260707, numRuns: 100 });
  });

  it("finds every difference", () => {
    const base = { int8Field: 1, textField: "t", structList: [{ int8Field: 1 }], int16List: [1, 2], boolList: [true] };
    const message = AllTypes.newMessage(base);
    for (const change of [
      { int8Field: 2 },
      { uInt64Field: 1n },
      { textField: "T" },
      { textField: null },
      { dataField: new Uint8Array(0) },
      { structList: [{ int8Field: 2 }] },
      { structList: [] },
      { int16List: [1, 3] },
      { int16List: [1] },
      { boolList: [false] },
    ]) {
      expect(
        equals(message, AllTypes.newMessage({ ...base, ...change })),
        JSON.stringify(Object.keys(change)),
      ).to.equal(false);
    }
  });

  it("compares of a group the group alone", () => {
    const a = Shapes.newMessage({ label: "a", place: { x: 1, name: "n" } });
    const b = Shapes.newMessage({ label: "b", place: { x: 1, name: "n" } });
    expect([equals(a, b), equals(a.place, b.place)]).to.deep.equal([false, true]);
  });

  it("cannot tell where it depends on capabilities, unless they are the same or something else differs", () => {
    const { Holder } = parseLoosely("interface Cap {} struct Holder { n @0 :Int8; cap @1 :Cap; t @2 :Text; }");
    const holder = (n: number) => {
      const message = readAs(Holder, [words([0, 1 | (2 << 16)], [n, 0], [3, 0], [0, 0])]);
      const capability = { addRef: () => capability, release: () => undefined };
      message.$segment.arena.capTable.add(capability);
      return message;
    };
    const one = holder(1);
    expect(equals(one, one)).to.equal(true);
    expect(equals(one, holder(1))).to.equal(undefined);
    expect(equals(one, holder(2))).to.equal(false);
    expect(equals(one, Holder.newMessage({ n: 1 }))).to.equal(false);
  });

  it("is limited by the reader's limits", () => {
    const cycle = words([0, 1 << 16], [0xfffffffc, 1 << 16]);
    const { Loop } = parseLoosely("struct Loop { next @0 :Loop; }");
    expectError("CAPNP_NESTING_LIMIT", () => equals(readAs(Loop, [cycle]), readAs(Loop, [cycle])));
  });
});
