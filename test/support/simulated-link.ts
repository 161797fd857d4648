import { type Flight, FlowController } from "../../lib/rpc/streaming/flow-controller.ts";
import { AdaptiveWindow } from "../../lib/rpc/streaming/flow-window.ts";

interface Message {
  readonly returnsAt: number;
  readonly flight: Flight;
}

/** A stream over a link of some bandwidth and delay, in a time of its own: nothing here waits. */
export class SimulatedLink {
  /** Milliseconds since the beginning. */
  now = 0;
  /** Bytes in a millisecond. */
  bandwidth: number;
  /** Milliseconds from the last byte of a message to its return. */
  delay: number;
  readonly window = new AdaptiveWindow(() => this.now);
  readonly flow = new FlowController(this.window);
  readonly #underWay: Message[] = [];
  /** When the link is done with what it was given. */
  #freeAt = 0;
  #hasRoom = true;

  constructor(bandwidth: number, delay: number) {
    this.bandwidth = bandwidth;
    this.delay = delay;
  }

  /** What must be under way for the link never to be idle. */
  get product(): number {
    return this.bandwidth * this.delay;
  }

  /** Sends one message, whether there is room or not. */
  send(bytes: number): void {
    this.#freeAt = Math.max(this.now, this.#freeAt) + bytes / this.bandwidth;
    const returnsAt = this.#freeAt + this.delay;
    this.#hasRoom = false;
    const flight = this.flow.send(bytes, {
      room: () => {
        this.#hasRoom = true;
      },
      failed: (error) => {
        throw error;
      },
    });
    this.#underWay.push({ returnsAt, flight });
  }

  /** Lets the time go on until the next message has returned; false where none is under way. */
  step(): boolean {
    const next = this.#underWay.shift();
    if (next === undefined) return false;
    this.now = Math.max(this.now, next.returnsAt);
    next.flight.acked();
    return true;
  }

  /** A sender that always has more to send, for so many round trips. */
  saturate(roundTrips: number, bytes = 16_384): void {
    const until = this.now + roundTrips * this.delay;
    while (this.now < until) {
      while (this.#hasRoom) this.send(bytes);
      this.step();
    }
  }

  /** A sender that has one message in each period, for so many of them. */
  trickle(messages: number, bytes: number, period: number): void {
    for (let i = 0; i < messages; i++) {
      this.send(bytes);
      const next = this.now + period;
      while (this.#underWay[0] !== undefined && this.#underWay[0].returnsAt <= next) this.step();
      this.now = next;
    }
  }

  /** Lets all that is under way return. */
  drain(): void {
    while (this.step());
  }
}
