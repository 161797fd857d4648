import { expect } from "chai";
import { CapnpError, type ErrorCode } from "../../lib/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { words } from "../support/messages.ts";

/** A schema with a field of every type, and messages for it in which one pointer is the enemy's. */
export const { AllTypes, Shapes } = loadLoosely("test/fixtures/all-types.capnp");

type Word = readonly [low: number, high: number];

const offsetOf = (field: string): number =>
  (AllTypes.schema.fields.find(({ name }: Loose) => name === field) as Loose).offset as number;

/**
 * A segment with an AllTypes of all pointers and no data, of which one pointer is set: `low` and `high` as if what it leads to
 * came directly behind it. `content` follows the struct.
 */
export const withPointer = (field: string, [low, high]: Word, ...content: readonly Word[]): Uint8Array => {
  const count: number = AllTypes.pointerCount;
  const pointers: Word[] = Array.from({ length: count }, () => [0, 0]);
  const index = offsetOf(field);
  // Far and capability pointers have no offset that would depend on their place.
  const skip = (low & 3) < 2 ? (count - 1 - index) << 2 : 0;
  pointers[index] = [(low + skip) >>> 0, high];
  return words([0, count << 16], ...pointers, ...content);
};

/** Words before what `content` of {@link withPointer} holds. */
export const contentStart: number = 1 + AllTypes.pointerCount;

/** The error that an action throws: a CapnpError, whatever else it may be. */
export const refusal = (action: () => unknown): CapnpError => {
  try {
    action();
  } catch (error) {
    expect(error).to.be.instanceOf(CapnpError);
    return error as CapnpError;
  }
  throw new Error("nothing was thrown");
};

/** Expects a refusal with one of these codes. */
export const expectRefusal = (action: () => unknown, ...codes: readonly ErrorCode[]): void => {
  const { code, message } = refusal(action);
  expect(codes, message).to.include(code);
};

/** Runs something that may be refused with one of our errors, and with nothing else. */
export const orRefused = (action: () => unknown): void => {
  try {
    action();
  } catch (error) {
    if (!(error instanceof CapnpError)) throw error;
  }
};
