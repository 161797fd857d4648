import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { pack, unpack } from "../../lib/serialization/packed.ts";
import { equals } from "../../lib/schema/equals.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import type { StructSchema } from "../../lib/schema/schema.ts";
import type { StructBase, StructBuilder } from "../../lib/schema/struct-base.ts";
import { toText } from "../../lib/schema/text.ts";
import type { Loose } from "../support/loose.ts";
import { readAs, segmentsOf } from "../support/messages.ts";
import { Random } from "../support/random-schema/random.ts";
import { randomUniverse } from "../support/random-value/random-universe.ts";
import { built, missingIn, type Plain, randomStruct } from "../support/random-value/random-value.ts";
import { attempt } from "../support/use-schemas.ts";
import { compareUses, fail, hex, same } from "./compare-uses.ts";
import { dumpOf } from "./message-dump.ts";
import { type Allocation, defaultLimits, type MessageOracle, type Mutation, type TypeThere } from "./message-oracle.ts";

/** What a run checked. */
export interface MessageCounts {
  schemas: number;
  messages: number;
  /** Messages in more than one segment, and double-far pointers in them: built here, and built by C++. */
  oursScattered: number;
  theirsScattered: number;
  doubleFars: number;
  theirDoubleFars: number;
  /** Messages whose text C++ cannot print, as they hold a list of AnyPointers. */
  unprintable: number;
  /** Messages whose default values hold themselves. */
  endless: number;
  mutatedCanonical: number;
  stillCanonical: number;
  /** Of which C++ says that they are canonical, though they are not what it makes of them itself. */
  wronglyCanonical: number;
}

/** Checks `schemas` random schemas, from a seed up, with `perSchema` random messages each. */
export async function checkMessages(
  oracle: MessageOracle,
  firstSeed: number,
  schemas: number,
  perSchema: number,
): Promise<MessageCounts> {
  const counts: MessageCounts = {
    schemas: 0,
    messages: 0,
    oursScattered: 0,
    theirsScattered: 0,
    doubleFars: 0,
    theirDoubleFars: 0,
    unprintable: 0,
    endless: 0,
    mutatedCanonical: 0,
    stillCanonical: 0,
    wronglyCanonical: 0,
  };
  for (let seed = firstSeed; counts.schemas < schemas; seed++) {
    const universe = randomUniverse(seed);
    if (universe === undefined || universe.structs.length === 0) continue;
    counts.schemas++;
    const number = await oracle.load(universe.nodes, 0);
    for (let i = 0; i < perSchema; i++) {
      const random = new Random(seed * 1000 + i);
      const schema = random.pick(universe.structs);
      const plain = randomStruct(random, schema, { depth: random.between(1, 4), structs: universe.structs });
      const message = built(random, schema, plain, randomAllocation(random));
      const check = new MessageCheck(oracle, { schemas: number, id: schema.id }, schema, counts);
      try {
        await check.run(random, message, plain);
      } catch (error) {
        const where = `message ${i} of schema seed ${seed}: CAPSTAN_SEED=${seed}, ${schema.node.displayName}`;
        throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
      }
      counts.messages++;
    }
  }
  return counts;
}

const randomAllocation = (random: Random): Allocation => ({
  firstSegmentWords: random.pick([1, 1, 2, 3, 5, 8, 13, 40, 1024]),
  allocation: random.chance(0.7) ? "fixed" : "grow",
});

/** One message of one type, here and there. */
class MessageCheck {
  readonly #oracle: MessageOracle;
  readonly #there: TypeThere;
  readonly #schema: StructSchema;
  readonly #counts: MessageCounts;

  constructor(oracle: MessageOracle, there: TypeThere, schema: StructSchema, counts: MessageCounts) {
    this.#oracle = oracle;
    this.#there = there;
    this.#schema = schema;
    this.#counts = counts;
  }

  async run(random: Random, message: StructBuilder, plain: Plain): Promise<void> {
    const segments = segmentsOf(message);
    const reader = this.#read(segments);
    if (!attempt(() => toObject(reader))) return this.#checkEndless(segments);
    const missing = missingIn(toObject(reader), plain);
    if (missing !== undefined) throw new Error(`what was written as ${missing} is not there`);
    if (segments.length > 1) this.#counts.oursScattered++;
    this.#counts.doubleFars += doubleFars(segments);
    await this.#compare(reader, segments);
    await this.#checkFlat(reader);
    await this.#checkPacked(reader, segments);
    await this.#checkTheirs(random, reader, segments);
    await this.#checkMutatedCanonical(random, canonicalize(reader));
  }

  /** A default value that, where it is read, has a member with that same default value ends for nobody. */
  async #checkEndless(segments: readonly Uint8Array[]): Promise<void> {
    const { dump } = await this.#oracle.read(this.#there, encodeFrame(segments));
    if ("value" in dump) fail("unreadable here alone", "", String(dump.value));
    else if (!dump.error.includes("too deeply")) fail("unreadable for another reason there", "", dump.error);
    this.#counts.endless++;
  }

  #read(segments: readonly Uint8Array[]): StructBase {
    return readAs(this.#schema.structClass, segments);
  }

  async #compare(reader: StructBase, segments: readonly Uint8Array[]): Promise<void> {
    if (!(await compareUses(this.#oracle, this.#there, reader, segments))) this.#counts.unprintable++;
  }

  /** As one segment without a frame. */
  async #checkFlat(reader: StructBase): Promise<void> {
    const canonical = canonicalize(reader);
    const flat: StructBase = (this.#schema.structClass as Loose).fromSegments([canonical]);
    await this.#compare(flat, [canonical]);
    if (equals(flat, reader) !== true) fail("the flat message is not equal to the other", dumpOf(flat), dumpOf(reader));
    const packed = pack(canonical);
    same("flat packed message", hex(packed), hex(await this.#oracle.pack(canonical)));
    same(
      "flat packed message, unpacked there",
      hex(await this.#oracle.unpack(packed, canonical.length)),
      hex(canonical),
    );
    same("flat packed message, unpacked here", hex(unpack(packed)), hex(canonical));
  }

  async #checkPacked(reader: StructBase, segments: readonly Uint8Array[]): Promise<void> {
    const frame = encodeFrame(segments);
    const packed = pack(frame);
    const theirs = await this.#oracle.pack(frame);
    same("packed message", hex(packed), hex(theirs));
    same("packed message, unpacked there", hex(await this.#oracle.unpack(packed, frame.length)), hex(frame));
    const type = this.#schema.structClass as Loose;
    same("dump of the packed message", dumpOf(type.fromBytesPacked(theirs)), dumpOf(reader));
  }

  /** The same value, written by C++. */
  async #checkTheirs(random: Random, reader: StructBase, segments: readonly Uint8Array[]): Promise<void> {
    const allocation = randomAllocation(random);
    const theirs = await this.#oracle.write(this.#there, encodeFrame(segments), allocation);
    const type = this.#schema.structClass as Loose;
    const read: StructBase = type.fromBytes(theirs);
    const theirSegments = read.$segment.arena.segments.map(({ bytes }) => bytes);
    if (theirSegments.length > 1) this.#counts.theirsScattered++;
    this.#counts.theirDoubleFars += doubleFars(theirSegments);
    same("dump of what C++ wrote", dumpOf(read), dumpOf(reader));
    // Its canonical form may be another one: a default value can hold what is no member of a union any more.
    await this.#compare(read, theirSegments);
    same("text of what C++ wrote", String(toText(read)), String(toText(reader)));
    const packed = await this.#oracle.pack(theirs);
    same("dump of what C++ wrote and packed", dumpOf(type.fromBytesPacked(packed)), dumpOf(reader));
  }

  /** The verdicts on a canonical message with some bits changed. */
  async #checkMutatedCanonical(random: Random, canonical: Uint8Array): Promise<void> {
    const words = canonical.length / 8;
    const mutations = Array.from({ length: 6 }, (): Mutation => {
      const first = 1n << BigInt(random.below(64));
      const second = random.chance(0.3) ? 1n << BigInt(random.below(64)) : 0n;
      return { words: [random.below(words), random.below(words)], flips: [first, second] };
    });
    const frame = encodeFrame([canonical]);
    const theirs = await this.#oracle.mutate(this.#there, frame, mutations, ["isCanonical"]);
    for (const [i, mutation] of mutations.entries()) {
      const bytes = mutated(canonical, mutation);
      let verdict: boolean | undefined;
      attempt(() => {
        verdict = isCanonical([bytes]);
      });
      const digest = theirs[i]?.[0];
      const there = digest === undefined ? undefined : digest.crc === crcOfTrue;
      this.#counts.mutatedCanonical++;
      if (verdict === true) this.#counts.stillCanonical++;
      if (verdict === false && there !== false && isLaxOnLists(bytes)) {
        this.#counts.wronglyCanonical++;
      } else if (verdict !== there) {
        const { isCanonical: outcome } = await this.#oracle.read(this.#there, encodeFrame([bytes]), slightlyMore);
        const error = "error" in outcome ? outcome.error : "none";
        // Newer versions of C++ look no further, either, where a pointer is of a kind that no canonical message has.
        if (verdict === false && /unknown pointer type|far pointer/.test(error)) continue;
        if ("value" in outcome && String(outcome.value) === (verdict === true ? "t" : "f")) continue;
        throw new Error(`isCanonical: ${verdict}, in C++ ${there} (error: ${error})\n${hex(bytes)}`);
      }
    }
  }
}

/** C++ counts the root pointer and each landing pad of two words as one more than we do. */
const slightlyMore = { ...defaultLimits, traversalLimitInWords: defaultLimits.traversalLimitInWords + 64 };

/** CRC-32 of "t". */
const crcOfTrue = 0x856a5aa8;

/** A copy of some words with bits flipped. */
const mutated = (bytes: Uint8Array, { words, flips }: Mutation): Uint8Array => {
  const copied = bytes.slice();
  const view = new DataView(copied.buffer);
  for (const i of [0, 1] as const) {
    const at = words[i] * 8;
    view.setBigUint64(at, view.getBigUint64(at, true) ^ flips[i], true);
  }
  return copied;
};

/**
 * Whether a list of no size lies outside of the segment, or a list of structs has a bit set that is no part of its
 * length. C++ forgets both before it judges, so that it takes more than one form of the same value for canonical.
 */
const isLaxOnLists = (segment: Uint8Array): boolean => {
  const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
  for (let at = 0; at < segment.length; at += 8) {
    const [low, high] = [view.getInt32(at, true), view.getUint32(at + 4, true)];
    const start = at + 8 + (low & ~3) * 2;
    if ((low & 3) !== 1) continue;
    if ((high & 7) !== 7 && (high < 8 || (high & 7) === 0) && (start < 0 || start > segment.length)) return true;
    if ((high & 7) === 7 && start >= 0 && start + 8 <= segment.length && view.getInt32(start, true) < 0) return true;
  }
  return false;
};

/** How many words look like far pointers to landing pads of two words, in messages without other numbers of that look. */
const doubleFars = (segments: readonly Uint8Array[]): number => {
  let count = 0;
  for (const segment of segments) {
    const view = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
    for (let at = 0; at + 8 <= segment.length; at += 8) {
      const low = view.getUint32(at, true);
      const other = segments[view.getUint32(at + 4, true)];
      if ((low & 7) === 6 && other !== undefined && (low >>> 3) * 8 + 16 <= other.length) count++;
    }
  }
  return count;
};
