import { isUtf8 } from "node:buffer";
import { CapnpError } from "../../lib/errors.ts";
import { sameButDigits } from "./float-digits.ts";
import type { Outcome, Use } from "./message-oracle.ts";

/** Why a result may differ from that of C++. */
export type Explanation = keyof typeof explanations;

type Ours = string | Uint8Array | CapnpError;

/** What was done with a message, what came of it here and there, and what comes of it here with any traversal limit. */
export interface Difference {
  readonly use: Use;
  readonly ours: Ours;
  readonly theirs: Outcome;
  readonly generous: () => Ours;
}

const explanations = {
  /** C++ prints fewer than it takes; test/interop/float-digits.ts tells of it. */
  "digits of a Float32": ({ use, ours, theirs }: Difference) =>
    use === "text" && typeof ours === "string" && "value" in theirs && sameButDigits(ours, String(theirs.value)),
  /** Text that is not UTF-8 is refused here, and passed on by C++. */
  "text that is not UTF-8": ({ use, ours, theirs }: Difference) =>
    (use === "text" || use === "dump") && isError(ours, "CAPNP_TEXT") && "value" in theirs && !isUtf8(theirs.value),
  /** C++ takes the first bits of numbers for a list of Bool, though no version of a schema makes one of the other. */
  "bits of numbers": ({ use, ours, theirs }: Difference) =>
    (use === "text" || use === "dump") && isError(ours, "CAPNP_POINTER_KIND", "where bits was") && "value" in theirs,
  /** Values that take no room in the message are charged for here, when they are measured and when something is made of them. */
  "charges for what takes no room": ({ ours, theirs, generous }: Difference) => {
    if (!isError(ours, "CAPNP_TRAVERSAL_LIMIT") || "error" in theirs) return false;
    const more = generous();
    return !(more instanceof CapnpError) && Buffer.from(more).equals(theirs.value);
  },
} as const;

/** The reason for a difference; undefined where none is known. */
export const explain = (difference: Difference): Explanation | undefined =>
  (Object.keys(explanations) as Explanation[]).find((name) => explanations[name](difference));

const isError = (ours: Ours, code: string, text = ""): boolean =>
  ours instanceof CapnpError && ours.code === code && ours.message.includes(text);
