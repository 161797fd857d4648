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
 * The sessions that stand, or the calls that wait for one. They were never sent, so that they can be sent as soon as there is
 * one, in the order in which they were made.
 *
 * State: waiting (calls queue up) <-> standing (calls go to the sessions in turn) -> closed (calls fail).
 */
export class WaitingLine {
  readonly #options: WaitingLineOptions;
  readonly #followers = new Set<Follower>();
  readonly #waiting = new Set<WaitingCall>();
  readonly #sessions: Session[] = [];
  #turn = 0;
  #closedBy: CapnpError | undefined;

  constructor(options: WaitingLineOptions) {
    this.#options = options;
  }

  /** A session that calls go to. Undefined also where the connection is over and the client has not been told yet. */
  get session(): Session | undefined {
    return this.#sessions.find(({ closedBy }) => closedBy === undefined);
  }

  /** All that calls go to. */
  get sessions(): readonly Session[] {
    return this.#sessions.filter(({ closedBy }) => closedBy === undefined);
  }

  /** The session for the next call: each in turn, and those that may be about to end only where there is no other. */
  next(): Session | undefined {
    const sessions = this.#sessions;
    let doubtful: Session | undefined;
    for (let looks = sessions.length; looks > 0; looks--) {
      this.#turn = (this.#turn + 1) % sessions.length;
      const session = sessions[this.#turn] as Session;
      if (session.closedBy !== undefined) continue;
      if (!session.isDoubtful) return session;
      doubtful = session;
    }
    return doubtful;
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
        if (!this.#remove(waiting)) return;
        // It will not run: what stands between it and its caller is to forget it, too.
        context.start();
        forget();
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

  /**
   * Calls go to this session, too, from now on; those that wait go first.
   *
   * @param previous The one whose place it takes: no more calls go there.
   */
  stand(session: Session, previous: Session | undefined): void {
    if (previous !== undefined) this.leave(previous);
    this.#sessions.push(session);
    while (this.session !== undefined) {
      const [first] = this.#waiting;
      if (first === undefined) break;
      this.#remove(first);
      first.send();
      first.forget();
    }
  }

  /** No more calls go to this session. */
  leave(session: Session): void {
    const index = this.#sessions.indexOf(session);
    if (index < 0) return;
    this.#sessions.splice(index, 1);
    for (const follower of [...this.#followers]) follower.left(session);
  }

  /** There will be none any more: calls fail with this. */
  close(reason: CapnpError): void {
    this.#closedBy ??= reason;
    for (const session of [...this.#sessions]) this.leave(session);
    for (const waiting of [...this.#waiting]) {
      if (!this.#remove(waiting)) continue;
      waiting.context.threw(reason);
      waiting.forget();
    }
  }
}
