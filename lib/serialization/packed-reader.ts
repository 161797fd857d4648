import { CapnpError } from "../errors.ts";
import { bytesNeeded, decodeFrame, defaultMaxFrameBytes, defaultMaxSegments, type FrameLimits } from "./framing.ts";
import { bitCounts, copyRun, longestToken, unpackWord } from "./packed.ts";

const nothing = new Uint8Array(0);
const smallestFrame = 1024;

/**
 * Takes a stream of packed messages in pieces of any size and gives the segments of each, in order; the packed form of
 * {@link FrameReader}, used in the same way.
 *
 * Of one message it holds what has been unpacked: at most twice that is allocated, never what a header declares. `maxFrameBytes`
 * limits the unpacked size, so a few packed bytes cannot become more than that.
 */
export class PackedReader {
  readonly #limits: FrameLimits;
  readonly #maxSegments: number;
  readonly #maxFrameBytes: number;
  #piece: Uint8Array = nothing;
  #offset = 0;
  /** The beginning of a word whose end has not come yet. */
  readonly #token = new Uint8Array(longestToken);
  #tokenBytes = 0;
  /** Bytes left of a run, of zeros or of bytes that stand as they are. */
  #run = 0;
  #runIsZero = false;
  /** The message so far, unpacked. What lies behind `#frameBytes` is zero. */
  #frame: Uint8Array = nothing;
  #frameBytes = 0;
  /** How many bytes `#frame` must have before it tells more: the first word, the header, or all of it. */
  #needed = 8;

  constructor(limits?: FrameLimits) {
    this.#limits = limits ?? {};
    this.#maxSegments = limits?.maxSegments ?? defaultMaxSegments;
    this.#maxFrameBytes = limits?.maxFrameBytes ?? defaultMaxFrameBytes;
  }

  /** Packed bytes pushed and not looked at yet. After `next` gave a message they begin the next one. */
  get buffered(): number {
    return this.#piece.length - this.#offset;
  }

  /** Adds a piece of the stream. Its bytes must not change until they have been read. */
  push(piece: Uint8Array): void {
    const left = this.buffered;
    if (left === 0) this.#piece = piece;
    else {
      const joined = new Uint8Array(left + piece.length);
      joined.set(this.#piece.subarray(this.#offset));
      joined.set(piece, left);
      this.#piece = joined;
    }
    this.#offset = 0;
  }

  /**
   * The segments of the next message, or undefined when its end has not come yet.
   *
   * Throws CAPNP_PACKED where a run goes on behind the message, and as {@link FrameReader} does. The stream has no next message
   * then.
   */
  next(): Uint8Array[] | undefined {
    for (;;) {
      while (this.#frameBytes < this.#needed) {
        if (this.#run === 0 && this.#tokenBytes === 0) this.#readWords();
        if (this.#frameBytes === this.#needed) break;
        if (this.#run > 0 ? !this.#continueRun() : !this.#readWord()) return undefined;
      }
      const needed = bytesNeeded(this.#frame, 0, this.#frameBytes, this.#maxSegments, this.#maxFrameBytes);
      if (needed > this.#frameBytes) {
        this.#needed = needed;
        continue;
      }
      if (this.#run > 0) {
        throw new CapnpError(
          "CAPNP_PACKED",
          `Packed data is wrong: a run goes on for ${this.#run} bytes behind the end of its message of ${needed} bytes.`,
        );
      }
      const { segments } = decodeFrame(this.#frame, this.#limits);
      this.#frame = nothing;
      this.#frameBytes = 0;
      this.#needed = 8;
      if (this.buffered === 0) {
        this.#piece = nothing;
        this.#offset = 0;
      }
      return segments;
    }
  }

  /** Says that the stream has ended. Throws CAPNP_TRUNCATED when it ended within a message. */
  end(): void {
    const unpacked = this.#frameBytes;
    if (this.buffered === 0 && this.#tokenBytes === 0 && unpacked === 0) return;
    throw new CapnpError(
      "CAPNP_TRUNCATED",
      `The packed stream ended within a message, of which ${unpacked} bytes were unpacked and at least ${this.#needed} are needed.`,
    );
  }

  /** Fills the frame from a run up to what is needed now. False where the piece has ended first. */
  #continueRun(): boolean {
    const wanted = Math.min(this.#run, this.#needed - this.#frameBytes);
    const bytes = this.#runIsZero ? wanted : Math.min(wanted, this.buffered);
    this.#reserve(bytes);
    if (!this.#runIsZero) {
      this.#frame.set(this.#piece.subarray(this.#offset, this.#offset + bytes), this.#frameBytes);
      this.#offset += bytes;
    }
    this.#frameBytes += bytes;
    this.#run -= bytes;
    return bytes === wanted;
  }

  /**
   * Unpacks what is needed as far as it surely lies within the piece. The same as {@link #readWord} and {@link #continueRun}, over
   * and over, but with all that changes in local variables: it is where the time goes.
   */
  #readWords(): void {
    const piece = this.#piece;
    const needed = this.#needed;
    const last = piece.length - longestToken;
    let frame = this.#frame;
    let at = this.#offset;
    let out = this.#frameBytes;
    while (at <= last && out < needed) {
      if (out + 8 > frame.length) frame = this.#grow(out, 8);
      const tag = piece[at] as number;
      at = unpackWord(tag, piece, at + 1, frame, out);
      out += 8;
      if (tag !== 0 && tag !== 0xff) continue;
      const run = (piece[at++] as number) * 8;
      if (run === 0) continue;
      if (out + run > needed || (tag !== 0 && at + run > piece.length)) {
        this.#run = run;
        this.#runIsZero = tag === 0;
        break;
      }
      if (out + run > frame.length) frame = this.#grow(out, run);
      if (tag !== 0) {
        copyRun(piece, at, run, frame, out);
        at += run;
      }
      out += run;
    }
    this.#offset = at;
    this.#frameBytes = out;
  }

  /** Unpacks one word and learns of the run behind it. False where the piece ends first; the word's beginning is kept then. */
  #readWord(): boolean {
    let from = this.#piece;
    let at = this.#offset;
    if (this.#tokenBytes > 0 || this.buffered < longestToken) {
      if (!this.#gatherToken()) return false;
      from = this.#token;
      at = 0;
      this.#tokenBytes = 0;
    }
    this.#reserve(8);
    const tag = from[at++] as number;
    at = unpackWord(tag, from, at, this.#frame, this.#frameBytes);
    this.#frameBytes += 8;
    if (tag === 0 || tag === 0xff) {
      this.#run = (from[at++] as number) * 8;
      this.#runIsZero = tag === 0;
    }
    if (from === this.#piece) this.#offset = at;
    return true;
  }

  /** Moves one token into `#token` byte by byte, as near the end of a piece it may not be all there. */
  #gatherToken(): boolean {
    for (;;) {
      if (this.#tokenBytes > 0) {
        const tag = this.#token[0] as number;
        if (this.#tokenBytes === 1 + (bitCounts[tag] as number) + (tag === 0 || tag === 0xff ? 1 : 0)) return true;
      }
      if (this.buffered === 0) return false;
      this.#token[this.#tokenBytes++] = this.#piece[this.#offset++] as number;
    }
  }

  #reserve(bytes: number): void {
    if (this.#frameBytes + bytes > this.#frame.length) this.#grow(this.#frameBytes, bytes);
  }

  /** Makes room for `bytes` behind `used`: no more than twice what there is then, or than what has come and waits. */
  #grow(used: number, bytes: number): Uint8Array {
    const wanted = Math.max(smallestFrame, 2 * (used + bytes), this.buffered);
    const grown = new Uint8Array(Math.min(this.#needed, wanted));
    grown.set(this.#frame.subarray(0, used));
    this.#frame = grown;
    return grown;
  }
}
