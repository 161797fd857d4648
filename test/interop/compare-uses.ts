import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { equals } from "../../lib/schema/equals.ts";
import { copy, totalSize } from "../../lib/schema/operations.ts";
import type { StructBase } from "../../lib/schema/struct-base.ts";
import { toText } from "../../lib/schema/text.ts";
import { segmentsOf } from "../support/messages.ts";
import { sameButDigits } from "./float-digits.ts";
import { dumpOf } from "./message-dump.ts";
import type { MessageOracle, TypeThere } from "./message-oracle.ts";

/** Words for a larger root, so that a copy stays in one segment: C++ points from another one to an empty struct in the first. */
export const roomForRoot = 1000;

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/**
 * Checks that everything that C++ can do with a message has the same result there.
 *
 * @returns Whether C++ can print its text, too: not where it holds a list of AnyPointers.
 */
export async function compareUses(
  oracle: MessageOracle,
  type: TypeThere,
  reader: StructBase,
  segments: readonly Uint8Array[],
): Promise<boolean> {
  const frame = encodeFrame(segments);
  const there = await oracle.read(type, frame);
  const result = (use: keyof typeof there): Buffer => {
    const outcome = there[use];
    if ("error" in outcome) throw new Error(`C++ fails on ${use}: ${outcome.error}\n${hex(frame)}`);
    return outcome.value;
  };
  same("dump", dumpOf(reader), String(result("dump")));
  const text = String(toText(reader));
  const isUnprintable = "error" in there.text && there.text.error.includes("List(AnyPointer) not supported");
  if (!isUnprintable) {
    const theirs = String(result("text"));
    // That the numbers are the same to the last bit is what the dump has shown.
    if (!sameButDigits(text, theirs)) same("text", text, theirs);
  }
  const size = totalSize(reader);
  same("size", `${size.wordCount} ${size.capCount}`, String(result("size")));
  const canonical = canonicalize(reader);
  same("canonical form", hex(canonical), hex(result("canonical")));
  const copied = copy(reader, { firstSegmentWords: size.wordCount + roomForRoot });
  same("copy", hex(encodeFrame(segmentsOf(copied))), hex(result("copy")));
  same("verdict on canonicity", isCanonical(segments) ? "t" : "f", String(result("isCanonical")));
  if (equals(reader, copied) !== true) fail("a copy is not equal to what it was made of", text, String(copied));
  same("verdict on its canonical form", String(isCanonical([canonical])), "true");
  return !isUnprintable;
}

/** Throws an error that shows where two texts begin to differ. */
export const fail = (what: string, ours: string, theirs: string): never => {
  let at = 0;
  while (at < ours.length && ours[at] === theirs[at]) at++;
  const [here, there] = [ours, theirs].map((text) => text.slice(Math.max(0, at - 200), at + 200));
  throw new Error(`${what}, from character ${at} on\nours:   ${here}\nC++:    ${there}`);
};

/** Throws where two texts differ. */
export const same = (what: string, ours: string, theirs: string): void => {
  if (ours !== theirs) fail(`different ${what}`, ours, theirs);
};
