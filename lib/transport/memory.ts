import { LargestWaiting } from "./largest-waiting.ts";
import { CapnpError } from "../errors.ts";
import { readLimits } from "../limit.ts";
import { receiverError, tellClosed } from "./receiver-error.ts";
import type { PeerInfo, Transport, TransportReceiver } from "./transport.ts";

/** How good the line is between the two, both ways. A perfect one is the default. */
export interface MemoryLine {
  /** How long a message is under way. Milliseconds. */
  readonly latency?: number;
  /** Bytes of segments that pass in a second. Default Infinity. */
  readonly bandwidth?: number;
  /** The connection is lost, with what is under way, when so many messages have arrived at either end. Default: never. */
  readonly loseAfter?: number;
}

/** Limits in name only: what is none is refused in the same way. */
const line = {
  latency: { kind: "time", default: 0 },
  bandwidth: { kind: "count", default: Number.POSITIVE_INFINITY },
  loseAfter: { kind: "count", default: Number.POSITIVE_INFINITY },
} as const;

export interface MemoryTransportOptions extends MemoryLine {
  /**
   * `async` (the default): each message is delivered in a microtask of its own turn, in order. `stepped`: messages are held until
   * `step`, `deliver`, `deliverAll` or `settle` is called, so that a test decides what happens when; `latency` and `bandwidth` do
   * not count then.
   */
  readonly mode?: "async" | "stepped";
  /** What each end calls the other: the `peer.address` seen by `b` and by `a`. Default `["memory:a", "memory:b"]`. */
  readonly names?: readonly [a: string, b: string];
}

/** Two joined transports in one process. What `a` sends arrives at `b` and the other way round. */
export interface MemoryTransportPair {
  readonly a: MemoryTransport;
  readonly b: MemoryTransport;
  /** Delivers the oldest thing held on either side, a message or an end; false when nothing can be delivered. */
  step(): boolean;
  /**
   * Steps until nothing is left, and says how many steps that took. Two vats that answer each other for ever are stopped with
   * CAPNP_LIMIT after `limit` steps (default 100,000).
   */
  deliverAll(limit?: number): number;
  /** As `deliverAll`, and lets promises and timers of the same moment run in between, until both sides are quiet. */
  settle(limit?: number): Promise<number>;
}

/**
 * Joins two transports. Segments are copied when they are sent, so the sender may use its buffers again at once. Throws CAPNP_TYPE or
 * CAPNP_RANGE for a line that cannot be.
 */
export function memoryTransportPair(options: MemoryTransportOptions = {}): MemoryTransportPair {
  const [nameA, nameB] = options.names ?? ["memory:a", "memory:b"];
  const { latency, bandwidth, loseAfter } = readLimits<keyof MemoryLine>(line, options);
  const shared = { now: 0, delivered: 0, latency, bandwidth, loseAfter };
  const stepped = options.mode === "stepped";
  const a = new MemoryTransport(nameB, stepped, shared);
  const b = new MemoryTransport(nameA, stepped, shared);
  join(a, b);

  const step = (): boolean => {
    const first = (a.nextTime ?? Number.POSITIVE_INFINITY) <= (b.nextTime ?? Number.POSITIVE_INFINITY) ? a : b;
    return first.deliver(1) === 1;
  };
  const deliverAll = (limit = 100_000): number => {
    let steps = 0;
    while (step()) if (++steps > limit) throw new CapnpError("CAPNP_LIMIT", `not quiet after ${limit} steps`);
    return steps;
  };
  const settle = async (limit = 100_000): Promise<number> => {
    let steps = 0;
    for (let quiet = 0; quiet < 2; ) {
      const made = deliverAll(limit);
      steps += made;
      if (steps > limit) throw new CapnpError("CAPNP_LIMIT", `not quiet after ${limit} steps`);
      quiet = made === 0 ? quiet + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return steps;
  };
  return { a, b, step, deliverAll, settle };
}

/** Something on its way: a message, or the end of this direction. It arrives at `due`. */
type Item =
  | { readonly time: number; readonly due: number; readonly segments: Uint8Array[]; readonly bytes: number }
  | { readonly time: number; readonly due: number; readonly end: CapnpError | undefined };

/** What both ends have in common. */
interface SharedLine extends Required<MemoryLine> {
  /** Orders what both directions hold. */
  now: number;
  /** Messages that have arrived, at either end. */
  delivered: number;
}

let join: (a: MemoryTransport, b: MemoryTransport) => void;

/** One end of {@link memoryTransportPair}. */
export class MemoryTransport implements Transport {
  readonly peer: PeerInfo;
  readonly #stepped: boolean;
  readonly #shared: SharedLine;
  /** When the line has room for the next message of this direction. */
  #lineFree = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #other!: MemoryTransport;
  #outgoing: Item[] = [];
  #queued = 0;
  readonly #largest = new LargestWaiting();
  #receiver: TransportReceiver | undefined;
  #reading = true;
  #delivering = false;
  /** No more is sent: `close` or `destroy` was called here, or the other side has ended. */
  #ended = false;
  /** `closed` has been called or is due. */
  #outcome: { readonly error: CapnpError | undefined } | undefined;
  #resolveGone!: () => void;
  readonly #gone: Promise<void>;

  static {
    join = (a, b) => {
      a.#other = b;
      b.#other = a;
    };
  }

  /** Made by {@link memoryTransportPair} only. */
  constructor(peerName: string, stepped: boolean, shared: SharedLine) {
    this.peer = { address: peerName, encrypted: false, authenticated: false };
    this.#stepped = stepped;
    this.#shared = shared;
    this.#gone = new Promise((resolve) => {
      this.#resolveGone = resolve;
    });
  }

  /** The messages that this end has sent and the other has not got yet, oldest first. */
  get held(): readonly (readonly Uint8Array[])[] {
    return this.#outgoing.flatMap((item) => ("segments" in item ? [item.segments] : []));
  }

  get queued(): number {
    return this.#queued;
  }

  get largestQueued(): number {
    return this.#largest.bytes;
  }

  /** When what this end would deliver next was sent, on a clock common to both; undefined when it can deliver nothing now. */
  get nextTime(): number | undefined {
    return this.#canDeliver() ? this.#outgoing[0]!.time : undefined;
  }

  send(segments: readonly Uint8Array[], sent?: () => void): void {
    if (!this.#ended) {
      const copies = segments.map((segment) => segment.slice());
      const bytes = copies.reduce((sum, s) => sum + s.byteLength, 0);
      this.#push({ time: this.#shared.now++, due: this.#dueOf(bytes), segments: copies, bytes });
    }
    sent?.();
  }

  start(receiver: TransportReceiver): void {
    if (this.#receiver !== undefined) throw new CapnpError("CAPNP_CALL", "this transport has been started already");
    this.#receiver = receiver;
    if (this.#outcome !== undefined) queueMicrotask(() => this.#tell());
    else this.#other.#schedule();
  }

  setReading(reading: boolean): void {
    // As with sockets, there is no pause after close: the other side's end must come through.
    if (this.#ended) return;
    this.#reading = reading;
    if (reading) this.#other.#schedule();
  }

  /** The other side gets what is held, then the end; it then ends its own side, and both are closed. */
  close(): Promise<void> {
    this.#end(undefined);
    this.#reading = true;
    this.#other.#schedule();
    return this.#gone;
  }

  /** What this side still holds is dropped, and the other side hears of a lost connection. */
  destroy(error?: CapnpError): void {
    if (this.#outcome === undefined) {
      const text = `the connection with ${this.peer.address} was destroyed on this side`;
      this.#outcome = { error: error ?? new CapnpError("CAPNP_DISCONNECTED", text) };
      queueMicrotask(() => this.#tell());
    }
    this.#outgoing = this.#outgoing.filter((item) => "end" in item);
    this.#queued = 0;
    this.#end(new CapnpError("CAPNP_DISCONNECTED", `${this.#other.peer.address} destroyed the connection`));
    this.#resolveGone();
  }

  /**
   * Delivers up to `count` held messages to the other end, the end of the stream counting as one, and says how many it were: fewer
   * when fewer are held, or when the other end has not started or has stopped reading.
   */
  deliver(count = 1): number {
    const other = this.#other;
    let delivered = 0;
    while (delivered < count && this.#canDeliver()) {
      const item = this.#outgoing.shift()!;
      delivered++;
      if ("end" in item) {
        other.#finish(item.end);
        continue;
      }
      this.#queued -= item.bytes;
      this.#largest.took(item.bytes);
      if (other.#outcome !== undefined || other.#receiver === undefined) continue;
      this.#delivering = true;
      try {
        other.#receiver.message(item.segments);
      } catch (error) {
        other.destroy(receiverError(error));
      } finally {
        this.#delivering = false;
      }
      if (++this.#shared.delivered === this.#shared.loseAfter) {
        this.#lose();
        other.#lose();
      }
    }
    if (delivered > 0 && other.#outcome === undefined) {
      try {
        other.#receiver?.readEnd?.();
      } catch (error) {
        other.destroy(receiverError(error));
      }
    }
    return delivered;
  }

  /** Not from within a delivery of the same direction: messages arrive one after the other, never one within the other. */
  #canDeliver(): boolean {
    const item = this.#outgoing[0];
    if (item === undefined || this.#delivering) return false;
    if (!this.#stepped && item.due > performance.now()) return false;
    const other = this.#other;
    // Who has closed without ever starting discards what comes.
    if (other.#receiver === undefined) return other.#ended;
    return other.#outcome !== undefined || other.#reading;
  }

  #push(item: Item): void {
    this.#outgoing.push(item);
    if ("bytes" in item) {
      this.#queued += item.bytes;
      this.#largest.added(item.bytes, this.#queued);
    }
    this.#schedule();
  }

  /** A line that takes no time needs no clock. */
  #dueOf(bytes: number): number {
    const { latency, bandwidth } = this.#shared;
    if (latency === 0 && bandwidth === Number.POSITIVE_INFINITY) return 0;
    this.#lineFree = Math.max(this.#lineFree, performance.now()) + (bytes / bandwidth) * 1000;
    return this.#lineFree + latency;
  }

  #schedule(): void {
    const [next] = this.#outgoing;
    if (this.#stepped || next === undefined || this.#timer !== undefined) return;
    const deliver = (): void => {
      this.#timer = undefined;
      this.deliver(Number.POSITIVE_INFINITY);
      // What is due later, or has become so meanwhile; what waits for its receiver is scheduled by that.
      if ((this.#outgoing[0]?.due ?? 0) > performance.now() || this.#canDeliver()) this.#schedule();
    };
    if (next.due === 0) queueMicrotask(deliver);
    else this.#timer = setTimeout(deliver, waitFor(next.due));
  }

  /** The line breaks: this end keeps nothing and hears of it. */
  #lose(): void {
    clearTimeout(this.#timer);
    this.#outgoing = [];
    this.#queued = 0;
    this.#ended = true;
    if (this.#outcome === undefined) {
      const text = `the connection with ${this.peer.address} was lost after ${this.#shared.loseAfter} messages (loseAfter)`;
      this.#outcome = { error: new CapnpError("CAPNP_DISCONNECTED", text) };
      queueMicrotask(() => this.#tell());
    }
    this.#resolveGone();
  }

  #end(error: CapnpError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#push({ time: this.#shared.now++, due: this.#dueOf(0), end: error });
  }

  /** The other side's end has arrived here. */
  #finish(error: CapnpError | undefined): void {
    if (this.#outcome === undefined) {
      this.#outcome = { error };
      this.#tell();
    }
    this.#end(undefined);
    this.#resolveGone();
  }

  #tell(): void {
    if (this.#receiver !== undefined) tellClosed(this.#receiver, this.#outcome!.error);
  }
}

/** Node runs a longer timer at once. */
const waitFor = (due: number): number => Math.min(Math.max(0, Math.ceil(due - performance.now())), 2 ** 31 - 1);
