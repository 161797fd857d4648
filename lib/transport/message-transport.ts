import { CapnpError } from "../errors.ts";
import { decodeFrame, encodeFrame } from "../serialization/framing.ts";
import { LargestWaiting } from "./largest-waiting.ts";
import { readStreamLimits, type StreamLimitName } from "./limits.ts";
import type { TransportOptions } from "./options.ts";
import { printStray, receiverError, tellClosed } from "./receiver-error.ts";
import type { PeerInfo, Transport, TransportReceiver } from "./transport.ts";
import { unref, Watchdog } from "./watchdog.ts";

/** What carries whole messages by itself: a WebSocket, a MessagePort, an IPC channel. */
export interface MessageCarrier {
  /** Begins to report to the sink, once. */
  open(sink: CarrierSink): void;
  /** Hands one frame over, for the carrier to keep. */
  send(frame: Uint8Array): void;
  /** Calls `taken` for what was taken meanwhile, where the carrier does not hear of it by itself. */
  update?(): void;
  /** Bytes that have come so far, where they are known before a message is whole. */
  readonly bytesReceived?: number;
  /** So many bytes of frames have reached the receiver. */
  consumed?(bytes: number): void;
  /** Stops or resumes the source. Without it, what comes in while nothing is read is held here. */
  setReading?(reading: boolean): void;
  /** Ends this side after what was sent; `error` says why, for the peer. */
  end(error?: CapnpError): void;
  /** Cuts the connection off, such that the peer does not take it for a clean end. */
  destroy(error: CapnpError): void;
}

/** What a carrier reports. Each is called synchronously, in order. */
export interface CarrierSink {
  /** One message. Its bytes are the sink's. */
  frame(bytes: Uint8Array): void;
  /** The network, or the peer, has taken so many bytes more of the frames that were sent. */
  taken(bytes: number): void;
  /** What came is no message; nothing more is read. */
  garbled(error: CapnpError): void;
  /** The peer has ended its side: cleanly, or with an error that says why not. */
  ended(error?: CapnpError): void;
  /** Something went wrong here; the connection is to be cut off. */
  failed(error: CapnpError): void;
  /** Both sides are closed. */
  gone(): void;
}

/**
 * Messages over what carries whole messages; each is one frame. It keeps the promises of the byte streams' transport, with the
 * same limits and the same states (see there).
 */
export class MessageTransport implements Transport {
  readonly peer: PeerInfo;
  readonly #carrier: MessageCarrier;
  readonly #limits: Record<StreamLimitName, number>;
  readonly #slowReader: Watchdog;
  readonly #firstMessage: Watchdog;
  readonly #closeLimit: Watchdog;
  readonly #gone: Promise<void>;
  #resolveGone!: () => void;
  #receiver: TransportReceiver | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #reading = true;
  /** Set while reading rests, because too much waits for the peer. */
  #rest: ReturnType<typeof setTimeout> | undefined;
  #heard = false;
  /** What came while nothing was read. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #draining = false;
  #queued = 0;
  readonly #largest = new LargestWaiting();
  #bytesReceived = 0;
  /** The carrier is closed, though frames that it brought may still be held. */
  #isGone = false;
  /** The peer has ended its side, though frames may still be held. */
  #inputEnd: { readonly error: CapnpError | undefined } | undefined;
  /** Whether `closed` is due or done, and with what. */
  #outcome: { readonly error: CapnpError | undefined } | undefined;

  constructor(carrier: MessageCarrier, peer: PeerInfo, options: TransportOptions = {}) {
    const limits = readStreamLimits(options);
    this.#carrier = carrier;
    this.#limits = limits;
    this.peer = options.peer ?? peer;
    this.#slowReader = this.#watch(limits.slowReaderTimeout, "slowReaderTimeout", "took nothing of what waits", () => {
      const before = this.#queued;
      return this.queued < before;
    });
    this.#firstMessage = this.#watch(limits.firstMessageTimeout, "firstMessageTimeout", "sent no message");
    this.#closeLimit = new Watchdog(limits.closeTimeout, () => this.#closeExpired());
    this.#gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
    carrier.setReading?.(false);
    carrier.open({
      frame: (bytes) => this.#onFrame(bytes),
      taken: (bytes) => this.#onTaken(bytes),
      garbled: (error) => this.#garbled(error),
      ended: (error) => this.#onEnded(error),
      failed: (error) => this.#shut(error),
      gone: () => this.#onGone(),
    });
  }

  get bytesReceived(): number {
    return this.#carrier.bytesReceived ?? this.#bytesReceived;
  }

  get largestQueued(): number {
    return this.#largest.bytes;
  }

  get queued(): number {
    if (this.#queued > 0) this.#carrier.update?.();
    return this.#queued;
  }

  send(segments: readonly Uint8Array[], sent?: () => void): void {
    if (this.#state === "open" && !this.#isGone) {
      const waiting = this.queued - this.#largest.bytes;
      const { maxQueuedBytes, softQueuedBytes } = this.#limits;
      if (waiting > maxQueuedBytes) {
        const text = `${waiting} bytes wait for ${this.peer.address}, which reads too slowly; at most maxQueuedBytes = ${maxQueuedBytes} may`;
        this.#shut(new CapnpError("CAPNP_LIMIT", text, { kind: "disconnected" }), true);
      } else {
        this.#pass(encodeFrame(segments));
        if (this.#queued > softQueuedBytes) this.#restFromReading();
      }
    }
    if (sent !== undefined) this.#contain(sent);
  }

  #pass(frame: Uint8Array): void {
    this.#queued += frame.byteLength;
    this.#largest.added(frame.byteLength, this.#queued);
    this.#slowReader.start();
    try {
      this.#carrier.send(frame);
    } catch (error) {
      this.#shut(receiverError(error), true);
    }
  }

  #onTaken(bytes: number): void {
    this.#largest.took(bytes);
    // Of what was dropped since, nothing is counted any more.
    this.#queued = Math.max(0, this.#queued - bytes);
    if (this.#queued > 0) this.#slowReader.restart();
    else this.#slowReader.stop();
    if (this.#rest !== undefined && this.#queued <= this.#limits.softQueuedBytes) this.#readAgain();
  }

  start(receiver: TransportReceiver): void {
    if (this.#receiver !== undefined) throw new CapnpError("CAPNP_CALL", "this transport has been started already");
    this.#receiver = receiver;
    if (this.#outcome !== undefined) {
      queueMicrotask(() => this.#tell());
      return;
    }
    if (this.#state !== "open") return;
    this.#firstMessage.start();
    this.#flow();
  }

  setReading(reading: boolean): void {
    if (this.#reading === reading || this.#state !== "open") return;
    this.#reading = reading;
    this.#flow();
  }

  close(): Promise<void> {
    if (this.#state === "open") this.#beginClose(this.#outcome?.error);
    return this.#gone;
  }

  destroy(error?: CapnpError): void {
    const text = `the connection with ${this.peer.address} was destroyed on this side`;
    this.#shut(error ?? new CapnpError("CAPNP_DISCONNECTED", text), true);
  }

  // Inward

  /** Frames go to the receiver as they come; otherwise they are held. */
  get #isFlowing(): boolean {
    if (this.#receiver === undefined) return this.#state === "closing";
    return this.#reading && this.#rest === undefined;
  }

  #flow(): void {
    if (!this.#isFlowing) {
      this.#carrier.setReading?.(false);
      return;
    }
    if (this.#held.length > 0 || this.#inputEnd !== undefined) this.#drainLater();
    else this.#carrier.setReading?.(true);
  }

  #onFrame(bytes: Uint8Array): void {
    this.#bytesReceived += bytes.byteLength;
    if (this.#outcome !== undefined || this.#inputEnd !== undefined) return;
    if (this.#isFlowing && this.#held.length === 0) {
      this.#deliver(bytes);
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.byteLength;
    const { maxHeldBytes } = this.#limits;
    if (this.#heldBytes > maxHeldBytes && this.#carrier.setReading === undefined) {
      const text = `${this.#heldBytes} bytes came from ${this.peer.address} while nothing was read; at most maxHeldBytes = ${maxHeldBytes} may`;
      this.#shut(new CapnpError("CAPNP_LIMIT", text, { kind: "disconnected" }));
    }
  }

  /** In a microtask, so that a receiver is never called from within its own call. */
  #drainLater(): void {
    if (this.#draining) return;
    this.#draining = true;
    queueMicrotask(() => {
      this.#draining = false;
      while (this.#held.length > 0 && this.#isFlowing && this.#outcome === undefined) {
        const bytes = this.#held.shift()!;
        this.#heldBytes -= bytes.byteLength;
        this.#deliver(bytes);
      }
      if (!this.#isFlowing || this.#outcome !== undefined) return;
      if (this.#inputEnd !== undefined) this.#finishInput(this.#inputEnd.error);
      else this.#carrier.setReading?.(true);
    });
  }

  #deliver(bytes: Uint8Array): void {
    this.#carrier.consumed?.(bytes.byteLength);
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    let segments: Uint8Array[];
    try {
      segments = this.#decode(bytes);
    } catch (error) {
      this.#garbled(receiverError(error));
      return;
    }
    this.#heard = true;
    this.#firstMessage.dispose();
    try {
      receiver.message(segments);
      if (this.#outcome === undefined) receiver.readEnd?.();
    } catch (error) {
      this.#shut(receiverError(error));
      return;
    }
    if (this.queued > this.#limits.softQueuedBytes) this.#restFromReading();
  }

  #decode(bytes: Uint8Array): Uint8Array[] {
    const { maxSegments, maxFrameBytes, maxFirstFrameBytes } = this.#limits;
    const isFirstLimit = !this.#heard && maxFirstFrameBytes < maxFrameBytes;
    try {
      const limits = { maxSegments, maxFrameBytes: isFirstLimit ? maxFirstFrameBytes : maxFrameBytes };
      const { segments, end } = decodeFrame(bytes, limits);
      if (end === bytes.byteLength) return segments;
      const text = `${bytes.byteLength - end} bytes follow the message in what ${this.peer.address} sent as one; each must come by itself`;
      throw new CapnpError("CAPNP_FRAME", text);
    } catch (error) {
      if (!(error instanceof CapnpError) || error.code !== "CAPNP_FRAME_TOO_LARGE" || !isFirstLimit) throw error;
      const text = `${error.message}; this was the first frame of a connection, for which maxFirstFrameBytes holds, too`;
      throw new CapnpError("CAPNP_FRAME_TOO_LARGE", text, { cause: error });
    }
  }

  #restFromReading(): void {
    if (this.#rest !== undefined || !this.#reading || this.#receiver === undefined || this.#state !== "open") return;
    this.#rest = setTimeout(() => this.#readOne(), restTime);
    unref(this.#rest);
    this.#flow();
  }

  /** One frame passes; the answer to it may start the next rest. */
  #readOne(): void {
    this.#rest = undefined;
    const bytes = this.#held.shift();
    if (bytes !== undefined && this.#isFlowing && this.#outcome === undefined) {
      this.#heldBytes -= bytes.byteLength;
      this.#deliver(bytes);
    } else if (bytes !== undefined) {
      this.#held.unshift(bytes);
    }
    this.#flow();
  }

  #readAgain(): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#flow();
  }

  // The end

  #garbled(error: CapnpError): void {
    if (this.#outcome !== undefined) return;
    if (this.#state !== "open") {
      this.#shut(error);
      return;
    }
    this.#outcome = { error };
    this.#firstMessage.dispose();
    this.#forget();
    this.#contain(() => this.#receiver?.garbled?.(error));
    if (this.#receiver !== undefined) this.#tell();
    if (this.#isOpen) this.#beginClose(error);
  }

  get #isOpen(): boolean {
    return this.#state === "open";
  }

  #onEnded(error: CapnpError | undefined): void {
    if (this.#inputEnd !== undefined) return;
    this.#inputEnd = { error };
    // A connection that broke off is over, whatever is still held; a clean end comes after it.
    if (error !== undefined) this.#shut(error);
    else if (this.#held.length === 0 && this.#isFlowing) this.#finishInput(undefined);
  }

  #finishInput(error: CapnpError | undefined): void {
    if (this.#outcome !== undefined) return;
    this.#report(error);
    if (this.#state === "open") this.#beginClose();
  }

  #beginClose(error?: CapnpError): void {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    this.#state = "closing";
    this.#closeLimit.start();
    // Also where reading was paused or has not started: the peer's end must come through.
    this.#reading = true;
    try {
      this.#carrier.end(error);
    } catch (thrown) {
      this.#shut(receiverError(thrown), true);
      return;
    }
    this.#flow();
  }

  #onGone(): void {
    this.#isGone = true;
    // Frames before a clean end may still be held for a receiver that has paused.
    if (this.#inputEnd === undefined) {
      const text = `the connection with ${this.peer.address} was closed without an end`;
      this.#shut(new CapnpError("CAPNP_DISCONNECTED", text));
    }
    this.#slowReader.dispose();
    this.#closeLimit.dispose();
    this.#queued = 0;
    this.#resolveGone();
  }

  #closeExpired(): void {
    const text = `${this.peer.address} did not take what was queued and end its side within closeTimeout`;
    this.#shut(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
    this.#resolveGone();
  }

  #shut(error: CapnpError, later = false): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearTimeout(this.#rest);
    this.#slowReader.dispose();
    this.#firstMessage.dispose();
    this.#forget();
    this.#queued = 0;
    this.#closeLimit.start();
    if (this.#outcome === undefined) this.#report(error, later);
    this.#contain(() => this.#carrier.destroy(error));
  }

  #forget(): void {
    this.#held = [];
    this.#heldBytes = 0;
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

  #watch(limit: number, option: string, what: string, wasHeard?: () => boolean): Watchdog {
    return new Watchdog(limit, () => {
      if (wasHeard?.()) return;
      const text = `${this.peer.address} ${what} for ${limit} ms (${option})`;
      this.#shut(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
    });
  }
}

/** Milliseconds between two messages of a peer that does not read. */
const restTime = 20;
