/**
 * Stream framing (encoding.md, "Serialization Over a Stream"). A frame is: the number of segments less one, then each segment's
 * size in words (all unsigned 32-bit, little-endian), zero padding to a whole word, then the segments.
 */
import { CapnpError } from "../errors.ts";

/**
 * The default of {@link FrameLimits.maxSegments}: what C++ accepts. Attack: a header of 2^32 sizes, or thousands of segments
 * whose bookkeeping outweighs their content. No writer needs many, since segments grow as a message does.
 */
export const defaultMaxSegments = 511;

/**
 * The default of {@link FrameLimits.maxFrameBytes}: 64 MiB, C++'s 8 Mi words. Attack: a peer that makes us hold an endless
 * message. A whole frame must be in memory before its first field can be read.
 */
export const defaultMaxFrameBytes = 64 * 1024 * 1024;

/** What a reader of frames accepts. A frame beyond a limit is refused from its header, before anything is allocated for it. */
export interface FrameLimits {
  /** The most segments in one frame. Default {@link defaultMaxSegments}. */
  readonly maxSegments?: number;
  /** The most bytes of all segments of one frame, the header not counted. Default {@link defaultMaxFrameBytes}. */
  readonly maxFrameBytes?: number;
}

/** Bytes of the header of a frame of so many segments, padding included. */
export function frameHeaderBytes(segmentCount: number): number {
  return ((segmentCount >>> 1) + 1) * 8;
}

/** Bytes of a whole frame: header, padding and segments. */
export function frameBytes(segments: readonly Uint8Array[]): number {
  let total = frameHeaderBytes(segments.length);
  for (let i = 0; i < segments.length; i++) total += segments[i]!.byteLength;
  return total;
}

/**
 * Writes the header of a frame of these segments at `offset` and returns the offset after it. `target` must have room for
 * {@link frameHeaderBytes} there; all of them are written, the padding too.
 * Throws CAPNP_FRAME where no reader could accept the frame: without a segment, with more than 511, or with a segment that is not
 * whole words.
 */
export function writeFrameHeader(target: Uint8Array, offset: number, segments: readonly Uint8Array[]): number {
  const count = segments.length;
  if (count === 0 || count > defaultMaxSegments) {
    throw new CapnpError("CAPNP_FRAME", `a message has 1 to ${defaultMaxSegments} segments, not ${count}`);
  }
  let at = writeUint32(target, offset, count - 1);
  for (let i = 0; i < count; i++) {
    const bytes = segments[i]!.byteLength;
    if (bytes % 8 !== 0) {
      throw new CapnpError("CAPNP_FRAME", `segment ${i} has ${bytes} bytes; a segment is whole words of 8 bytes`);
    }
    at = writeUint32(target, at, bytes / 8);
  }
  return count % 2 === 0 ? writeUint32(target, at, 0) : at;
}

/** The header alone, for writers that hand the segments over without a copy. Throws as {@link writeFrameHeader} does. */
export function frameHeader(segments: readonly Uint8Array[]): Uint8Array {
  const header = new Uint8Array(frameHeaderBytes(segments.length));
  writeFrameHeader(header, 0, segments);
  return header;
}

/** The whole frame in one fresh array. Throws as {@link writeFrameHeader} does. */
export function encodeFrame(segments: readonly Uint8Array[]): Uint8Array {
  const frame = new Uint8Array(frameBytes(segments));
  let at = writeFrameHeader(frame, 0, segments);
  for (const segment of segments) {
    frame.set(segment, at);
    at += segment.byteLength;
  }
  return frame;
}

/**
 * Reads the one frame that begins at `start`. The segments are views of `bytes`, not copies; `end` is the offset after the frame.
 * Throws CAPNP_TRUNCATED where `bytes` ends first, CAPNP_FRAME for a header that cannot be one, CAPNP_FRAME_TOO_LARGE beyond
 * `maxFrameBytes`.
 */
export function decodeFrame(
  bytes: Uint8Array,
  limits?: FrameLimits,
  start = 0,
): { readonly segments: Uint8Array[]; readonly end: number } {
  const available = bytes.byteLength - start;
  const needed = bytesNeeded(bytes, start, available, maxSegmentsOf(limits), maxFrameBytesOf(limits));
  if (needed > available) throw truncated(available, needed);
  return { segments: cutSegments(bytes, start), end: start + needed };
}

/**
 * Takes a stream in pieces of any size and gives its frames, in order. After each `push`, pull `next()` until it answers undefined;
 * to stop in between is allowed, and what is left waits.
 *
 * A frame within one piece is not copied: its segments are views of that piece, which the reader never writes to. Only a frame
 * that straddles pieces is gathered, in a buffer that grows with the bytes that have come (at most twice as many, or 4 KiB) and
 * never with the size that a header declares; so a peer must send what it wants us to hold, and gathering is linear in total
 * even when every piece is one byte.
 */
export class FrameReader {
  readonly #maxSegments: number;
  #maxFrameBytes: number;
  /** The piece being read: its unread bytes are [#offset, #end). */
  #piece: Uint8Array = nothing;
  #offset = 0;
  #end = 0;
  /** #piece is an array of our own, with room behind #end. */
  #joined = false;
  /** The beginning of a frame that straddles pieces. It comes before what is unread in #piece. */
  #gathered: Uint8Array | undefined;
  #gatheredBytes = 0;
  /** How many bytes #gathered must have before it tells more: 4, the header, or the frame. */
  #needed = 0;

  constructor(limits?: FrameLimits) {
    this.#maxSegments = maxSegmentsOf(limits);
    this.#maxFrameBytes = maxFrameBytesOf(limits);
  }

  /** Sets another limit for the frames from here on. */
  set maxFrameBytes(bytes: number) {
    this.#maxFrameBytes = bytes;
  }

  /** Bytes pushed and not yet given out as frames. */
  get buffered(): number {
    return this.#gatheredBytes + this.#end - this.#offset;
  }

  /** Bytes that the reader itself has allocated for a frame that straddles pieces. */
  get capacity(): number {
    return this.#gathered?.byteLength ?? 0;
  }

  /** Adds a piece of the stream. Its bytes must not change afterwards. */
  push(piece: Uint8Array): void {
    const left = this.#end - this.#offset;
    if (left === 0) {
      this.#piece = piece;
      this.#offset = 0;
      this.#end = piece.byteLength;
      return;
    }
    // The caller stopped pulling with bytes left over: join both, with room to spare so that many small pieces stay linear.
    // A joined array is ours to append to: frames given out from it lie before the bytes that are added.
    if (!this.#joined || this.#end + piece.byteLength > this.#piece.byteLength) {
      const joined = new Uint8Array(2 * (left + piece.byteLength));
      joined.set(this.#piece.subarray(this.#offset, this.#end));
      this.#piece = joined;
      this.#offset = 0;
      this.#end = left;
      this.#joined = true;
    }
    this.#piece.set(piece, this.#end);
    this.#end += piece.byteLength;
  }

  /**
   * The segments of the next frame, or undefined when its end has not come yet. Throws CAPNP_FRAME or CAPNP_FRAME_TOO_LARGE for a
   * frame that cannot be accepted; the stream has no next frame then, and every further call throws the same.
   */
  next(): Uint8Array[] | undefined {
    if (this.#gathered !== undefined) return this.#gather();
    const available = this.#end - this.#offset;
    if (available === 0) return undefined;
    const needed = bytesNeeded(this.#piece, this.#offset, available, this.#maxSegments, this.#maxFrameBytes);
    if (needed > available) {
      this.#gathered = nothing;
      this.#needed = needed;
      return this.#gather();
    }
    const segments = cutSegments(this.#piece, this.#offset);
    this.#offset += needed;
    if (this.#offset === this.#end) this.#forgetPiece();
    return segments;
  }

  /** Says that the stream has ended. Throws CAPNP_TRUNCATED when it ended within a frame. */
  end(): void {
    if (this.buffered > 0) throw truncated(this.buffered, this.#needed);
  }

  #gather(): Uint8Array[] | undefined {
    for (;;) {
      const take = Math.min(this.#needed - this.#gatheredBytes, this.#end - this.#offset);
      if (this.#gatheredBytes === 0 && this.#keep(take)) return undefined;
      const bytes = this.#reserve(this.#gatheredBytes + take);
      copy(this.#piece, this.#offset, take, bytes, this.#gatheredBytes);
      this.#offset += take;
      this.#gatheredBytes += take;
      if (this.#offset === this.#end) this.#forgetPiece();
      if (this.#gatheredBytes < this.#needed) return undefined;
      const needed = bytesNeeded(bytes, 0, this.#gatheredBytes, this.#maxSegments, this.#maxFrameBytes);
      if (needed === this.#gatheredBytes) {
        this.#gathered = undefined;
        this.#gatheredBytes = 0;
        this.#needed = 0;
        return cutSegments(bytes, 0);
      }
      this.#needed = needed;
    }
  }

  /**
   * Keeps the long beginning of a frame, with which a piece ends, where it lies: what comes next tells how large an array to
   * copy it to. Not a short one, which would hold the whole piece.
   */
  #keep(take: number): boolean {
    if (take < smallestGather || 4 * take < this.#piece.buffer.byteLength || this.#joined) return false;
    this.#gathered = this.#piece.subarray(this.#offset, this.#offset + take);
    this.#gatheredBytes = take;
    this.#forgetPiece();
    return true;
  }

  #reserve(bytes: number): Uint8Array {
    const gathered = this.#gathered!;
    if (bytes <= gathered.byteLength) return gathered;
    const grown = new Uint8Array(Math.min(this.#needed, Math.max(smallestGather, 2 * bytes)));
    copy(gathered, 0, this.#gatheredBytes, grown, 0);
    this.#gathered = grown;
    return grown;
  }

  /** A read piece is let go, so that an idle stream holds no memory. */
  #forgetPiece(): void {
    this.#piece = nothing;
    this.#offset = 0;
    this.#end = 0;
    this.#joined = false;
  }
}

const nothing = new Uint8Array(0);
const smallestGather = 4096;

/**
 * How many bytes from `start` on are needed to know more: 4 for the segment count, the header's length, or the frame's. An answer
 * of at most `available` is therefore the length of a frame that is all there. Sums are doubles: 511 sizes of 2^32 - 1 words stay
 * exact, where 32-bit sums would wrap below the limit.
 */
export function bytesNeeded(
  bytes: Uint8Array,
  start: number,
  available: number,
  maxSegments: number,
  maxFrameBytes: number,
): number {
  if (available < 4) return 4;
  const count = readUint32(bytes, start) + 1;
  if (count > maxSegments) {
    throw new CapnpError(
      "CAPNP_FRAME",
      `a frame header declares ${count} segments; at most ${maxSegments} are accepted${foreignProtocol(bytes, start)}`,
    );
  }
  const header = frameHeaderBytes(count);
  if (available < header) return header;
  let words = 0;
  for (let i = 1; i <= count; i++) words += readUint32(bytes, start + 4 * i);
  if (words * 8 > maxFrameBytes) {
    throw new CapnpError(
      "CAPNP_FRAME_TOO_LARGE",
      `a frame header declares ${words * 8} bytes in ${count} segment(s); at most ${maxFrameBytes} are accepted ` +
        "(raise maxFrameBytes where a trusted peer may send more)",
    );
  }
  return header + words * 8;
}

/** The segments of the frame at `start`, which is all there and within the limits. */
function cutSegments(bytes: Uint8Array, start: number): Uint8Array[] {
  const count = readUint32(bytes, start) + 1;
  let at = bytes.byteOffset + start + frameHeaderBytes(count);
  // Nearly always: an array that grows by `push` would reserve room for seventeen.
  if (count === 1) return [new Uint8Array(bytes.buffer, at, readUint32(bytes, start + 4) * 8)];
  const segments: Uint8Array[] = [];
  for (let i = 1; i <= count; i++) {
    const size = readUint32(bytes, start + 4 * i) * 8;
    // Plain Uint8Arrays, also when `bytes` is a Buffer: readers of segments then see one shape only.
    segments.push(new Uint8Array(bytes.buffer, at, size));
    at += size;
  }
  return segments;
}

/** What other protocols say first. Each of them reads as a segment count far beyond any limit. */
const greetings: readonly (readonly [start: string, meaning: string])[] = [
  [
    "\x16\x03",
    "a TLS handshake; this port speaks plain Cap'n Proto: connect without TLS or give the server a certificate",
  ],
  ["\x15\x03", "a TLS alert; the peer expects TLS: connect with tls://"],
  ["PRI ", "an HTTP/2 request; this port speaks Cap'n Proto"],
  ["HTTP", "an HTTP response; the peer is a web server"],
  ["SSH-", "an SSH greeting; the peer or the port is that of an SSH service"],
  ["*1\r\n", "a Redis command; this port speaks Cap'n Proto"],
];

const httpMethods = ["GET ", "POST", "PUT ", "HEAD", "DELE", "OPTI", "PATC", "TRAC", "CONN"];

function foreignProtocol(bytes: Uint8Array, start: number): string {
  const opening = String.fromCharCode(...bytes.subarray(start, start + 4));
  if (httpMethods.includes(opening)) return ": this looks like an HTTP request; this port speaks Cap'n Proto";
  const greeting = greetings.find(([beginning]) => opening.startsWith(beginning));
  return greeting === undefined ? "" : `: this looks like ${greeting[1]}`;
}

function truncated(available: number, needed: number): CapnpError {
  const wanted = needed > available ? ` of at least ${needed}` : "";
  return new CapnpError("CAPNP_TRUNCATED", `the stream ended within a message, after ${available} bytes${wanted}`);
}

function maxSegmentsOf(limits: FrameLimits | undefined): number {
  return limits?.maxSegments ?? defaultMaxSegments;
}

function maxFrameBytesOf(limits: FrameLimits | undefined): number {
  return limits?.maxFrameBytes ?? defaultMaxFrameBytes;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function writeUint32(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
  return at + 4;
}

/** `set` needs a view of the source, which costs more than the copy itself when a stream comes byte by byte. */
function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > 32) to.set(from.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
}
