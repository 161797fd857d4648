import { CapnpError } from "../errors.ts";
import { Arena } from "../serialization/arena.ts";
import { defaultNestingLimit } from "../serialization/read-limiter.ts";

/**
 * What a message is charged, on top of the words that are read, as it is turned into objects, JSON or text. The traversal limit
 * bounds what is read and not what is made of it: 300 bytes can hold a list of 8 million structs without content, each of which
 * has every default value of its schema, and a word holds 64 values of a List(Bool). So a word pays for a few values, and what
 * is not paid for so costs words of the same limit.
 */

/** Values that a word pays for in a plain object, where one takes 8 bytes or so. */
export const valuesPerWord = 8;
/** The same in JSON or text, where a value takes objects and strings on the way. */
export const printedValuesPerWord = 2;

/** The least part of the traversal limit that one conversion may take, and for how much each word of the message stands there. */
const leastPart = 1 / 32;
const roomPerWord = 80;
/** What a word that is read counts for there. That leaves 64 for each word of the message: one for each Bool that it may hold. */
const weightOfWord = 16;

/** What is left for the conversion that is under way; undefined where there is none. */
let left: number | undefined;

/**
 * Converts a message. A small message has little to say: where much is made of it, it says the same again and again, by pointers
 * to one place or by default values, and there is less room for that than the traversal limit has. A message in which every word
 * is read once always has the room. What one conversion takes of it is not missing for the next.
 */
export const converting = <T>(arena: Arena, convert: () => T): T => {
  if (left !== undefined || !Number.isFinite(arena.traversalLeft)) return convert();
  let bytes = 0;
  for (const segment of arena.segments) bytes += segment.end;
  left = Math.max(arena.traversalLeft * leastPart, (bytes / 8) * roomPerWord);
  try {
    return convert();
  } finally {
    left = undefined;
  }
};

const charge = (arena: Arena, words: number, unpaid: number): void => {
  // The words themselves were charged when they were read.
  if (unpaid > 0) arena.charge(Math.ceil(unpaid));
  if (left === undefined) return;
  left -= weightOfWord * words + Math.max(0, unpaid);
  if (left < 0) throw conversionLimitExceeded();
};

const conversionLimitExceeded = (): CapnpError =>
  new CapnpError(
    "CAPNP_TRAVERSAL_LIMIT",
    "This message would become far more than it is: its pointers lead to the same places again and again, or most of it are default values. Where the message is trusted, raise `traversalLimitInWords`, of which one conversion may take a 32nd, or 80 words for each of the message.",
  );

/**
 * Charges for the fields of a struct that takes so much room: each that its words do not pay for costs a word. A group, and what
 * lies in no message, has no words of its own.
 */
export const chargeStruct = (
  arena: Arena,
  fields: number,
  dataBytes: number,
  pointerCount: number,
  perWord: number,
): void => {
  const words = dataBytes / 8 + pointerCount;
  charge(arena, words, fields - perWord * words);
};

/** Charges for the elements of a list that takes so many bits, so that `perWord` of them cost a word. */
export const chargeElements = (arena: Arena, length: number, bits: number, perWord: number): void => {
  const words = bits / 64;
  charge(arena, words, length / perWord - words);
};

/** Charges for so many words more. */
export const chargeWords = (arena: Arena, words: number): void => charge(arena, 0, words);

/** Charges for text or data that was read from a message, or for a default value, which was not. */
export const chargeBytes = (arena: Arena, bytes: number, isDefault: boolean): void => {
  charge(arena, isDefault ? 0 : bytes / 8, isDefault ? bytes / 8 : 0);
};

/** Words that the default values in one place of a message that is built may cost. */
const defaultsBudget = 128 * 1024;

/**
 * What pays for default values in a message that is built, which has no limits: those may hold structs whose fields have default
 * values of their own, without end or twice as many at every level.
 */
export const defaultsPayer = (): Arena => new Arena(defaultsBudget, defaultNestingLimit);
