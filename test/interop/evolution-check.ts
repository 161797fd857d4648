import { isUtf8 } from "node:buffer";
import { canonicalize } from "../../lib/serialization/canonical.ts";
import { setStruct } from "../../lib/serialization/copy.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { MessageBuilder } from "../../lib/serialization/message.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import type { StructSchema } from "../../lib/schema/schema.ts";
import type { StructBase, StructBuilder } from "../../lib/schema/struct-base.ts";
import type { Loose } from "../support/loose.ts";
import { readAs, segmentsOf } from "../support/messages.ts";
import { Random } from "../support/random-schema/random.ts";
import { built, randomStruct } from "../support/random-value/random-value.ts";
import { attempt } from "../support/use-schemas.ts";
import { compareUses, hex, same } from "./compare-uses.ts";
import { dumpOf } from "./message-dump.ts";
import { changeStruct } from "./message-edit.ts";
import { type Allocation, type MessageOracle, OracleError, type TypeThere } from "./message-oracle.ts";

/** A version of a type, here and in the oracle. */
export interface Version {
  readonly schema: StructSchema;
  readonly there: TypeThere;
}

/** What became of the messages of a pair of versions. */
export interface EvolutionCounts {
  messages: number;
  /** Messages that the other version cannot read, or not change, here and there. */
  unreadable: number;
  unchangeable: number;
  /** Messages that were changed in place: to the same bytes here and there. */
  changed: number;
  /** The same over many segments, where C++ spends more words: to the same value. */
  changedScattered: number;
}

const inOneSegment: Allocation = { firstSegmentWords: 8000, allocation: "grow" };
const scattered: Allocation = { firstSegmentWords: 1, allocation: "fixed" };

/** Checks what each of two versions of a type makes of messages of the other, `count` in each direction. */
export async function checkEvolution(
  oracle: MessageOracle,
  before: Version,
  after: Version,
  count: number,
  seed: number,
  counts: EvolutionCounts,
): Promise<void> {
  for (const [from, to] of [
    [before, after],
    [after, before],
  ] as const) {
    for (let i = 0; i < count; i++) {
      const random = new Random(seed * 100 + i);
      const plain = randomStruct(random, from.schema, { depth: 4, structs: [] });
      for (const allocation of [inOneSegment, scattered]) {
        const message = built(random, from.schema, plain, allocation);
        try {
          await checkMessage(oracle, from, to, message, allocation, counts);
        } catch (error) {
          const direction = from === before ? "forward" : "back";
          throw new Error(`${direction}, message ${i} of seed ${seed}: ${(error as Error).message}`, { cause: error });
        }
        counts.messages++;
      }
    }
  }
}

async function checkMessage(
  oracle: MessageOracle,
  from: Version,
  to: Version,
  message: StructBuilder,
  allocation: Allocation,
  counts: EvolutionCounts,
): Promise<void> {
  const segments = segmentsOf(message);
  const reader = readAs(to.schema.structClass, segments);
  if (attempt(() => toObject(reader))) await compareUses(oracle, to.there, reader, segments);
  else {
    const { dump } = await oracle.read(to.there, encodeFrame(segments));
    // Data that became Text need not be UTF-8, which C++ passes on.
    if ("value" in dump && isUtf8(dump.value)) throw new Error(`C++ reads what is not read here: ${dump.value}`);
    counts.unreadable++;
  }
  for (const switches of [false, true]) {
    const theirs = await changedThere(oracle, from, to, segments, allocation, switches);
    let ours: Uint8Array[] | undefined;
    attempt(() => {
      ours = changedHere(from, to, segments, allocation, switches);
    });
    if (ours === undefined || theirs === undefined) {
      same("verdict on whether it can be changed", String(ours !== undefined), String(theirs !== undefined));
      counts.unchangeable++;
      continue;
    }
    if (allocation === inOneSegment) {
      same("message after the change", hex(encodeFrame(ours)), hex(theirs));
      counts.changed++;
    } else {
      await checkScattered(oracle, to, ours, theirs);
      counts.changedScattered++;
    }
    const back = readAs(from.schema.structClass, ours);
    if (attempt(() => toObject(back))) await compareUses(oracle, from.there, back, ours);
  }
}

/** Two messages that were changed alike have one value. */
async function checkScattered(
  oracle: MessageOracle,
  to: Version,
  ours: readonly Uint8Array[],
  theirs: Buffer,
): Promise<void> {
  const here: StructBase = readAs(to.schema.structClass, ours);
  const there: StructBase = (to.schema.structClass as Loose).fromBytes(theirs);
  same("value after the change", dumpOf(here), dumpOf(there));
  same("canonical form after the change", hex(canonicalize(here)), hex(canonicalize(there)));
  await compareUses(oracle, to.there, here, ours);
}

async function changedThere(
  oracle: MessageOracle,
  from: Version,
  to: Version,
  segments: readonly Uint8Array[],
  allocation: Allocation,
  switches: boolean,
): Promise<Buffer | undefined> {
  try {
    return await oracle.edit(from.there, to.there, encodeFrame(segments), allocation, switches);
  } catch (error) {
    if (error instanceof OracleError) return undefined;
    throw error;
  }
}

const changedHere = (
  from: Version,
  to: Version,
  segments: readonly Uint8Array[],
  allocation: Allocation,
  switches: boolean,
): Uint8Array[] => {
  const message = new MessageBuilder(allocation);
  setStruct(message.rootSegment, 0, readAs(from.schema.structClass, segments));
  const { Builder, dataBytes, pointerCount } = to.schema.structClass;
  const root = message.root(Builder, dataBytes, pointerCount);
  changeStruct(root, 0, switches);
  return segmentsOf(root);
};
