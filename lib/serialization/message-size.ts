import { bytesNeeded, defaultMaxSegments } from "./framing.ts";

/**
 * How many bytes a message in the stream format has, as far as its beginning tells: at least those of the part of the header that
 * is still to come, and of the whole message once the header is there. An answer of at most `prefix.length` is exact.
 *
 * Throws CAPNP_FRAME for a beginning that cannot be a message's.
 */
export const expectedMessageBytes = (prefix: Uint8Array): number =>
  bytesNeeded(prefix, 0, prefix.length, defaultMaxSegments, Number.POSITIVE_INFINITY);
