import { crc32 } from "node:zlib";
import { CapnpError } from "../../lib/errors.ts";
import { canonicalize } from "../../lib/serialization/canonical.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { equals } from "../../lib/schema/equals.ts";
import { copy, totalSize } from "../../lib/schema/operations.ts";
import type { StructBase } from "../../lib/schema/struct-base.ts";
import { toText } from "../../lib/schema/text.ts";
import { readAs, segmentsOf } from "../support/messages.ts";
import type { CorpusMessage } from "./bit-flip-corpus.ts";
import { explain, type Explanation } from "./bit-flip-differences.ts";
import { roomForRoot } from "./compare-uses.ts";
import { dumpOf } from "./message-dump.ts";
import type { Digest, Limits, MessageOracle, Mutation, TypeThere, Use } from "./message-oracle.ts";

/** What became of mutated messages. */
export interface FlipCounts {
  mutations: number;
  /** Read as a whole, and refused somewhere. */
  read: number;
  refused: number;
  /** Seconds of processor time that reading took here, in all the ways. */
  seconds: number;
  /** Results that differ from those of C++ for a reason that is known. */
  readonly explained: Map<Explanation, number>;
  /** Results that were the same in C++. */
  same: number;
}

export const noFlips = (): FlipCounts => ({
  mutations: 0,
  read: 0,
  refused: 0,
  seconds: 0,
  explained: new Map(),
  same: 0,
});

/** Small, as a list of nothing may have as many elements as it likes; and far from the powers of two that flips lead to. */
const flipLimits: Limits = { traversalLimitInWords: 6000, nestingLimit: 64 };

const generous: Limits = { ...flipLimits, traversalLimitInWords: Number.MAX_SAFE_INTEGER };

/** What is done with each message, and the same in C++. */
const compared = ["text", "dump", "size", "canonical", "copy"] as const satisfies readonly Use[];
type ComparedUse = (typeof compared)[number];

/** The result of one use of a message, as C++ writes it. */
const useHere = (use: ComparedUse, message: CorpusMessage, limits: Limits): string | Uint8Array => {
  const reader: StructBase = readAs(message.schema.structClass, message.segments, limits);
  switch (use) {
    case "text":
      return String(toText(reader));
    case "dump":
      return dumpOf(reader);
    case "size": {
      const { wordCount, capCount } = totalSize(reader);
      return `${wordCount} ${capCount}`;
    }
    case "canonical":
      return canonicalize(reader);
    case "copy": {
      const size = totalSize(reader);
      if (size.capCount > 0) throw new CapnpError("CAPNP_TYPE", "Messages with capabilities are not copied here.");
      const copied = copy(reader, { firstSegmentWords: size.wordCount + roomForRoot });
      if (equals(reader, copied) === false) throw new Error("a copy is not equal to what it was made of");
      return encodeFrame(segmentsOf(copied));
    }
  }
};

/** The outcome of a use: a result or a CapnpError. Anything else is thrown on. */
const outcomeHere = (
  use: ComparedUse,
  message: CorpusMessage,
  limits = flipLimits,
): string | Uint8Array | CapnpError => {
  try {
    return useHere(use, message, limits);
  } catch (error) {
    if (error instanceof CapnpError) return error;
    throw error;
  }
};

const digestOf = (outcome: string | Uint8Array | CapnpError): Digest => {
  if (outcome instanceof CapnpError) return undefined;
  const bytes = typeof outcome === "string" ? Buffer.from(outcome) : outcome;
  return { size: bytes.length, crc: crc32(bytes) };
};

/** The message with a mutation, as long as `use` runs: its bytes are changed and changed back. */
const withMutation = <T>(segments: readonly Uint8Array[], { words, flips }: Mutation, use: () => T): T => {
  for (const i of [0, 1] as const) flip(segments, words[i], flips[i]);
  try {
    return use();
  } finally {
    for (const i of [0, 1] as const) flip(segments, words[i], flips[i]);
  }
};

const flip = (segments: readonly Uint8Array[], word: number, bits: bigint): void => {
  if (bits === 0n) return;
  let at = word * 8;
  for (const segment of segments) {
    if (at < segment.length) {
      const view = new DataView(segment.buffer, segment.byteOffset + at, 8);
      view.setBigUint64(0, view.getBigUint64(0, true) ^ bits, true);
      return;
    }
    at -= segment.length;
  }
};

const batchSize = 1500;

/**
 * Reads a message with each of some mutations in every way, here and in C++.
 *
 * @throws Where something else than a CapnpError is thrown here, or a result differs for no reason that is known.
 */
export async function checkMutations(
  oracle: MessageOracle,
  schemas: number,
  message: CorpusMessage,
  mutations: readonly Mutation[],
  counts: FlipCounts,
): Promise<void> {
  const type: TypeThere = { schemas, id: message.schema.id };
  const frame = encodeFrame(message.segments);
  for (let start = 0; start < mutations.length; start += batchSize) {
    const batch = mutations.slice(start, start + batchSize);
    const asked = oracle.mutate(type, frame, batch, compared, flipLimits);
    const began = process.cpuUsage();
    const ours = batch.map((mutation) =>
      withMutation(message.segments, mutation, () => {
        try {
          return compared.map((use) => digestOf(outcomeHere(use, message)));
        } catch (error) {
          throw new Error(`${message.what}, ${describe(mutation)}: ${(error as Error).message}`, { cause: error });
        }
      }),
    );
    const { user, system } = process.cpuUsage(began);
    counts.seconds += (user + system) / 1e6;
    const theirs = await asked;
    for (const [i, mutation] of batch.entries()) {
      counts.mutations++;
      if (ours[i]?.includes(undefined)) counts.refused++;
      else counts.read++;
      for (const [j, use] of compared.entries()) {
        const [here, there] = [ours[i]?.[j], theirs[i]?.[j]];
        if (here?.crc === there?.crc && here?.size === there?.size) {
          counts.same++;
          continue;
        }
        const mutant = withMutation(message.segments, mutation, () => ({
          ...message,
          segments: message.segments.map((one) => one.slice()),
        }));
        const outcome = outcomeHere(use, mutant);
        const { [use]: told } = await oracle.read(type, encodeFrame(mutant.segments), flipLimits);
        const explanation = explain({
          use,
          ours: outcome,
          theirs: told,
          generous: () => outcomeHere(use, mutant, generous),
        });
        if (explanation === undefined) {
          throw new Error(`${message.what}, ${describe(mutation)}: different ${use}\n${show(outcome, told, mutant)}`);
        }
        counts.explained.set(explanation, (counts.explained.get(explanation) ?? 0) + 1);
      }
    }
  }
}

const describe = ({ words, flips }: Mutation): string =>
  `word ${words[0]} ^ 0x${flips[0].toString(16)}, word ${words[1]} ^ 0x${flips[1].toString(16)}`;

const show = (
  ours: string | Uint8Array | CapnpError,
  told: { readonly value: Buffer } | { readonly error: string },
  { segments }: CorpusMessage,
): string => {
  const text = (value: string | Uint8Array): string =>
    typeof value === "string" ? value : Buffer.from(value).toString("hex");
  const here = ours instanceof CapnpError ? `error: ${ours.message}` : text(ours);
  const there =
    "error" in told ? `error: ${told.error}` : text(typeof ours === "string" ? told.value.toString() : told.value);
  let at = 0;
  while (at < here.length && here[at] === there[at]) at++;
  const [a, b] = [here, there].map((one) => one.slice(Math.max(0, at - 150), at + 150));
  return `from ${at} on\nours: ${a}\nC++:  ${b}\n${segments.map((one) => Buffer.from(one).toString("hex")).join("\n")}`;
};
