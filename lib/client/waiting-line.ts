import { CapnpError } from "../errors.ts";
import type { CallContext } from "../rpc/capability/call-context.ts";
import type { Clock } from "../rpc/clock.ts";
import type { Session } from "./session.ts";

/** What follows the sessions of a client. */
export interface Follower {
  /** The session that it went by is over, or replaced. */
  left(session: Session): void;
}

interface WaitingCall {
  readonly context: CallContext;
  readonly send: () => void;
  readonly forget: () => void;
  readonly stopTimer: () => void;
}

export interface WaitingLineOptions {
  readonly maxWaitingCalls: number;
  /** Infinity: for ever. */
  readonly waitTimeout: number;
  readonly clock: Clock;
  /** A call has come while there is no session. */
  readonly wanted: () => void;
  /** Why there is none, if that is known. */
  readonly why: () => unknown;
}

/**
 * The session that stands, or the calls that wait for one. They were never sent, so that they can be sent as soon as there is
 * one, in the order in which they were made.
 *
 * State: waiting (calls queue up) <-> standing (calls go to the session) -> closed (calls fail).
 */
export class WaitingLine {
  readonly #options: WaitingLineOptions;
  readonly #followers = new Set<Follower>();
  readonly #waiting = new Set<WaitingCall>();
  #session: Session | undefined;
  #closedBy: CapnpError | undefined;

  constructor(options: WaitingLineOptions) {
    this.#options = options;
  }

  /** The session that calls go to. Undefined also where the connection is over and the client has not been told yet. */
  get session(): Session | undefined {
    return this.#session?.closedBy === undefined ? this.#session : undefined;
  }

  get closedBy(): CapnpError | undefined {
    return this.#closedBy;
  }

  /** How many calls wait. */
  get length(): number {
    return this.#waiting.size;
  }

  follow(follower: Follower): void {
    this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /**
   * Takes a call in.
   *
   * @param send Called when there is a session.
   * @param forget Called once, when the call was sent or will not be.
   */
  add(context: CallContext, send: () => void, forget: () => void): void {
    if (this.#closedBy !== undefined) {
      context.threw(this.#closedBy);
      forget();
      return;
    }
    const { maxWaitingCalls, waitTimeout, clock, wanted } = this.#options;
    if (this.#waiting.size >= maxWaitingCalls) {
      const text = `There is no connection, and ${this.#waiting.size} calls wait for one already (maxWaitingCalls).`;
      // Who lets no call wait wants to hear that there is no connection.
      context.threw(
        new CapnpError("CAPNP_LIMIT", text, {
          cause: this.#options.why(),
          ...(maxWaitingCalls === 0 ? { kind: "disconnected" } : {}),
        }),
      );
      forget();
    } else {
      const stopTimer =
        waitTimeout === Number.POSITIVE_INFINITY
          ? () => undefined
          : clock.after(waitTimeout, () => this.#expire(waiting));
      const waiting: WaitingCall = { context, send, forget, stopTimer };
      this.#waiting.add(waiting);
      context.onCanceled(() => {
        if (this.#remove(waiting)) forget();
      });
    }
    wanted();
  }

  #remove(waiting: WaitingCall): boolean {
    waiting.stopTimer();
    return this.#waiting.delete(waiting);
  }

  #expire(waiting: WaitingCall): void {
    if (!this.#remove(waiting)) return;
    const why = this.#options.why();
    const text = `No connection within ${this.#options.waitTimeout} ms (waitTimeout); the call was not sent`;
    const because = why instanceof Error ? `${text}: ${why.message}` : `${text}.`;
    waiting.context.threw(new CapnpError("CAPNP_CONNECT", because, { cause: why }));
    waiting.forget();
  }

  /** Calls go to this session from now on; those that wait go first. */
  stand(session: Session): void {
    this.leave();
    this.#session = session;
    while (this.session !== undefined) {
      const [first] = this.#waiting;
      if (first === undefined) break;
      this.#remove(first);
      first.send();
      first.forget();
    }
  }

  /** There is no session any more. */
  leave(): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#session = undefined;
    for (const follower of [...this.#followers]) follower.left(session);
  }

  /** There will be none any more: calls fail with this. */
  close(reason: CapnpError): void {
    this.#closedBy ??= reason;
    this.leave();
    for (const waiting of [...this.#waiting]) {
      if (!this.#remove(waiting)) continue;
      waiting.context.threw(reason);
      waiting.forget();
    }
  }
}
