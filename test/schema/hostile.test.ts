import { expect } from "chai";
import fc from "fast-check";
import { CapnpError } from "../../lib/errors.ts";
import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { equals } from "../../lib/schema/equals.ts";
import { totalSize } from "../../lib/schema/operations.ts";
import { arbitraryStruct } from "../support/arbitrary.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");

/** All that walks over a whole message. */
const walks: Readonly<Record<string, (message: Loose) => unknown>> = {
  toText: (message) => message.toText({ pretty: true }),
  toJSON: (message) => JSON.stringify(message),
  toObject: (message) => message.toObject(),
  canonicalize,
  isCanonical: (message) => isCanonical(message.toSegmentViews(), limits),
  equals: (message) => equals(message, message),
  totalSize,
  copy: (message) => message.copy(),
  toBytes: (message) => message.structField.toBytes(),
};
const limits = { traversalLimitInWords: 4096, nestingLimit: 20 };

describe("a message from an enemy", () => {
  for (const [name, walk] of Object.entries(walks)) {
    it(`makes ${name} fail at worst`, () => {
      const damage = fc.array(fc.tuple(fc.nat(), fc.nat(0xff)), { minLength: 1, maxLength: 6 });
      let failures = 0;
      const property = fc.property(arbitraryStruct(AllTypes.schema, { depth: 2 }), damage, (value, changes) => {
        const segments: Uint8Array[] = AllTypes.newMessage(value).toSegments();
        const [bytes] = segments;
        // Most of a message is data: the first words, where the pointers are, are hit most often.
        for (const [at, byte] of changes)
          bytes![at % (at % 3 === 0 ? bytes!.length : Math.min(280, bytes!.length))] = byte;
        try {
          walk(AllTypes.fromSegments(segments, limits));
        } catch (error) {
          expect(error).to.be.instanceOf(CapnpError);
          failures++;
        }
      });
      fc.assert(property, { seed: 20260708, numRuns: 500 });
      expect(failures).to.be.greaterThan(50);
    }).timeout(30_000);
  }
});
