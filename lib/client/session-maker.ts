import { CapnpError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Clock } from "../rpc/clock.ts";
import type { Transport } from "../transport/transport.ts";
import type { VatOptions } from "../two-party-vat.ts";
import { pause } from "./backoff.ts";
import { Session } from "./session.ts";

export interface SessionMakerOptions {
  readonly vat: VatOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly keepalive: { readonly idle: number; readonly timeout: number };
  readonly onSession: ((session: Session, context: { readonly signal: AbortSignal }) => unknown) | undefined;
  readonly sessionTimeout: number;
  readonly connectionGrace: number;
}

/** Makes the sessions of a client, lets go of those that are replaced, and knows which are open. */
export class SessionMaker {
  readonly #options: SessionMakerOptions;
  readonly #open = new Set<Session>();
  readonly #stop: AbortSignal;
  #count = 0;

  /** @param stop Aborted when the client is closed. */
  constructor(options: SessionMakerOptions, stop: AbortSignal) {
    this.#options = options;
    this.#stop = stop;
  }

  /** A session that has been answered: what only accepts connections, and says nothing, is no server. */
  async greet(transport: Transport, signal: AbortSignal): Promise<Session> {
    const { vat, keepalive, clock } = this.#options;
    const session = new Session(transport, vat);
    this.#open.add(session);
    void session.closed.then(() => this.#open.delete(session));
    signal.throwIfAborted();
    await Session.greeted(session);
    Session.begin(session, ++this.#count, keepalive, clock);
    return session;
  }

  /**
   * Runs `onSession`, and waits for it for a while. Where it fails, so does the session.
   *
   * @param failedLater Told where it fails after that.
   */
  async prepare(session: Session, failedLater: (error: unknown) => void): Promise<void> {
    const { onSession, sessionTimeout, clock, logger } = this.#options;
    if (onSession === undefined) return;
    let isStanding = false;
    const work = (async () => {
      await onSession(session, { signal: session.signal });
    })();
    const failed = work.catch((error: unknown) => {
      // After the connection is over, its failure is only an echo of that.
      if (isStanding && session.closedBy === undefined) {
        logger.error({ err: error, session: session.number }, "onSession failed; the connection is closed");
        failedLater(error);
        void session.close();
      }
      throw error;
    });
    failed.catch(() => undefined);
    let stopTimer = (): void => undefined;
    const enough = new Promise<void>((resolve) => {
      if (sessionTimeout !== Number.POSITIVE_INFINITY) stopTimer = clock.after(sessionTimeout, resolve);
    });
    const over = session.closed.then((reason) => {
      throw reason;
    });
    over.catch(() => undefined);
    try {
      await Promise.race([failed, enough, over]);
      isStanding = true;
    } catch (error) {
      if (session.closedBy === undefined) await session.close();
      throw error;
    } finally {
      stopTimer();
    }
  }

  /** Lets the calls on a session return that no new ones go to, and closes it. */
  async retire(session: Session): Promise<void> {
    const { clock, connectionGrace } = this.#options;
    Session.replaced(session);
    const until = clock.now() + connectionGrace;
    while (session.closedBy === undefined && session.stats().questions > 0 && clock.now() < until) {
      await pause(clock, Math.min(retireLook, until - clock.now()), this.#stop);
      if (this.#stop.aborted) break;
    }
    await session.close();
  }

  /** Closes all that is open. */
  async close(): Promise<void> {
    await Promise.all([...this.#open].map((session) => session.close()));
  }
}

/** Milliseconds between two looks whether a session that was replaced is done. */
const retireLook = 50;

/** What will not be better the next time, as far as anybody can tell: the first time it is told to who connects. */
export const isHopeless = (error: unknown): boolean =>
  !(error instanceof CapnpError) || error.kind !== "disconnected" || error.code === "CAPNP_TLS";
