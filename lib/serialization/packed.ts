/**
 * Packing (encoding.md, "Packing"): each word becomes a tag byte, whose bits say which of the word's bytes are not zero, and
 * those bytes. The tag 0x00 is followed by the number of further zero words; the tag 0xff by the number of further words that
 * stand there as they are.
 */
import { CapnpError } from "../errors.ts";
import { defaultMaxFrameBytes } from "./framing.ts";

/** Longest run behind a tag, in words: its length is one byte. */
const longestRun = 255;

export interface UnpackLimits {
  /**
   * The most bytes that unpacking may give. Two packed bytes can stand for 2 KiB of zeros: it is the unpacked size that has to
   * be limited. Default: 64 MiB.
   */
  readonly maxBytes?: number;
}

/** Bytes that `bytes` packs to at most: a word with no zero byte, followed by one with many, over and over. */
const worstCase = (bytes: number): number => (bytes / 8) * 10;

/**
 * Packs whole words. The result is the one that C++ makes.
 *
 * Throws CAPNP_RANGE where `bytes` is not whole words.
 */
export const pack = (bytes: Uint8Array): Uint8Array => packPieces([bytes]);

/**
 * Packs what lies in several pieces of whole words, such as the header and the segments of a message. No run goes on from one
 * piece into the next: C++ packs piece by piece, and its reader insists that runs end where a segment does.
 */
export const packPieces = (pieces: readonly Uint8Array[]): Uint8Array => {
  let room = 0;
  for (const piece of pieces) {
    if ((piece.length & 7) !== 0) {
      throw new CapnpError("CAPNP_RANGE", `Packing takes whole words of 8 bytes, not ${piece.length} bytes.`);
    }
    room += worstCase(piece.length);
  }
  const packed = new Uint8Array(room);
  let end = 0;
  for (const piece of pieces) end = packPiece(piece, packed, end);
  // Most messages shrink well below the worst case; the rest of the room is not worth keeping.
  return packed.slice(0, end);
};

const packPiece = (input: Uint8Array, output: Uint8Array, start: number): number => {
  const halves = halvesOf(input);
  const outputView = new DataView(output.buffer, output.byteOffset, output.byteLength);
  const end = halves.length;
  let at = 0;
  let out = start;
  while (at < end) {
    const low = halves[at] as number;
    const high = halves[at + 1] as number;
    at += 2;
    if ((low | high) === 0) {
      const first = at;
      const limit = Math.min(end, at + longestRun * 2);
      while (at < limit && ((halves[at] as number) | (halves[at + 1] as number)) === 0) at += 2;
      output[out] = 0;
      output[out + 1] = (at - first) >>> 1;
      out += 2;
      continue;
    }
    // Each byte is written, and kept where it is not zero: (byte + 255) >>> 8 is 1 for those. Without branches, as bytes of real
    // messages are hard to foretell. (Moving the bytes of half a word together, as `scatter` does the other way round, was slower.)
    const tagAt = out++;
    let byte = low & 0xff;
    let kept = (byte + 255) >>> 8;
    let tag = kept;
    output[out] = byte;
    out += kept;
    byte = (low >>> 8) & 0xff;
    kept = (byte + 255) >>> 8;
    tag |= kept << 1;
    output[out] = byte;
    out += kept;
    byte = (low >>> 16) & 0xff;
    kept = (byte + 255) >>> 8;
    tag |= kept << 2;
    output[out] = byte;
    out += kept;
    byte = low >>> 24;
    kept = (byte + 255) >>> 8;
    tag |= kept << 3;
    output[out] = byte;
    out += kept;
    byte = high & 0xff;
    kept = (byte + 255) >>> 8;
    tag |= kept << 4;
    output[out] = byte;
    out += kept;
    byte = (high >>> 8) & 0xff;
    kept = (byte + 255) >>> 8;
    tag |= kept << 5;
    output[out] = byte;
    out += kept;
    byte = (high >>> 16) & 0xff;
    kept = (byte + 255) >>> 8;
    tag |= kept << 6;
    output[out] = byte;
    out += kept;
    byte = high >>> 24;
    kept = (byte + 255) >>> 8;
    tag |= kept << 7;
    output[out] = byte;
    out += kept;
    output[tagAt] = tag;
    if (tag === 0xff) {
      const countAt = out++;
      const first = at;
      const limit = Math.min(end, at + longestRun * 2);
      while (at < limit) {
        const low = halves[at] as number;
        const high = halves[at + 1] as number;
        if (zeroBytes(low) + zeroBytes(high) >= 2) break;
        outputView.setInt32(out, low, true);
        outputView.setInt32(out + 4, high, true);
        at += 2;
        out += 8;
      }
      output[countAt] = (at - first) >>> 1;
    }
  }
  return out;
};

/** Whether a typed array of integers lies in memory as Cap'n Proto wants them; typed arrays are faster than a DataView. */
const littleEndian = new Uint8Array(Int32Array.of(1).buffer)[0] === 1;

/** The halves of words as integers: the bytes themselves where the platform can take them for that, or else a copy. */
const halvesOf = (words: Uint8Array): Int32Array => {
  const count = words.length / 4;
  if (littleEndian && (words.byteOffset & 3) === 0) return new Int32Array(words.buffer, words.byteOffset, count);
  const view = new DataView(words.buffer, words.byteOffset, words.length);
  return Int32Array.from({ length: count }, (_, i) => view.getInt32(i * 4, true));
};

/**
 * For each tag of half a word, how far each of the bytes behind it moves to its place, in bits: the second byte's in the
 * lowest 8 bits, then the third's and the fourth's. A shift takes the lowest 5 bits of its count only.
 */
const distances: Int32Array = Int32Array.from({ length: 16 }, (_, tag) => {
  const second = 8 * (1 - (tag & 1));
  const third = second + 8 * (1 - ((tag >> 1) & 1));
  const fourth = third + 8 * (1 - ((tag >> 2) & 1));
  return second | (third << 8) | (fourth << 16);
});

/** The bytes that a tag of half a word says are not zero. */
const masks: Int32Array = Int32Array.from(
  { length: 16 },
  (_, tag) => (tag & 1 && 0xff) | (tag & 2 && 0xff00) | (tag & 4 && 0xff0000) | (tag & 8 && 0xff000000),
);

/** Half a word from four bytes behind a tag, which says how many of them count and where they belong. */
const scatter = (bytes: number, tag: number): number => {
  const distance = distances[tag] as number;
  return (
    ((bytes & 0xff) |
      ((bytes << distance) & 0xff00) |
      ((bytes << (distance >>> 8)) & 0xff0000) |
      ((bytes << (distance >>> 16)) & 0xff000000)) &
    (masks[tag] as number)
  );
};

/** How many of the four bytes are zero. */
const zeroBytes = (half: number): number =>
  ((half & 0xff) === 0 ? 1 : 0) +
  ((half & 0xff00) === 0 ? 1 : 0) +
  ((half & 0xff0000) === 0 ? 1 : 0) +
  (half >>> 24 === 0 ? 1 : 0);

/** Bits set in each byte. */
export const bitCounts: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let bits = 0;
  for (let rest = byte; rest !== 0; rest >>>= 1) bits += rest & 1;
  return bits;
});

const truncated = (bytes: Uint8Array): CapnpError =>
  new CapnpError("CAPNP_TRUNCATED", `Packed data ends within a word or a run, after ${bytes.length} bytes.`);

/**
 * How many bytes `bytes` unpacks to, found without unpacking. Throws CAPNP_TRUNCATED where a word or a run is incomplete.
 */
export const unpackedSize = (bytes: Uint8Array): number => {
  const end = bytes.length;
  let at = 0;
  let words = 0;
  while (at < end) {
    const tag = bytes[at] as number;
    at += 1 + (bitCounts[tag] as number);
    words++;
    if (tag === 0 || tag === 0xff) {
      if (at >= end) throw truncated(bytes);
      const run = bytes[at++] as number;
      words += run;
      if (tag === 0xff) at += run * 8;
    }
  }
  if (at > end) throw truncated(bytes);
  return words * 8;
};

/**
 * Unpacks all of `bytes`.
 *
 * Throws CAPNP_TRUNCATED where they end within a word or a run, and CAPNP_FRAME_TOO_LARGE, before anything is allocated, where
 * the result would have more than `maxBytes`.
 */
export const unpack = (bytes: Uint8Array, limits?: UnpackLimits): Uint8Array => {
  const size = unpackedSize(bytes);
  const most = limits?.maxBytes ?? defaultMaxFrameBytes;
  if (size > most) {
    throw new CapnpError(
      "CAPNP_FRAME_TOO_LARGE",
      `${bytes.length} packed bytes stand for ${size} bytes; at most ${most} are accepted (raise maxBytes where they are trusted).`,
    );
  }
  const output = new Uint8Array(size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const halves = new Int32Array(output.buffer);
  // As far as a tag, eight bytes and a count surely lie within `bytes`, what follows a tag is read without asking how long it is.
  const last = littleEndian ? bytes.length - longestToken : -1;
  let at = 0;
  let half = 0;
  while (at <= last) {
    const tag = bytes[at++] as number;
    if (tag === 0) {
      half += 2 + (bytes[at++] as number) * 2;
      continue;
    }
    if (tag !== 0xff) {
      const lowTag = tag & 15;
      const highTag = tag >>> 4;
      halves[half] = scatter(view.getInt32(at, true), lowTag);
      at += bitCounts[lowTag] as number;
      halves[half + 1] = scatter(view.getInt32(at, true), highTag);
      at += bitCounts[highTag] as number;
      half += 2;
      continue;
    }
    const run = (bytes[at + 8] as number) * 8;
    halves[half] = view.getInt32(at, true);
    halves[half + 1] = view.getInt32(at + 4, true);
    half += 2;
    at += 9;
    if (run > longestCopiedByHand) {
      output.set(bytes.subarray(at, at + run), half * 4);
      at += run;
      half += run / 4;
      continue;
    }
    for (const end = at + run; at < end; at += 8) {
      halves[half] = view.getInt32(at, true);
      halves[half + 1] = view.getInt32(at + 4, true);
      half += 2;
    }
  }
  let out = half * 4;
  while (out < size) {
    const tag = bytes[at] as number;
    at = unpackWord(tag, bytes, at + 1, output, out);
    out += 8;
    if (tag !== 0 && tag !== 0xff) continue;
    const run = (bytes[at++] as number) * 8;
    if (tag === 0xff) {
      copyRun(bytes, at, run, output, out);
      at += run;
    }
    out += run;
  }
  return output;
};

/** Longest run that is copied faster by hand than by `set`, which needs a view of its source. */
const longestCopiedByHand = 64;

/** A tag, 8 bytes and the length of a run. */
export const longestToken = 10;

/** Copies a run, of any length. */
export const copyRun = (from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void => {
  if (length > longestCopiedByHand) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i] as number;
};

/** Fills a zeroed word from the bytes behind its tag, and returns the offset after them. */
export const unpackWord = (tag: number, from: Uint8Array, start: number, to: Uint8Array, out: number): number => {
  let at = start;
  to[out] = (from[at] as number) & -(tag & 1);
  at += tag & 1;
  to[out + 1] = (from[at] as number) & -((tag >>> 1) & 1);
  at += (tag >>> 1) & 1;
  to[out + 2] = (from[at] as number) & -((tag >>> 2) & 1);
  at += (tag >>> 2) & 1;
  to[out + 3] = (from[at] as number) & -((tag >>> 3) & 1);
  at += (tag >>> 3) & 1;
  to[out + 4] = (from[at] as number) & -((tag >>> 4) & 1);
  at += (tag >>> 4) & 1;
  to[out + 5] = (from[at] as number) & -((tag >>> 5) & 1);
  at += (tag >>> 5) & 1;
  to[out + 6] = (from[at] as number) & -((tag >>> 6) & 1);
  at += (tag >>> 6) & 1;
  to[out + 7] = (from[at] as number) & -(tag >>> 7);
  return at + (tag >>> 7);
};
