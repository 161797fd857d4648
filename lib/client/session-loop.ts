import type { Logger } from "../logger.ts";
import type { CapnpError } from "../errors.ts";
import type { Clock } from "../rpc/clock.ts";
import { toError } from "../rpc/capability/thrown.ts";
import { Backoff, pause } from "./backoff.ts";
import type { Accept } from "./dial.ts";
import type { Session } from "./session.ts";
import type { SessionMaker } from "./session-maker.ts";

export interface SessionLoopOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly reconnects: boolean;
  readonly minDelay: number;
  readonly maxDelay: number;
  readonly maxConnectionAge: number;
}

/** Connects to a server, in so many milliseconds. */
export type Dial = (timeout: number, signal: AbortSignal, accept: Accept<Session>) => Promise<Session>;

/** Who runs a loop: is told what happens, at once. */
export interface SessionLoopHost {
  /** Milliseconds that an attempt may take which begins now. */
  readonly timeLeft: number;
  /** An attempt to connect begins. */
  attempts(loop: SessionLoop): void;
  /** Calls may go to this session; and no more to the one before it, which comes of age. */
  stands(loop: SessionLoop, session: Session, previous: Session | undefined): void;
  /** No call may go to this session any more: it is over, or the server is about to end it. */
  left(loop: SessionLoop, session: Session): void;
  /** An attempt has failed, or the only session is over. Says whether there is to be another attempt. */
  failed(loop: SessionLoop, error: unknown): boolean;
  /** Nothing that should happen. */
  broke(error: Error): void;
}

/**
 * Sees to it that there is a session, with one server or with one of several.
 *
 *     idle ── run ──> connecting ── greeted, onSession done ──> connected ── lost, or the server leaves ──> delay ──> connecting ...
 *       └──────────────────────── stop, or no more attempts ────────────────────────> stopped
 *
 * A session that has come of age is replaced while it stands: connected ── next one stands ──> connected.
 */
export class SessionLoop {
  /** The server, for people; empty where it is one of several. */
  readonly name: string;
  readonly #dial: Dial;
  readonly #maker: SessionMaker;
  readonly #host: SessionLoopHost;
  readonly #options: SessionLoopOptions;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  #isRunning = false;
  #session: Session | undefined;
  /** Attempts so far. */
  attempts = 0;
  /** Attempts that have failed one after the other. */
  failures = 0;
  isAttempting = false;
  /** Why there is no session, where that is known. */
  lastError: unknown;

  constructor(name: string, dial: Dial, maker: SessionMaker, host: SessionLoopHost, options: SessionLoopOptions) {
    this.name = name;
    this.#dial = dial;
    this.#maker = maker;
    this.#host = host;
    this.#options = options;
    this.#backoff = new Backoff(options.minDelay, options.maxDelay, options.random);
  }

  /** The session that stands. */
  get session(): Session | undefined {
    return this.#session;
  }

  run(): void {
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    void this.#keepConnected().catch((error: unknown) => this.#host.broke(toError(error)));
  }

  /** No more attempts. What stood is for the caller to close. */
  stop(): Session | undefined {
    this.#stop.abort();
    const session = this.#session;
    this.#session = undefined;
    this.isAttempting = false;
    return session;
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #keepConnected(): Promise<void> {
    const { clock, reconnects } = this.#options;
    for (;;) {
      const session = await this.#connect();
      if (session === undefined) return;
      const stoodAt = clock.now();
      const isLost = await this.#oldOrLost(session);
      if (this.#isStopped) return;
      if (!isLost) continue;
      if (!reconnects) {
        this.#host.failed(this, session.closedBy);
        return;
      }
      // One that is lost as soon as it stands is no success: the delays go on growing.
      if (clock.now() - stoodAt > this.#backoff.bound) this.#backoff.reset();
      await this.#rest();
      if (this.#isStopped) return;
    }
  }

  async #rest(): Promise<void> {
    const { clock, logger } = this.#options;
    const delay = this.#backoff.next();
    const reason = this.lastError instanceof Error ? this.lastError.message : undefined;
    const fields = { ...(this.name === "" ? {} : { peer: this.name }), delay: Math.round(delay), reason };
    logger.warn(fields, "no connection; another attempt follows");
    await pause(clock, Math.min(delay, Math.max(this.#host.timeLeft, 0)), this.#stop.signal);
  }

  /** Connects until a session stands; undefined where there will be none. */
  async #connect(): Promise<Session | undefined> {
    for (;;) {
      this.attempts++;
      this.isAttempting = true;
      this.#host.attempts(this);
      try {
        const session = await this.#dial(this.#host.timeLeft, this.#stop.signal, (transport, signal) =>
          this.#maker.greet(transport, signal),
        );
        await this.#maker.prepare(session, (error) => {
          this.lastError = error;
        });
        if (this.#isStopped) {
          await session.close();
          return undefined;
        }
        this.#stand(session);
        return session;
      } catch (error) {
        if (this.#isStopped) return undefined;
        this.isAttempting = false;
        this.failures++;
        this.lastError = error;
        if (!this.#host.failed(this, error)) return undefined;
        await this.#rest();
        if (this.#isStopped) return undefined;
      }
    }
  }

  #stand(session: Session): void {
    if (session.closedBy !== undefined) throw session.closedBy;
    const previous = this.#session;
    this.#session = session;
    this.isAttempting = false;
    this.failures = 0;
    this.lastError = undefined;
    this.#host.stands(this, session, previous);
  }

  /** Resolves when calls may no longer go to the session (true), or when it has come of age (false). */
  async #oldOrLost(session: Session): Promise<boolean> {
    const { maxConnectionAge, random, clock, reconnects } = this.#options;
    let stopTimer = (): void => undefined;
    const old = new Promise<false>((resolve) => {
      if (maxConnectionAge === Number.POSITIVE_INFINITY || !reconnects) return;
      stopTimer = clock.after(maxConnectionAge * (0.9 + 0.2 * random()), () => resolve(false));
    });
    const lost = (reason: CapnpError): true => {
      if (this.#session === session) {
        this.#session = undefined;
        this.lastError ??= reason;
        this.#host.left(this, session);
      }
      return true;
    };
    const over = session.closed.then(lost);
    try {
      return await Promise.race([old, over, ...(reconnects ? [session.leaving.then(lost)] : [])]);
    } finally {
      stopTimer();
    }
  }
}
