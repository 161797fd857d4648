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
  /** 1 for the first connection of the client, then 2, 3 and so on. */
  readonly number: number;
  readonly #transport: Transport;
  readonly #over = new AbortController();

  /** @internal */
  constructor(transport: Transport, options: VatOptions, number: number) {
    super(transport, options);
    this.#transport = transport;
    this.number = number;
    void this.closed.then((reason) => this.#over.abort(reason));
  }

  /** Aborted when the connection is over, or another one has taken its place: time to stop what was begun for it. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** @internal */
  static replaced(session: Session): void {
    session.#over.abort(new CapnpError("CAPNP_DISCONNECTED", "Another connection has taken the place of this one."));
  }

  /** @internal */
  static watch(session: Session, times: { readonly idle: number; readonly timeout: number }, clock: Clock): void {
    watchPeer(session, session.#transport, times, clock);
  }

  /** Resolves when the peer has answered something; rejects where the connection is over before. @internal */
  static async greeted(session: Session): Promise<void> {
    try {
      await askForSign(session);
    } catch {
      // That it has no such capability is an answer.
      if (session.closedBy !== undefined) throw session.closedBy;
    }
  }
}
