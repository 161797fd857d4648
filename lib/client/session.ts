import { CapnpError } from "../errors.ts";
import { Client } from "../rpc/capability/client.ts";
import { type Clock, systemClock } from "../rpc/clock.ts";
import type { Transport } from "../transport/transport.ts";
import { TwoPartyClient, type VatOptions } from "../two-party-vat.ts";
import { whenResolved } from "../when-resolved.ts";
import { Keepalive } from "./keepalive.ts";

/**
 * Asks the peer for its bootstrap capability and gives it back: `Bootstrap`, then `Finish` and `Release`. Every vat must
 * answer that, whatever it was written in; an error is an answer, too.
 */
const askForSign = async (client: TwoPartyClient): Promise<void> => {
  const capability = client.bootstrap();
  try {
    await whenResolved(capability);
  } finally {
    Client.release(capability);
  }
};

/** Ends a connection whose peer has fallen silent: its calls reject with what it is told, of kind `disconnected`. */
export const watchPeer = (
  client: TwoPartyClient,
  transport: Transport,
  times: { readonly idle: number; readonly timeout: number },
  clock: Clock = systemClock,
): void => {
  const keepalive = new Keepalive(
    {
      signs: () => transport.bytesReceived ?? client.stats().received,
      probe: () => askForSign(client),
      dead: (silence) => {
        const text = `${client.peer.address} has sent nothing for ${Math.round(silence)} ms, and did not answer within ${times.timeout} ms when asked (keepalive)`;
        transport.destroy(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
      },
    },
    times,
    clock,
  );
  void client.closed.then(() => keepalive.stop());
};

/** One connection of a client that reconnects: what `onSession` is given. What it hands out ends with it. */
export class Session extends TwoPartyClient {
  readonly #transport: Transport;
  readonly #over = new AbortController();
  #number = 0;
  #leave!: (reason: CapnpError) => void;
  /** Whether the peer is being asked if it still serves; `again` where it said `disconnected` once more meanwhile. */
  #asking: "no" | "yes" | "again" | "never more" = "no";

  /** Resolves when the peer has said that it serves no more, though the connection stands: it finishes what is at work. @internal */
  readonly leaving: Promise<CapnpError>;

  /** @internal */
  constructor(transport: Transport, options: VatOptions) {
    super(transport, options);
    this.#transport = transport;
    this.leaving = new Promise((resolve) => {
      this.#leave = resolve;
    });
    void this.closed.then((reason) => this.#over.abort(reason));
  }

  /** 1 for the first connection of the client, then 2, 3 and so on. */
  get number(): number {
    return this.#number;
  }

  /** Aborted when the connection is over, or another one has taken its place: time to stop what was begun for it. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** True while the peer is asked whether it still serves. @internal */
  get isDoubtful(): boolean {
    return this.#asking !== "no";
  }

  /** No call goes to it any more. @internal */
  static replaced(session: Session): void {
    session.#over.abort(
      new CapnpError("CAPNP_DISCONNECTED", "No call goes to this connection any more: another one takes its place."),
    );
  }

  /** The peer has answered: from now on it is watched. @internal */
  static begin(
    session: Session,
    number: number,
    times: { readonly idle: number; readonly timeout: number },
    clock: Clock,
  ): void {
    session.#number = number;
    watchPeer(session, session.#transport, times, clock);
    session.onDisconnectedAnswer(() => session.#askWhetherItServes());
  }

  /**
   * A peer that drains answers every new call with `disconnected`, and stays until those at work have returned, which may take
   * long. But a method may fail with that kind, too, because of a connection of its own. What tells them apart is Bootstrap: a
   * peer that serves has an answer to it.
   */
  #askWhetherItServes(): void {
    if (this.#asking !== "no") {
      if (this.#asking === "yes") this.#asking = "again";
      return;
    }
    this.#asking = "yes";
    askForSign(this).then(
      () => this.#asked(undefined),
      (error: unknown) => this.#asked(error),
    );
  }

  #asked(error: unknown): void {
    const isWantedAgain = this.#asking === "again";
    const isLeaving = isDisconnected(error);
    this.#asking = isLeaving || this.closedBy !== undefined ? "never more" : "no";
    if (isLeaving) this.#leave(error);
    else if (isWantedAgain) this.#askWhetherItServes();
  }

  /** Resolves when the peer has answered something; rejects where the connection is over before, or the peer about to end it. @internal */
  static async greeted(session: Session): Promise<void> {
    try {
      await askForSign(session);
    } catch (error) {
      // That it has no such capability is an answer.
      if (session.closedBy !== undefined) throw session.closedBy;
      if (isDisconnected(error)) throw error;
    }
  }
}

const isDisconnected = (error: unknown): error is CapnpError =>
  error instanceof CapnpError && error.kind === "disconnected";
