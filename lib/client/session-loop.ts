import { CapnpError } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { toError } from "../rpc/capability/thrown.ts";
import type { Clock } from "../rpc/clock.ts";
import type { VatOptions } from "../two-party-vat.ts";
import { Backoff, pause } from "./backoff.ts";
import type { Dialer } from "./dial.ts";
import { Session } from "./session.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface SessionLoopOptions {
  readonly dialer: Dialer;
  readonly vat: VatOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly reconnects: boolean;
  readonly minDelay: number;
  readonly maxDelay: number;
  readonly maxAttempts: number;
  readonly maxWaitingCalls: number;
  readonly waitTimeout: number;
  readonly keepalive: { readonly idle: number; readonly timeout: number };
  readonly onSession: ((session: Session, context: { readonly signal: AbortSignal }) => unknown) | undefined;
  readonly sessionTimeout: number;
  readonly maxConnectionAge: number;
  readonly connectionGrace: number;
}

type Status = "connecting" | "connected" | "disconnected" | "closed";

/** What will not be better the next time, as far as anybody can tell: the first time it is told to who connects. */
const isHopeless = (error: unknown): boolean =>
  !(error instanceof CapnpError) || error.kind !== "disconnected" || error.code === "CAPNP_TLS";

/**
 * Sees to it that there is a session.
 *
 *     idle ── wanted ──> connecting ── greeted, onSession done ──> connected ── lost ──> disconnected ── delay ──> connecting ...
 *       └───────────────────────────── close, or no more attempts ──────────────────────────────────> closed
 *
 * A session that has come of age is replaced while it stands: connected ── next one stands ──> connected, and the old one is
 * closed when the calls on it have returned.
 */
export class SessionLoop {
  readonly line: WaitingLine;
  /** Resolves with the reason when there will be no more sessions. */
  readonly closed: Promise<CapnpError>;
  readonly #options: SessionLoopOptions;
  readonly #tell: (status: Status) => void;
  readonly #backoff: Backoff;
  readonly #stop = new AbortController();
  readonly #open = new Set<Session>();
  #resolveClosed!: (reason: CapnpError) => void;
  #latest: Session | undefined;
  #isRunning = false;
  #count = 0;
  #lastError: unknown;
  #first: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  /** Until when the first session has to stand. */
  #firstUntil = Number.POSITIVE_INFINITY;

  constructor(options: SessionLoopOptions, tell: (status: Status) => void) {
    this.#options = options;
    this.#tell = tell;
    this.#backoff = new Backoff(options.minDelay, options.maxDelay, options.random);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.line = new WaitingLine({
      maxWaitingCalls: options.maxWaitingCalls,
      waitTimeout: options.waitTimeout,
      clock: options.clock,
      wanted: () => this.#run(),
      why: () => this.#lastError,
    });
  }

  /** The session that stands, or the last one that did. */
  get latest(): Session | undefined {
    return this.#latest;
  }

  /** Begins, and resolves when the first session stands. Rejects, and closes, where there is no hope of one, or no time left. */
  async first(signal: AbortSignal | undefined): Promise<void> {
    const { clock, dialer } = this.#options;
    this.#firstUntil = clock.now() + dialer.timeout;
    const abort = (): void => {
      const text = "The attempt to connect was canceled.";
      this.#end(new CapnpError("CAPNP_CANCELED", text, { cause: signal?.reason }));
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#first = { resolve, reject };
        if (signal?.aborted === true) abort();
        else this.#run();
      });
    } finally {
      this.#first = undefined;
      this.#firstUntil = Number.POSITIVE_INFINITY;
      signal?.removeEventListener("abort", abort);
    }
  }

  #run(): void {
    if (this.#isRunning || this.#stop.signal.aborted) return;
    this.#isRunning = true;
    void this.#keepConnected().catch((error: unknown) => this.#end(toError(error)));
  }

  async #keepConnected(): Promise<void> {
    for (;;) {
      const session = await this.#connect();
      if (session === undefined) return;
      const stoodAt = this.#options.clock.now();
      const isLost = await this.#oldOrLost(session);
      if (this.#stop.signal.aborted) return;
      if (!isLost) continue;
      const lasted = this.#options.clock.now() - stoodAt;
      if (!this.#options.reconnects) {
        this.#end(session.closedBy);
        return;
      }
      // One that is lost as soon as it stands is no success: the delays go on growing.
      if (lasted > this.#backoff.bound) this.#backoff.reset();
      await this.#rest();
    }
  }

  async #rest(): Promise<void> {
    const delay = this.#backoff.next();
    const reason = this.#lastError instanceof Error ? this.#lastError.message : undefined;
    this.#options.logger.warn({ delay: Math.round(delay), reason }, "no connection; another attempt follows");
    const left = this.#firstUntil - this.#options.clock.now();
    await pause(this.#options.clock, Math.min(delay, Math.max(left, 0)), this.#stop.signal);
  }

  /** Connects until a session stands; undefined where there will be none. */
  async #connect(): Promise<Session | undefined> {
    const { clock, dialer, maxAttempts, reconnects } = this.#options;
    for (let failures = 0; ; ) {
      if (this.line.session === undefined) this.#tell("connecting");
      try {
        const left = this.#firstUntil - clock.now();
        const timeout = Math.min(dialer.timeout, left);
        const session = await dialer.dial(timeout, this.#stop.signal, (transport, signal) =>
          this.#greet(transport, signal),
        );
        await this.#prepare(session);
        this.#stand(session);
        return session;
      } catch (error) {
        if (this.#stop.signal.aborted) return undefined;
        this.#lastError = error;
        failures++;
        if (this.line.session === undefined) this.#tell("disconnected");
        const isTooLate = this.#firstUntil - clock.now() <= 0;
        if (!reconnects || failures >= maxAttempts || (this.#first !== undefined && (isTooLate || isHopeless(error)))) {
          this.#end(error);
          return undefined;
        }
        await this.#rest();
        if (this.#stop.signal.aborted) return undefined;
        if (this.#first !== undefined && this.#firstUntil - clock.now() < 1) {
          // With no time for another attempt, why the last one failed is the better answer.
          this.#end(error);
          return undefined;
        }
      }
    }
  }

  /** A session that has been answered: what only accepts connections, and says nothing, is no server. */
  async #greet(transport: ConstructorParameters<typeof Session>[0], signal: AbortSignal): Promise<Session> {
    const { vat, keepalive, clock } = this.#options;
    const session = new Session(transport, vat, this.#count + 1);
    this.#open.add(session);
    void session.closed.then(() => this.#open.delete(session));
    signal.throwIfAborted();
    await Session.greeted(session);
    Session.watch(session, keepalive, clock);
    return session;
  }

  /** Runs `onSession`, and waits for it for a while. Where it fails, so does the session. */
  async #prepare(session: Session): Promise<void> {
    this.#count++;
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
        this.#lastError = error;
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

  #stand(session: Session): void {
    if (session.closedBy !== undefined) throw session.closedBy;
    const previous = this.line.session;
    this.#latest = session;
    this.#lastError = undefined;
    this.line.stand(session);
    if (previous !== undefined) void this.#retire(previous);
    this.#tell("connected");
    this.#first?.resolve();
  }

  /** Resolves when the session is lost (true) or has come of age (false). */
  async #oldOrLost(session: Session): Promise<boolean> {
    const { maxConnectionAge, random, clock, reconnects } = this.#options;
    let stopTimer = (): void => undefined;
    const old = new Promise<false>((resolve) => {
      if (maxConnectionAge === Number.POSITIVE_INFINITY || !reconnects) return;
      stopTimer = clock.after(maxConnectionAge * (0.9 + 0.2 * random()), () => resolve(false));
    });
    const lost = session.closed.then((reason): true => {
      if (this.#latest === session) {
        this.#lastError ??= reason;
        this.line.leave();
        if (!this.#stop.signal.aborted) this.#tell("disconnected");
      }
      return true;
    });
    try {
      return await Promise.race([old, lost]);
    } finally {
      stopTimer();
    }
  }

  /** Lets the calls on a session return, and closes it. */
  async #retire(session: Session): Promise<void> {
    const { clock, connectionGrace } = this.#options;
    Session.replaced(session);
    const until = clock.now() + connectionGrace;
    while (session.closedBy === undefined && session.stats().questions > 0 && clock.now() < until) {
      await pause(clock, Math.min(retireLook, until - clock.now()), this.#stop.signal);
      if (this.#stop.signal.aborted) break;
    }
    await session.close();
  }

  #end(cause: unknown): void {
    const error = toError(cause);
    const reason =
      error instanceof CapnpError
        ? error
        : new CapnpError("CAPNP_DISCONNECTED", `The client is closed: ${error.message}`, { cause });
    this.#first?.reject(cause);
    void this.close(reason);
  }

  /** No more sessions. Calls in flight and calls that wait fail. */
  async close(reason: CapnpError): Promise<void> {
    if (this.line.closedBy === undefined) {
      const toCallers =
        reason.kind === "disconnected"
          ? reason
          : new CapnpError("CAPNP_DISCONNECTED", `The client is closed: ${reason.message}`, { cause: reason });
      this.#stop.abort(reason);
      this.line.close(toCallers);
      this.#first?.reject(reason);
    }
    await Promise.all([...this.#open].map((session) => session.close()));
    this.#tell("closed");
    this.#resolveClosed(reason);
  }
}

/** Milliseconds between two looks whether a session that was replaced is done. */
const retireLook = 50;
