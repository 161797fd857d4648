import { CapnpError } from "../errors.ts";
import { FrameReader } from "../serialization/framing.ts";
import { translateNodeError } from "./node-error.ts";
import { LargestWaiting } from "./largest-waiting.ts";
import { readStreamLimits } from "./limits.ts";
import { giveBuffer, Outbox, type OutboundPiece } from "./outbox.ts";
import { printStray, receiverError, tellClosed } from "./receiver-error.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, Transport, TransportReceiver } from "./transport.ts";
import { unref, Watchdog } from "./watchdog.ts";

/** What is needed of a stream, in the words of Node's Duplex. */
export interface DuplexStream {
  readonly destroyed: boolean;
  readonly readableEnded: boolean;
  readonly writableFinished: boolean;
  on(event: "data", listener: (piece: unknown) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end" | "finish" | "drain" | "close", listener: () => void): unknown;
  write(bytes: Uint8Array, written?: () => void): boolean;
  cork(): void;
  uncork(): void;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
}

/**
 * Messages over a stream of bytes that behaves as Node's Duplex does.
 *
 *     open ── close() or the peer's end ──> closing ── both ends closed ──> closed
 *       └───── error, breached limit or destroy() ─────┴────────────────────> closed
 *
 * What is sent in one turn of the event loop leaves after all microtasks of that turn, in one write or, of more than 4 KiB, in
 * several on the way. While the network is busy, messages gather, up to `maxQueuedBytes`. Whatever goes wrong ends this one
 * connection and reaches the receiver's `closed`: no error of the stream, of its peer's bytes or of the receiver itself escapes
 * from here.
 */
export class FramedStreamTransport implements Transport {
  readonly peer: PeerInfo;
  readonly #stream: DuplexStream;
  readonly #outbox: Outbox;
  readonly #frames: FrameReader;
  readonly #maxFrameBytes: number;
  readonly #softQueuedBytes: number;
  readonly #maxQueuedBytes: number;
  readonly #slowReader: Watchdog;
  readonly #firstMessage: Watchdog;
  readonly #partialFrame: Watchdog;
  readonly #closeLimit: Watchdog;
  readonly #gone: Promise<void>;
  #resolveGone!: () => void;
  #receiver: TransportReceiver | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #reading = true;
  /** A whole frame has come. */
  #heard = false;
  /** Set while reading rests, because too much waits for the peer. */
  #rest: ReturnType<typeof setTimeout> | undefined;
  /** The peer has ended its side; frames that came before may still wait for reading to resume. */
  #inputEnded = false;
  /** Whether `closed` is due or done, and with what. */
  #outcome: { readonly error: CapnpError | undefined } | undefined;
  /** What `buffered` was when the frame that is coming in last made progress. */
  #partialMark = 0;
  #flushing = false;
  /** The stream's buffer is full: nothing is handed to it before its `drain`. */
  #held = false;
  /** Written and not yet acknowledged. */
  readonly #inFlight = new Set<readonly OutboundPiece[]>();
  #bytesInFlight = 0;
  readonly #largest = new LargestWaiting();
  #bytesReceived = 0;

  /**
   * Takes the stream over: nobody else may read, write, pause or encode it. Its errors are handled from here on.
   *
   * @param reuse Whether the stream has no more use for bytes whose write it acknowledged: see `Outbox`.
   */
  constructor(stream: DuplexStream, peer: PeerInfo, reuse: boolean, options: TransportOptions = {}) {
    const limits = readStreamLimits(options);
    this.#stream = stream;
    this.peer = options.peer ?? peer;
    this.#outbox = new Outbox(reuse);
    this.#maxFrameBytes = limits.maxFrameBytes;
    this.#frames = new FrameReader({
      maxSegments: limits.maxSegments,
      maxFrameBytes: Math.min(limits.maxFirstFrameBytes, limits.maxFrameBytes),
    });
    this.#softQueuedBytes = limits.softQueuedBytes;
    this.#maxQueuedBytes = limits.maxQueuedBytes;
    this.#slowReader = this.#watch(limits.slowReaderTimeout, "slowReaderTimeout", "took nothing of what waits");
    this.#firstMessage = this.#watch(limits.firstMessageTimeout, "firstMessageTimeout", "sent no message");
    this.#partialFrame = this.#watch(limits.partialFrameTimeout, "partialFrameTimeout", "did not go on with a frame");
    // Without a socket nothing else may keep a process alive that waits for `close()`.
    this.#closeLimit = new Watchdog(limits.closeTimeout, () => this.#closeExpired(), true);
    this.#gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    stream.on("error", (error) => this.#shut(translateNodeError(error, "stream", this.peer.address)));
    stream.on("end", () => this.#onEnd());
    stream.on("finish", () => this.#onFinish());
    stream.on("drain", () => this.#onDrain());
    stream.on("close", () => this.#onClose());
  }

  get largestQueued(): number {
    return this.#largest.bytes;
  }

  get queued(): number {
    return this.#outbox.bytes + this.#bytesInFlight;
  }

  get bytesReceived(): number {
    return this.#bytesReceived;
  }

  send(segments: readonly Uint8Array[], sent?: () => void): void {
    if (this.#state !== "open") {
      if (sent !== undefined) this.#contain(sent);
      return;
    }
    const waiting = this.queued - this.#largest.bytes;
    if (waiting > this.#maxQueuedBytes) {
      const text = `${waiting} bytes wait for ${this.peer.address}, which reads too slowly; at most maxQueuedBytes = ${this.#maxQueuedBytes} may`;
      this.#shut(new CapnpError("CAPNP_LIMIT", text, { kind: "disconnected" }), true);
      if (sent !== undefined) this.#contain(sent);
      return;
    }
    const before = this.#outbox.bytes;
    const copied = this.#outbox.add(segments, sent);
    this.#largest.added(this.#outbox.bytes - before, this.queued);
    if (!this.#flushing) {
      this.#flushing = true;
      scheduleFlush(this.#flush);
    } else if (this.#outbox.bytes >= earlyWriteBytes) {
      this.#writeOut();
    }
    if (copied && sent !== undefined) this.#contain(sent);
  }

  start(receiver: TransportReceiver): void {
    if (this.#receiver !== undefined) throw new CapnpError("CAPNP_CALL", "this transport has been started already");
    this.#receiver = receiver;
    if (this.#outcome !== undefined) {
      queueMicrotask(() => this.#tell());
      return;
    }
    if (this.#stream.destroyed || this.#stream.readableEnded) {
      const text = `the stream of ${this.peer.address} was closed before the transport was started`;
      this.#shut(new CapnpError("CAPNP_DISCONNECTED", text), true);
      return;
    }
    // Closed before it was started: what comes in is discarded, and only the end is told.
    if (this.#state !== "open") return;
    this.#firstMessage.start();
    this.#stream.on("data", (piece: unknown) => this.#onData(piece));
    if (this.#reading) this.#stream.resume();
    else this.#stream.pause();
  }

  /**
   * Frames of a piece that has been read already are kept, in order, while reading is paused, and delivered first, in a later
   * microtask, when it resumes. After `close` there is no pause any more: the peer's end of stream must come through.
   */
  setReading(reading: boolean): void {
    if (this.#reading === reading || this.#state !== "open") return;
    this.#reading = reading;
    if (this.#receiver === undefined) return;
    if (reading) {
      this.#resume();
    } else {
      this.#stream.pause();
      this.#partialFrame.stop();
    }
  }

  /** Messages that come in before the peer has ended its side, too, are still delivered. */
  close(): Promise<void> {
    if (this.#state === "open") this.#beginClose();
    return this.#gone;
  }

  /** The receiver's `closed` follows in a microtask, so that `destroy` is safe to call from anywhere. */
  destroy(error?: CapnpError): void {
    const text = `the connection with ${this.peer.address} was destroyed on this side`;
    this.#shut(error ?? new CapnpError("CAPNP_DISCONNECTED", text), true);
  }

  // Outward

  readonly #flush = (): void => {
    this.#flushing = false;
    this.#writeOut();
  };

  #writeOut(): void {
    if (this.#state === "closed" || this.#held) return;
    try {
      while (this.#outbox.bytes > 0 && !this.#held) this.#write(this.#outbox.take(writeBytes));
      if (this.#state === "closing" && this.#outbox.bytes === 0) this.#stream.end();
      if (this.queued > this.#softQueuedBytes) this.#restFromReading();
    } catch (error) {
      this.#shut(translateNodeError(error, "stream", this.peer.address), true);
    }
  }

  #write(pieces: readonly OutboundPiece[]): void {
    let bytes = 0;
    for (let i = 0; i < pieces.length; i++) bytes += pieces[i]!.bytes.byteLength;
    this.#inFlight.add(pieces);
    this.#bytesInFlight += bytes;
    const last = pieces.length - 1;
    if (last > 0) this.#stream.cork();
    for (let i = 0; i < last; i++) this.#stream.write(pieces[i]!.bytes);
    this.#held = !this.#stream.write(pieces[last]!.bytes, () => this.#written(pieces, bytes));
    if (last > 0) this.#stream.uncork();
    if (this.#held) this.#slowReader.start();
  }

  #written(pieces: readonly OutboundPiece[], bytes: number): void {
    // A write that fails is acknowledged too, after #shut has dropped it; its buffers are left to the garbage collector then.
    if (!this.#inFlight.delete(pieces)) return;
    this.#bytesInFlight -= bytes;
    this.#largest.took(bytes);
    for (let i = 0; i < pieces.length; i++) {
      const piece = pieces[i]!;
      if (piece.pooled !== undefined) giveBuffer(piece.pooled);
      if (piece.sent !== undefined) this.#contain(piece.sent);
    }
    if (this.#rest !== undefined && this.queued <= this.#softQueuedBytes) this.#readAgain();
  }

  #onDrain(): void {
    this.#held = false;
    this.#slowReader.stop();
    this.#flush();
  }

  // Inward

  #onData(piece: unknown): void {
    if (this.#outcome !== undefined) return;
    if (!(piece instanceof Uint8Array)) {
      const text = `the stream of ${this.peer.address} gives ${typeof piece}s, not bytes; do not set an encoding or object mode`;
      this.#shut(new CapnpError("CAPNP_TYPE", text));
      return;
    }
    this.#bytesReceived += piece.byteLength;
    this.#frames.push(piece);
    this.#deliver();
    if (this.queued > this.#softQueuedBytes) this.#restFromReading();
  }

  #restFromReading(): void {
    if (this.#rest !== undefined || !this.#reading || this.#receiver === undefined || this.#state !== "open") return;
    this.#stream.pause();
    this.#rest = setTimeout(() => this.#readAgain(), restTime);
    unref(this.#rest);
  }

  #readAgain(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    if (this.#reading && this.#state === "open" && !this.#inputEnded) this.#stream.resume();
  }

  #deliver(): void {
    const receiver = this.#receiver!;
    let delivered = 0;
    try {
      while (this.#reading && this.#outcome === undefined) {
        let segments: Uint8Array[] | undefined;
        try {
          segments = this.#frames.next();
        } catch (error) {
          this.#garbled(this.#frameError(receiverError(error)));
          return;
        }
        if (segments === undefined) break;
        delivered++;
        if (!this.#heard) {
          this.#heard = true;
          this.#frames.maxFrameBytes = this.#maxFrameBytes;
        }
        receiver.message(segments);
      }
      if (delivered > 0) this.#firstMessage.dispose();
      if (this.#outcome === undefined) receiver.readEnd?.();
    } catch (error) {
      this.#shut(receiverError(error));
      return;
    }
    this.#watchPartialFrame(delivered > 0);
  }

  #frameError(error: CapnpError): CapnpError {
    if (this.#heard || error.code !== "CAPNP_FRAME_TOO_LARGE") return error;
    const text = `${error.message}; this was the first frame of a connection, for which maxFirstFrameBytes holds, too`;
    return new CapnpError("CAPNP_FRAME_TOO_LARGE", text, { cause: error });
  }

  #watchPartialFrame(progress: boolean): void {
    const buffered = this.#frames.buffered;
    if (buffered === 0 || !this.#reading || this.#outcome !== undefined) {
      this.#partialFrame.stop();
    } else if (progress || buffered >= this.#partialMark + partialProgress) {
      this.#partialMark = buffered;
      this.#partialFrame.restart();
    } else {
      this.#partialFrame.start();
    }
  }

  /** Delivers what was kept, then reads on; in a microtask, so that a receiver is never called from within its own call. */
  #resume(): void {
    queueMicrotask(() => {
      if (!this.#reading || this.#outcome !== undefined) return;
      if (this.#receiver !== undefined && this.#frames.buffered > 0) this.#deliver();
      if (!this.#reading || this.#outcome !== undefined) return;
      if (this.#inputEnded) this.#finishInput();
      else if (this.#rest === undefined) this.#stream.resume();
    });
  }

  #onEnd(): void {
    this.#inputEnded = true;
    if (this.#reading) this.#finishInput();
  }

  #finishInput(): void {
    if (this.#outcome !== undefined) {
      this.#onFinish();
      return;
    }
    try {
      this.#frames.end();
    } catch (error) {
      const text = `${this.peer.address} broke off: ${error instanceof Error ? error.message : String(error)}`;
      this.#garbled(new CapnpError("CAPNP_TRUNCATED", text, { kind: "disconnected", cause: error }));
      return;
    }
    this.#report(undefined);
    if (this.#state === "open") this.#beginClose();
    this.#onFinish();
  }

  // The end

  /** Input is at its end, whether the peer knows it or not; the way out may still carry a last word. */
  #garbled(error: CapnpError): void {
    if (this.#state !== "open") {
      this.#shut(error);
      return;
    }
    this.#outcome = { error };
    this.#partialFrame.dispose();
    this.#firstMessage.dispose();
    this.#contain(() => this.#receiver?.garbled?.(error));
    // The way out may have been shut meanwhile, by the receiver or because it threw.
    if (this.#receiver !== undefined) this.#tell();
    if (this.#isOpen) this.#beginClose();
    this.#onFinish();
  }

  get #isOpen(): boolean {
    return this.#state === "open";
  }

  #beginClose(): void {
    if (this.#rest !== undefined) this.#readAgain();
    this.#state = "closing";
    this.#closeLimit.start();
    if (!this.#reading || this.#receiver === undefined) {
      this.#reading = true;
      this.#resume();
    }
    if (!this.#flushing) this.#flush();
  }

  /** Both sides have ended: not every Duplex destroys itself then. */
  #onFinish(): void {
    if (this.#inputEnded && this.#stream.writableFinished) this.#stream.destroy();
  }

  #onClose(): void {
    const text = `the stream of ${this.peer.address} was closed without an end`;
    this.#shut(new CapnpError("CAPNP_DISCONNECTED", text));
    this.#closeLimit.dispose();
    this.#resolveGone();
  }

  #closeExpired(): void {
    const text = `${this.peer.address} did not take what was queued and end its side within closeTimeout`;
    this.#shut(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
    this.#resolveGone();
  }

  /** Frees everything and reports, unless an outcome was reported before. */
  #shut(error: CapnpError, later = false): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#rest);
    for (const watchdog of [this.#slowReader, this.#firstMessage, this.#partialFrame]) watchdog.dispose();
    this.#stream.destroy();
    this.#closeLimit.start();
    if (this.#outcome === undefined) this.#report(error, later);
    for (const pieces of this.#inFlight)
      for (const piece of pieces) if (piece.sent !== undefined) this.#contain(piece.sent);
    this.#inFlight.clear();
    this.#bytesInFlight = 0;
    for (const piece of this.#outbox.take(Number.POSITIVE_INFINITY))
      if (piece.sent !== undefined) this.#contain(piece.sent);
  }

  #report(error: CapnpError | undefined, later = false): void {
    this.#outcome = { error };
    if (this.#receiver === undefined) return;
    if (later) queueMicrotask(() => this.#tell());
    else this.#tell();
  }

  #tell(): void {
    tellClosed(this.#receiver!, this.#outcome!.error);
  }

  /** For callbacks that must not throw. When one does, the connection is lost; if it is already, a warning is all that is left. */
  #contain(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      if (this.#state === "closed") printStray(error);
      else this.#shut(receiverError(error), true);
    }
  }

  #watch(limit: number, option: string, what: string): Watchdog {
    return new Watchdog(limit, () => {
      const text = `${this.peer.address} ${what} for ${limit} ms (${option})`;
      this.#shut(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
    });
  }
}

/**
 * The most that is handed to the stream before it says that it wants more. It bounds what one acknowledgement stands for: a peer
 * that takes this much within `slowReaderTimeout` is slow, not dead.
 */
const writeBytes = 256 * 1024;
/**
 * What has gathered in a turn is written when it is this much, so that the peer works on it while this side makes the rest:
 * nearly twice as many calls with 128 in flight, measured with 1, 2, 4 and 8 KiB and without.
 */
const earlyWriteBytes = 4096;
const partialProgress = 64 * 1024;
/** Milliseconds between two chunks of a peer that does not read. */
const restTime = 20;

/**
 * After this turn's microtasks, where the answers of `async` methods are made, and before the event loop turns: a tick that is
 * queued by a microtask runs when the microtasks have run out. `queueMicrotask` alone would cut a turn into many writes, as it does
 * where there are no ticks; `setImmediate` gathers no more than this but waits for every other socket's events first.
 */
export function scheduleFlush(flush: () => void): void {
  queueMicrotask(() => nextTick(flush));
}

const nextTick: (callback: () => void) => void = globalThis.process?.nextTick ?? queueMicrotask;
