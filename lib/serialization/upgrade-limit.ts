import { CapnpError } from "../errors.ts";

/** What a list may always grow to when its elements become larger: 64 MiB, the default limit of a whole message. */
const alwaysAllowed = 64 * 1024 * 1024;

/** Beyond that a list may grow to so many times its size. */
const largestFactor = 16;

/**
 * Refuses to make room for a list's elements as structs of a larger type, where that takes far more than the list itself. Attack:
 * a message of 300 bytes with 8 million structs without content, copied into one of ours, where each of them would get the size
 * that our schema says.
 */
export const checkGrowth = (length: number, oldStep: number, newStep: number): void => {
  const bytes = length * newStep;
  if (bytes <= alwaysAllowed || bytes <= largestFactor * length * oldStep) return;
  throw new CapnpError(
    "CAPNP_MESSAGE_SIZE",
    `A list of ${length} elements of ${oldStep} bytes would take ${bytes} bytes as structs of its present type; at most ` +
      `${alwaysAllowed} bytes or ${largestFactor} times its own size are allowed. Read it with a reader, which takes no room.`,
  );
};
