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

/** Charges for the fields of a struct that takes so much room: each that its words do not pay for costs a word. */
export const chargeStruct = (
  arena: Arena,
  fields: number,
  dataBytes: number,
  pointerCount: number,
  perWord: number,
): void => {
  const unpaid = fields - perWord * (dataBytes / 8 + pointerCount);
  if (unpaid > 0) arena.charge(Math.ceil(unpaid));
};

/** Charges for the elements of a list that takes so many bits, so that `perWord` of them cost a word. */
export const chargeElements = (arena: Arena, length: number, bits: number, perWord: number): void => {
  const unpaid = length / perWord - bits / 64;
  if (unpaid > 0) arena.charge(Math.ceil(unpaid));
};

/** Words that the default values in one place of a message that is built may cost. */
const defaultsBudget = 128 * 1024;

/**
 * What pays for default values in a message that is built, which has no limits: those may hold structs whose fields have default
 * values of their own, without end or twice as many at every level.
 */
export const defaultsPayer = (): Arena => new Arena(defaultsBudget, defaultNestingLimit);
