import { expect } from "chai";
import type { CapnpError } from "../../lib/errors.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { type MessageOracle, messageOracle, type Use } from "../interop/message-oracle.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";
import { AllTypes, withPointer } from "./hostile-messages.ts";

const { Note } = parseLoosely("struct Note { text @0 :Text; next @1 :Note; }");

const struct = (offset: number, data: number, pointers: number) => [offset << 2, data | (pointers << 16)] as const;
const far = (segment: number, word: number, double = false) => [2 | (double ? 4 : 0) | (word << 3), segment] as const;

/** Messages whose parts cost each what a rule of the traversal limit says. */
const messages: readonly (readonly [what: string, type: Loose, segments: readonly Uint8Array[]])[] = [
  ["an empty struct", Note, [words(struct(-1, 0, 0))]],
  [
    "structs in structs",
    Note,
    [words(struct(0, 0, 2), [0, 0], struct(0, 0, 2), [0, 0], struct(0, 3, 2), ...Array(5).fill([0, 0]))],
  ],
  ["text", Note, [Note.newMessage({ text: "twenty-one characters" }).toSegments()[0]]],
  [
    "data and lists of every size",
    AllTypes,
    AllTypes.newMessage({
      dataField: new Uint8Array(9),
      boolList: Array(65).fill(true),
      int8List: [1, 2, 3],
      int16List: [1, 2, 3, 4, 5],
      int32List: [1],
      int64List: [1n, 2n],
      textList: ["a", "", "nine chars"],
      structList: [{ textField: "x" }, {}],
      listList: [[1], [2, 3, 4, 5, 6]],
    }).toSegments(),
  ],
  ["a list of voids", AllTypes, [withPointer("voidList", [1, 1000 << 3])]],
  ["a list of structs without content", AllTypes, [withPointer("structList", [1, 7], [1000 << 2, 0])]],
  [
    "a list of structs with room to spare",
    AllTypes,
    [withPointer("structList", [1, 7 | (5 << 3)], [2 << 2, 1], ...Array(5).fill([0, 0]))],
  ],
  ["a far pointer", Note, [words(far(1, 0)), words(struct(0, 0, 2), [0, 0], [0, 0])]],
  ["a double-far pointer", Note, [words(far(1, 0, true)), words(far(2, 0), struct(0, 0, 2)), words([0, 0], [0, 0])]],
  [
    "many segments",
    AllTypes,
    AllTypes.newMessage(
      { structList: [{ textField: "x" }, { int64List: [1n] }], textList: ["a", "b"] },
      { firstSegmentWords: 1, allocation: "fixed" },
    ).toSegments(),
  ],
];

/** The least limit with which something succeeds. */
const leastLimit = async (succeeds: (limit: number) => boolean | Promise<boolean>): Promise<number> => {
  let [low, high] = [0, 1 << 16];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (await succeeds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
};

describe("the traversal limit", () => {
  let oracle: MessageOracle | undefined;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => oracle?.stop());

  const ours: Readonly<Partial<Record<Use, (reader: Loose) => unknown>>> = {
    // C++ is asked to measure before it copies.
    copy: (reader) => [reader.totalSize, reader.copy()],
    size: (reader) => reader.totalSize,
  };

  for (const [what, type, segments] of messages) {
    for (const [use, action] of Object.entries(ours) as [Use, (reader: Loose) => unknown][]) {
      it(`charges a ${use} of ${what} no less than C++ does`, async () => {
        const here = await leastLimit((traversalLimitInWords) => {
          try {
            action(readAs(type, segments, { traversalLimitInWords }));
            return true;
          } catch (error) {
            expect((error as CapnpError).code).to.equal("CAPNP_TRAVERSAL_LIMIT");
            return false;
          }
        });
        const schemas = await oracle!.load([...type.schema.universe.nodes()]);
        const there = await leastLimit(async (traversalLimitInWords) => {
          const limits = { traversalLimitInWords, nestingLimit: 64 };
          const outcomes = await oracle!.read({ schemas, id: type.schema.id }, encodeFrame(segments), limits);
          return "value" in outcomes[use];
        });
        // C++ counts the root pointer, and that twice. Elements without content cost it nothing where they are measured; and
        // a landing pad below the root costs ours twice, as it is asked first what it leads to.
        if (/voids|without content|segments/.test(what)) expect(here).to.be.at.least(there - 2);
        else expect(here).to.equal(there - 2);
      });
    }
  }
});
