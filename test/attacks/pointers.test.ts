import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { canonicalize } from "../../lib/serialization/canonical.ts";
import { withinBudget } from "../support/budget.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { readAs, segmentsOf, words } from "../support/messages.ts";
import { AllTypes, contentStart, expectRefusal, refusal, Shapes, withPointer } from "./hostile-messages.ts";

const most = 0x1fffffff;

const lists: string[] = AllTypes.schema.fields
  .filter(({ type }: Loose) => type.which === "list")
  .map(({ name }: Loose) => name);
const blobs = ["textField", "dataField"];

/** Struct pointer halves: words to skip, words of data, pointers. */
const struct = (offset: number, data: number, pointers: number) => [offset << 2, data | (pointers << 16)] as const;
/** A far pointer to a landing pad at a word of a segment. */
const far = (segment: number, word: number, double = false) => [2 | (double ? 4 : 0) | (word << 3), segment] as const;

const { Holder } = parseLoosely("struct Holder { next @0 :Holder; text @1 :Text; value @2 :UInt64; }");
const { Note } = parseLoosely("struct Note { text @0 :Text; }");

describe("a list pointer whose size is a lie", () => {
  // CVE-2015-2310
  it("is refused for every type of list and every element size of 2^29 - 1 elements", () => {
    const read = (): void => {
      for (const field of [...lists, ...blobs]) {
        for (let size = 0; size < 8; size++) {
          const segment = withPointer(field, [1, size | (most << 3)], [0, 0]);
          expectRefusal(
            () => readAs(AllTypes, [segment])[field],
            "CAPNP_OUT_OF_BOUNDS",
            "CAPNP_POINTER_KIND",
            "CAPNP_TRAVERSAL_LIMIT",
          );
        }
      }
    };
    withinBudget(read, { heapBytes: 8 * 1024 * 1024 });
  });

  // CVE-2015-2310
  it("is refused where count times element size wraps around 32 bits to something small", () => {
    for (const [size, count] of [
      [5, 0x10000000],
      [5, 0x10000001],
      [6, 0x10000000],
      [4, 0x10000000],
      [3, 0x10000000],
    ] as const) {
      const segment = withPointer("int64List", [1, (size | (count << 3)) >>> 0], [1, 0]);
      withinBudget(() => expectRefusal(() => readAs(AllTypes, [segment]).int64List, "CAPNP_OUT_OF_BOUNDS"));
    }
  });

  // CVE-2015-2310
  it("is refused where a list of structs has more words than its message", () => {
    for (const count of [2, 3, most - 1, most]) {
      const segment = withPointer("structList", [1, 7 | (count << 3)], [0, 1]);
      withinBudget(() => expectError("CAPNP_OUT_OF_BOUNDS", () => readAs(AllTypes, [segment]).structList));
    }
  });

  // CVE-2015-2310
  it("is refused where the elements of a list of structs overrun its words, also when their product overflows", () => {
    for (const [count, data, pointers] of [
      [2, 1, 0],
      [2, 0, 1],
      [0x1fffffff, 8, 0],
      [0x10000000, 0xffff, 0xffff],
      [0x3fffffff, 0xffff, 0xffff],
      [0x1fffffff, 4, 4],
    ] as const) {
      const segment = withPointer(
        "structList",
        [1, 7 | (1 << 3)],
        [(count << 2) >>> 0, data | (pointers << 16)],
        [0, 0],
      );
      withinBudget(() => expectError("CAPNP_OUT_OF_BOUNDS", () => readAs(AllTypes, [segment]).structList, "overrun"));
    }
  });

  it("is refused where the tag of a list of structs is not that of a struct", () => {
    for (const kind of [1, 2, 3]) {
      const segment = withPointer("structList", [1, 7 | (1 << 3)], [kind | 4, 1], [0, 0]);
      expectError("CAPNP_POINTER_KIND", () => readAs(AllTypes, [segment]).structList, "tag");
    }
  });
});

describe("a pointer with a hostile offset", () => {
  // capnproto PR #63: a large negative offset underflows the start of the segment
  it("is refused where it leads before the beginning of its segment, from the root or from within", () => {
    for (const offset of [-(2 ** 29), -(2 ** 29) + 1, -(2 ** 28), -65536, -100, -2]) {
      for (const low of [offset << 2, (offset << 2) | 1]) {
        const root = words([low, 1 | (1 << 16)], [0, 0]);
        withinBudget(() => expectRefusal(() => readAs(Holder, [root]), "CAPNP_OUT_OF_BOUNDS", "CAPNP_POINTER_KIND"));
      }
    }
    for (const offset of [-(2 ** 29), -(2 ** 29) + 1, -1000, -4]) {
      const nested = words(struct(0, 0, 2), [offset << 2, 1 | (1 << 16)], [(offset << 2) | 1, 2 | (8 << 3)], [0, 0]);
      const reader = readAs(Holder, [nested]);
      withinBudget(() => expectError("CAPNP_OUT_OF_BOUNDS", () => reader.next));
      withinBudget(() => expectError("CAPNP_OUT_OF_BOUNDS", () => reader.text));
    }
  });

  it("is refused where it leads behind the end", () => {
    for (const offset of [1, 2, 100, 2 ** 28, 2 ** 29 - 1]) {
      const root = words(struct(offset, 1, 0), [0, 0]);
      expectError("CAPNP_OUT_OF_BOUNDS", () => readAs(Holder, [root]));
    }
    // The last word is within; half of it is not a word.
    expect(readAs(Holder, [words(struct(0, 1, 0), [7, 0])]).value).to.equal(7n);
    expectError("CAPNP_OUT_OF_BOUNDS", () => readAs(Holder, [words(struct(0, 1, 0), [7, 0]).subarray(0, 15)]));
  });

  // capnproto-java issue 122 and capnproto-dlang issue 12: the check against the segment's end was missing or reversed.
  it("is refused where a struct reaches past its segment by one word, as other implementations let it", () => {
    for (let size = 2; size <= 0xffff; size = size * 2 + 1) {
      for (const pointer of [struct(0, size, 0), struct(0, 0, size), struct(-1, size, 1), struct(0, 1, size)]) {
        expectError("CAPNP_OUT_OF_BOUNDS", () => readAs(Holder, [words(pointer, [1, 0])]));
      }
    }
  });
});

describe("a far pointer of every evil shape", () => {
  const refused: readonly (readonly [what: string, ...segments: Uint8Array[]])[] = [
    // CVE-2017-7892: the offset times 8 wraps around 32 bits
    ["whose landing pad has the largest offset", words(far(0, most)), words([0, 0])],
    ["whose double landing pad has the largest offset", words(far(0, most, true)), words([0, 0])],
    ["into a segment that there is not", words(far(1, 0))],
    ["into segment 2^32 - 1", words(far(0xffffffff, 0))],
    ["whose landing pad begins at the end of its segment", words(far(1, 1)), words([0, 0])],
    ["whose double landing pad lies half behind the end", words(far(1, 0, true)), words(far(0, 0))],
    ["into an empty segment", words(far(1, 0)), words()],
    ["whose landing pad is a far pointer", words(far(1, 0)), words(far(0, 0))],
    ["whose landing pad is a double-far pointer", words(far(1, 0)), words(far(0, 0, true), struct(0, 0, 0))],
    ["to itself", words(far(0, 0))],
    ["to itself twice", words(far(0, 0, true), far(0, 0, true))],
    ["to one that leads back", words(far(1, 0)), words(far(0, 0))],
    ["whose double landing pad is no far pointer", words(far(1, 0, true)), words(struct(0, 1, 0), struct(0, 1, 0))],
    ["whose double landing pad is null", words(far(1, 0, true)), words([0, 0], struct(0, 1, 0))],
    ["whose tag is a far pointer", words(far(1, 0, true)), words(far(1, 0), far(1, 0))],
    ["whose tag is a capability", words(far(1, 0, true)), words(far(1, 0), [3, 0])],
    ["whose content lies in a segment that there is not", words(far(1, 0, true)), words(far(9, 0), struct(0, 1, 0))],
    ["whose content lies behind the end", words(far(1, 0, true)), words(far(1, 2), struct(0, 1, 0))],
    ["whose content has the largest offset", words(far(1, 0, true)), words(far(1, most), struct(0, 1, 0))],
    ["whose landing pad leads behind the end", words(far(1, 0)), words(struct(0, 1, 0))],
    ["whose landing pad leads before the beginning", words(far(1, 0)), words(struct(-2, 1, 0), [0, 0])],
    ["to a capability", words(far(1, 0)), words([3, 0])],
    ["to a list of structs", words(far(1, 0)), words([1, 7 | (most << 3)], [0, 0])],
  ];
  for (const [what, ...segments] of refused) {
    it(`is refused: ${what}`, () => {
      withinBudget(() => {
        expectRefusal(() => readAs(Holder, segments), "CAPNP_OUT_OF_BOUNDS", "CAPNP_POINTER_KIND");
      });
      // The same below the root, through everything that follows pointers.
      const [first, ...rest] = segments as [Uint8Array, ...Uint8Array[]];
      const inner = new Uint8Array(16 + first.length);
      inner.set(words(struct(0, 0, 1)));
      inner.set(first, 8);
      const reader = readAs(Holder, [inner, ...rest]);
      for (const use of [
        () => reader.toObject(),
        () => reader.toText(),
        () => reader.copy(),
        () => JSON.stringify(reader),
        () => canonicalize(reader),
        () => reader.totalSize,
      ]) {
        withinBudget(() => {
          try {
            use();
          } catch (error) {
            expect(error).to.be.instanceOf(CapnpError);
          }
        });
      }
    });
  }

  it("is followed where C++ follows it: to a landing pad of zeros, and by one that calls itself double", () => {
    expect(readAs(Holder, [words(far(1, 0)), words([0, 0])]).value).to.equal(0n);
    const double = [words(far(1, 0, true)), words(far(1, 2, true), struct(0, 1, 0), [9, 0])];
    expect(readAs(Holder, double).value).to.equal(9n);
  });

  it("costs a word of the traversal limit each time, so that a chain of lists of them has an end", () => {
    const reader = readAs(Holder, [words(struct(0, 0, 1), far(1, 0)), words(struct(-1, 0, 0))], {
      traversalLimitInWords: 11,
    });
    for (let i = 0; i < 10; i++) reader.next;
    expectError("CAPNP_TRAVERSAL_LIMIT", () => reader.next);
  });
});

describe("text from an enemy", () => {
  // CVE-2015-2311: a text of size 0 is one of size 2^32 - 1 after a copy
  const noBytes = words(struct(0, 0, 1), [1, 2], [0x4141, 0]);
  const noNul = words(struct(0, 0, 1), [1, 2 | (2 << 3)], [0x4141, 0]);
  const endless = words(struct(0, 0, 1), [1, (2 | (most << 3)) >>> 0], [0x4141, 0]);

  for (const [what, segment] of [
    ["of size 0", noBytes],
    ["without NUL", noNul],
  ] as const) {
    it(`${what} is refused by a reader, by a builder with a copy, by a set from another message and by every walk`, () => {
      const reader = readAs(Note, [segment]);
      const built = Note.newMessage();
      for (const use of [
        () => reader.text,
        () => reader.copy().text,
        () => {
          built.text = reader.text;
        },
        () => Note.newMessage(reader).text,
        () => reader.toObject(),
        () => JSON.stringify(reader),
        () => reader.toText(),
      ]) {
        withinBudget(() => expectError("CAPNP_TEXT", use));
      }
      expect(built.text).to.equal("");
    });
  }

  it("of 2^29 - 1 bytes is refused", () => {
    const reader = readAs(Note, [endless]);
    withinBudget(() => expectError("CAPNP_OUT_OF_BOUNDS", () => reader.text));
    withinBudget(() => expectError("CAPNP_OUT_OF_BOUNDS", () => reader.copy()));
  });

  it("with NUL inside is all of it, in readers, builders and copies", () => {
    const segment = words(struct(0, 0, 1), [1, 2 | (6 << 3)], [0x42004100, 0x0043]);
    const reader = readAs(Note, [segment]);
    const whole = "\0A\0BC";
    expect([
      reader.text,
      reader.copy().text,
      readAs(Note, segmentsOf(Note.newMessage({ text: reader.text }))).text,
    ]).to.deep.equal([whole, whole, whole]);
  });

  // protobufjs CVE-2026-44288
  it("in overlong or broken UTF-8 is refused, never replaced", () => {
    for (const bytes of [
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x80, 0xaf],
      [0xf0, 0x80, 0x80, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xff],
      [0x80],
      [0xe2, 0x82],
    ]) {
      for (const padding of [0, 60]) {
        const length = bytes.length + padding + 1;
        const content = new Uint8Array(Math.ceil(length / 8) * 8).fill(0x41, 0, padding);
        content.set(bytes, padding);
        const segment = new Uint8Array(16 + content.length);
        segment.set(words(struct(0, 0, 1), [1, 2 | (length << 3)]));
        segment.set(content, 16);
        expectError("CAPNP_TEXT", () => readAs(Note, [segment]).text, "UTF-8");
      }
    }
  });
});

describe("a list of one kind that is read as another", () => {
  const size = [0, 1, 1, 2, 4, 8, 8];

  it("gives what lies within the message or is refused, for every encoding read as every type", () => {
    for (const field of [...lists, ...blobs]) {
      for (let encoding = 0; encoding < 8; encoding++) {
        const content = Array.from({ length: 4 }, () => [0, 0] as const);
        const count = encoding === 7 ? 3 : Math.floor(24 / (size[encoding] || 24));
        const tag = encoding === 7 ? [[3 << 2, 1] as const] : [];
        const segment = withPointer(field, [1, encoding | (count << 3)], ...tag, ...content);
        try {
          const value = readAs(AllTypes, [segment])[field];
          for (const use of [
            () => String(value),
            () => (typeof value === "string" ? value : [...value]),
            () => readAs(AllTypes, [segment]).toObject({ defaults: true }),
            () => readAs(AllTypes, [segment]).toText(),
            () => AllTypes.newMessage({ [field]: value }).toBytes(),
            () => readAs(AllTypes, [segment]).copy()[field],
          ]) {
            use();
          }
        } catch (error) {
          expect(error, `${field} as ${encoding}`).to.be.instanceOf(CapnpError);
        }
      }
    }
  });

  // Shapes is a union whose structs could be mistaken for anything
  it("is a union with a tag of any value, of which unknown ones are numbers", () => {
    const known = Shapes.schema.unionFields.length;
    for (let tag = 0; tag <= 0xffff; tag++) {
      const data = Shapes.dataBytes / 8;
      const content = Array.from({ length: data + Shapes.pointerCount }, () => [0, 0] as const);
      const segment = words(struct(0, data, Shapes.pointerCount), ...content);
      new DataView(segment.buffer).setUint16(8 + Shapes.schema.body.discriminantOffset * 2, tag, true);
      const reader = readAs(Shapes, [segment]);
      const which = reader.which();
      if (tag < known) expect(which).to.be.a("string");
      else expect(which).to.equal(tag);
      if (tag < 12 || tag > 0xfff0) {
        reader.toObject();
        reader.toText();
        JSON.stringify(reader);
      }
    }
  });

  it("is an enum with any value, of which unknown ones are numbers", () => {
    const data = AllTypes.dataBytes / 8;
    const enumField = AllTypes.schema.field("enumField").offset as number;
    const content = Array.from({ length: data }, () => [0, 0] as const);
    const segment = words(struct(0, data, 0), ...content);
    const view = new DataView(segment.buffer);
    const names = ["red", "green", "blue"];
    for (let value = 0; value <= 0xffff; value++) {
      view.setUint16(8 + enumField * 2, value, true);
      expect(readAs(AllTypes, [segment]).enumField).to.equal(names[value] ?? value);
    }
    const reader = readAs(AllTypes, [segment]);
    expect(reader.toObject().enumField).to.equal(0xffff);
    expect(JSON.parse(JSON.stringify(reader)).enumField).to.equal(0xffff);
    expect(reader.copy().enumField).to.equal(0xffff);
  });

  it("says in its error what it found, and never more than a line of it", () => {
    const segment = withPointer("textField", [1, 5 | (1 << 3)], [0, 0]);
    const { message } = refusal(() => readAs(AllTypes, [segment]).textField);
    expect(message).to.include("element size 5").and.to.have.length.below(200);
    expect(contentStart).to.be.greaterThan(20);
  });
});
