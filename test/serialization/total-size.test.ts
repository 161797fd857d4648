import { expect } from "chai";
import fc from "fast-check";
import { arbitraryStruct } from "../support/arbitrary.ts";
import { expectError } from "../support/errors.ts";
import { loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");

describe("the total size of a struct", () => {
  it("is what a copy of it takes in one segment", () => {
    const property = fc.property(arbitraryStruct(AllTypes.schema, { depth: 3 }), (value) => {
      const scattered = AllTypes.newMessage(value, { firstSegmentWords: 1, allocation: "fixed" });
      const [copy, ...rest] = scattered.copy({ firstSegmentWords: 1 << 16 }).toSegmentViews();
      expect(rest).to.deep.equal([]);
      expect(scattered.totalSize).to.deep.equal({ wordCount: copy.length / 8 - 1, capCount: 0 });
    });
    fc.assert(property, { seed: 20260709, numRuns: 100 });
  });

  it("counts capability pointers", () => {
    const { Holder } = parseLoosely("interface Cap {} struct Holder { caps @0 :List(Cap); }");
    const message = words([0, 1 << 16], [1, 6 | (3 << 3)], [3, 0], [0, 0], [3, 1]);
    expect(readAs(Holder, [message]).totalSize).to.deep.equal({ wordCount: 4, capCount: 2 });
  });

  it("is charged and limited as reading is", () => {
    const { Loop } = parseLoosely("struct Loop { next @0 :Loop; list @1 :List(Loop); }");
    expectError("CAPNP_NESTING_LIMIT", () => readAs(Loop, [words([0, 1 << 16], [0xfffffffc, 1 << 16])]).totalSize);
    const manyEmpty = words([0, 2 << 16], [0, 0], [1, 7], [0x1fffffff << 2, 0]);
    expectError("CAPNP_TRAVERSAL_LIMIT", () => readAs(Loop, [manyEmpty]).totalSize);
  });
});
