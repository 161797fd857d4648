import { CapnpError } from "./errors.ts";
import { type Clock, systemClock } from "./rpc/clock.ts";
import type { TwoPartyServer } from "./two-party-vat.ts";

/** How often in `idleTimeout` it is looked. */
const looks = 4;

/**
 * Ends connections on which nothing was said for a while and nothing is under way. One timer looks at all of them, so that a
 * connection that is idle, of which there may be thousands, costs neither a timer of its own nor a look at the clock for each message.
 */
export class IdleWatch {
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #connections: ReadonlySet<TwoPartyServer>;
  readonly #lastSeen = new WeakMap<TwoPartyServer, { readonly messages: number; readonly since: number }>();
  #stop: (() => void) | undefined;

  /** @param limit Milliseconds; 0 and Infinity turn it off. */
  constructor(limit: number, connections: ReadonlySet<TwoPartyServer>, clock: Clock = systemClock) {
    this.#limit = limit;
    this.#clock = clock;
    this.#connections = connections;
    if (limit > 0 && limit < Number.POSITIVE_INFINITY) this.#wait();
  }

  #wait(): void {
    this.#stop = this.#clock.after(this.#limit / looks, () => {
      this.#look();
      this.#wait();
    });
  }

  #look(): void {
    const now = this.#clock.now();
    for (const connection of this.#connections) {
      const { sent, received, running, questions } = connection.stats();
      const messages = sent + received;
      const last = this.#lastSeen.get(connection);
      if (last === undefined || last.messages !== messages || running + questions > 0) {
        this.#lastSeen.set(connection, { messages, since: now });
      } else if (now - last.since >= this.#limit) {
        const text = `${connection.peer.address} was silent for ${this.#limit} ms, and no call was at work (idleTimeout)`;
        connection.abort(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
      }
    }
  }

  stop(): void {
    this.#stop?.();
  }
}
