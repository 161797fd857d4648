import { expect } from "chai";
import fc from "fast-check";
import { CapnpError } from "../../lib/errors.ts";
import { encodeFrame, frameHeader } from "../../lib/serialization/framing.ts";
import { pack, packPieces, unpack, unpackedSize } from "../../lib/serialization/packed.ts";
import { PackedReader } from "../../lib/serialization/packed-reader.ts";
import { expectError } from "../support/errors.ts";

const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replace(/\s/g, ""), "hex"));
const hex = (data: Uint8Array): string => Buffer.from(data).toString("hex");
const repeat = (part: string, times: number): string => part.repeat(times);

/** Runs of zero words, of words without zeros and of everything between, as messages have them. */
const wordArbitrary = fc.oneof(
  { weight: 3, arbitrary: fc.constant(new Uint8Array(8)) },
  { weight: 3, arbitrary: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((word) => word.map((byte) => byte | 1)) },
  {
    weight: 2,
    arbitrary: fc.array(fc.constantFrom(0, 0, 7), { minLength: 8, maxLength: 8 }).map((w) => new Uint8Array(w)),
  },
);
const segmentArbitrary = fc
  .array(fc.tuple(wordArbitrary, fc.constantFrom(1, 1, 2, 300)), { minLength: 1, maxLength: 6 })
  .map((runs) => new Uint8Array(Buffer.concat(runs.flatMap(([word, times]) => Array<Uint8Array>(times).fill(word)))));
const messageArbitrary = fc.array(segmentArbitrary, { minLength: 1, maxLength: 4 });

const packMessage = (segments: readonly Uint8Array[]): Uint8Array => packPieces([frameHeader(segments), ...segments]);

describe("packing", () => {
  // encoding.md, "Packing", and the limits of its run lengths
  const examples: readonly (readonly [what: string, plain: string, packed: string])[] = [
    ["nothing", "", ""],
    ["a zero word", repeat("00", 8), "0000"],
    ["zeros before, between and behind", "0000 0c00 0022 0000", "240c22"],
    ["a full word", "0103 0204 0506 0708", "ff 0103 0204 0506 0708 00"],
    ["zero words", repeat("00", 32), "0003"],
    ["256 zero words in one run", repeat("00", 8 * 256), "00ff"],
    ["257 zero words in two", repeat("00", 8 * 257), "00ff 0000"],
    ["full words", repeat("0807060504030201", 4), `ff 0807060504030201 03 ${repeat("0807060504030201", 3)}`],
    ["256 full words in one run", repeat(repeat("01", 8), 256), `ff ${repeat("01", 8)} ff ${repeat("01", 8 * 255)}`],
    [
      "a word with one zero among full ones",
      `${repeat("01", 8)} 0100${repeat("01", 6)}`,
      `ff ${repeat("01", 8)} 01 0100${repeat("01", 6)}`,
    ],
    [
      "a word with two zeros behind a full one",
      `${repeat("01", 8)} 010000${repeat("01", 5)}`,
      `ff ${repeat("01", 8)} 00 f9${repeat("01", 6)}`,
    ],
    ["the example of encoding.md", "08000000 03000200 19000000 aa010000", "51 08 03 02 31 19 aa 01"],
  ];
  for (const [what, plain, packed] of examples) {
    it(`packs and unpacks ${what}`, () => {
      expect(hex(pack(bytes(plain)))).to.equal(hex(bytes(packed)));
      expect(hex(unpack(bytes(packed)))).to.equal(hex(bytes(plain)));
    });
  }

  it("ends its runs where a piece ends", () => {
    const zeros = new Uint8Array(16);
    expect(hex(packPieces([zeros, zeros]))).to.equal("00010001");
  });

  it("takes whole words only", () => {
    expectError("CAPNP_RANGE", () => pack(new Uint8Array(9)), "9 bytes");
  });

  it("gives back what was packed, through pieces of any size", () => {
    const property = fc.property(
      fc.array(messageArbitrary, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 40 }),
      (messages, size) => {
        const packed = Buffer.concat(messages.map(packMessage));
        expect(hex(unpack(packed))).to.equal(hex(Buffer.concat(messages.map((one) => encodeFrame(one)))));
        const reader = new PackedReader();
        const read: string[] = [];
        for (let at = 0; at < packed.length; at += size) {
          reader.push(packed.subarray(at, at + size));
          for (let one = reader.next(); one !== undefined; one = reader.next()) read.push(hex(encodeFrame(one)));
        }
        reader.end();
        expect(read).to.deep.equal(messages.map((one) => hex(encodeFrame(one))));
      },
    );
    fc.assert(property, { seed: 20260705, numRuns: 150 });
  });
});

describe("packed data that ends too early", () => {
  const word = bytes("0100020003000400");
  const message = packMessage([new Uint8Array(Buffer.concat([word, new Uint8Array(80), new Uint8Array(48).fill(9)]))]);

  it("is refused wherever it ends", () => {
    for (let length = 1; length < message.length; length++) {
      const reader = new PackedReader();
      reader.push(message.subarray(0, length));
      expect(reader.next(), `of ${length} bytes`).to.equal(undefined);
      expectError("CAPNP_TRUNCATED", () => reader.end());
    }
  });

  it("is refused by unpack where it ends within a word or a run", () => {
    for (const cut of ["00", "ff", "ff01", "ff010203040506070801", "ff0102030405060708", "03", "0301"]) {
      expectError("CAPNP_TRUNCATED", () => unpack(bytes(cut)));
    }
  });

  it("ends cleanly between messages", () => {
    const reader = new PackedReader();
    reader.end();
    reader.push(message);
    expect(reader.next()).to.have.length(1);
    expect(reader.buffered).to.equal(0);
    expect(reader.next()).to.equal(undefined);
    reader.end();
  });
});

describe("packed data from an enemy", () => {
  it("is measured before anything is allocated for it", () => {
    const bomb = bytes(repeat("00ff", 40_000));
    expect(unpackedSize(bomb)).to.equal(40_000 * 2048);
    expectError("CAPNP_FRAME_TOO_LARGE", () => unpack(bomb), String(40_000 * 2048), "67108864");
    expect(unpack(bomb, { maxBytes: 40_000 * 2048 })).to.have.length(40_000 * 2048);
  });

  it("cannot become a message that is larger than the limit", () => {
    // One segment of 2^28 words, all of them zero.
    const reader = new PackedReader();
    reader.push(bytes(`80 10 ${repeat("00ff", 1000)}`));
    expectError("CAPNP_FRAME_TOO_LARGE", () => reader.next());
  });

  it("makes the reader allocate no more than what has come, whatever the header says", () => {
    const reader = new PackedReader({ maxFrameBytes: 2 ** 32 });
    // 2^28 words are promised, two have come.
    reader.push(bytes("80 10 01 01 01 01"));
    const before = process.memoryUsage().arrayBuffers;
    expect(reader.next()).to.equal(undefined);
    expect(process.memoryUsage().arrayBuffers - before).to.be.lessThan(1_000_000);
  });

  it("cannot let a run go on behind its message", () => {
    for (const run of ["00 02", `ff ${repeat("01", 8)} 01 ${repeat("01", 8)}`]) {
      const reader = new PackedReader();
      // A segment of one word, and a run of more.
      reader.push(bytes(`10 01 ${run}`));
      expectError("CAPNP_PACKED", () => reader.next(), "behind the end of its message");
    }
  });

  it("never does more than fail, whatever its bytes are", () => {
    const property = fc.property(fc.uint8Array({ maxLength: 200 }), (data) => {
      const reader = new PackedReader({ maxFrameBytes: 1 << 20 });
      try {
        reader.push(data);
        for (let one = reader.next(); one !== undefined; one = reader.next()) expect(one.length).to.be.greaterThan(0);
        reader.end();
        expect(unpack(data).length).to.be.greaterThanOrEqual(0);
      } catch (error) {
        expect(error).to.be.instanceOf(CapnpError);
      }
    });
    fc.assert(property, { seed: 20260706, numRuns: 2000 });
  });
});
