import { CapnpError } from "../errors.ts";
import { toError } from "../rpc/capability/thrown.ts";
import type { Endpoint } from "./endpoint.ts";
import { Backoff, pause } from "./backoff.ts";
import { type Dialer, whichFailed } from "./dial.ts";
import { ServerLoops } from "./server-loops.ts";
import type { Session } from "./session.ts";
import { type Dial, SessionLoop, type SessionLoopHost, type SessionLoopOptions } from "./session-loop.ts";
import { isHopeless, SessionMaker, type SessionMakerOptions } from "./session-maker.ts";
import { WaitingLine } from "./waiting-line.ts";

export interface SessionsOptions extends SessionLoopOptions, SessionMakerOptions {
  readonly dialer: Dialer;
  /** Whether there is to be a session with each server, and not with one of them. */
  readonly isBalanced: boolean;
  readonly maxAttempts: number;
  readonly maxWaitingCalls: number;
  readonly waitTimeout: number;
}

/** Milliseconds within which no attempt that follows a failed one is worth while. */
const leastTime = 10;

type Status = "connecting" | "connected" | "disconnected" | "closed";

/**
 * The sessions of a client: one loop that sees to a session with one of the servers, or one loop for each server. Calls go by
 * the line of the sessions that stand.
 *
 * State: closed when it was closed, or given up; connected while a session stands; connecting while an attempt is under way; or
 * disconnected.
 */
export class Sessions implements SessionLoopHost {
  readonly line: WaitingLine;
  /** Resolves with the reason when there will be no more sessions. */
  readonly closed: Promise<CapnpError>;
  readonly #options: SessionsOptions;
  readonly #tell: (status: Status) => void;
  readonly #stop = new AbortController();
  readonly #maker: SessionMaker;
  readonly #servers: ServerLoops;
  readonly #single: SessionLoop | undefined;
  #resolveClosed!: (reason: CapnpError) => void;
  #latest: Session | undefined;
  #isRunning = false;
  #isResolving = false;
  #lastError: unknown;
  #first: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  /** Until when the first session has to stand. */
  #firstUntil = Number.POSITIVE_INFINITY;

  constructor(options: SessionsOptions, tell: (status: Status) => void) {
    const { dialer } = options;
    this.#options = options;
    this.#tell = tell;
    this.#maker = new SessionMaker(options, this.#stop.signal);
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
    const loop = (name: string, dial: Dial): SessionLoop => new SessionLoop(name, dial, this.#maker, this, options);
    this.#servers = new ServerLoops(
      (server) =>
        loop(server.address, (timeout, signal, accept) => dialer.dialOneOf([server], timeout, signal, accept)),
      (gone) => this.#end(gone),
    );
    if (!options.isBalanced) {
      this.#single = loop("", (timeout, signal, accept) => dialer.dial(timeout, signal, accept));
    }
  }

  /** The session that came to stand last. */
  get latest(): Session | undefined {
    return this.#latest;
  }

  /** Begins, and resolves when the first session stands. Rejects, and closes, where there is no hope of one, or no time left. */
  async first(signal: AbortSignal | undefined): Promise<void> {
    const { clock, dialer } = this.#options;
    this.#firstUntil = clock.now() + dialer.timeout;
    const abort = (): void => {
      const text = "The attempt to connect was canceled.";
      this.#giveUp(new CapnpError("CAPNP_CANCELED", text, { cause: signal?.reason }));
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
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    if (this.#single !== undefined) this.#single.run();
    else void this.#findServers().catch((error: unknown) => this.broke(toError(error)));
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  get #loops(): readonly SessionLoop[] {
    return this.#single === undefined ? this.#servers.all : [this.#single];
  }

  /** Resolves names until there are servers; from then on it is for the loops to reach them. */
  async #findServers(): Promise<void> {
    const { clock, logger, minDelay, maxDelay, maxAttempts, random } = this.#options;
    const backoff = new Backoff(minDelay, maxDelay, random);
    for (let failures = 1; ; failures++) {
      this.#isResolving = true;
      this.#changed();
      const found = await this.#resolve();
      this.#isResolving = false;
      if (this.#isStopped || found !== undefined) {
        if (found !== undefined) this.#servers.adopt(found);
        return;
      }
      this.#changed();
      if (failures >= maxAttempts || this.#isTooLate(this.#lastError)) {
        this.#giveUp(this.#lastError);
        return;
      }
      const delay = backoff.next();
      const reason = toError(this.#lastError).message;
      logger.warn({ delay: Math.round(delay), reason }, "no servers; another attempt follows");
      await pause(clock, Math.min(delay, Math.max(this.timeLeft, 0)), this.#stop.signal);
      if (this.#isStopped) return;
    }
  }

  async #resolve(): Promise<readonly Endpoint[] | undefined> {
    try {
      return await this.#options.dialer.resolve(this.timeLeft, this.#stop.signal);
    } catch (error) {
      this.#lastError = error;
      return undefined;
    }
  }

  /** Servers may have come, and gone. Where nobody knows, those that are known have to do. */
  async #findServersAgain(): Promise<void> {
    if (this.#isResolving) return;
    this.#isResolving = true;
    const found = await this.#resolve();
    this.#isResolving = false;
    if (found === undefined || this.#isStopped) return;
    this.#servers.adopt(found);
    this.#changed();
  }

  get timeLeft(): number {
    return Math.min(this.#options.dialer.timeout, this.#firstUntil - this.#options.clock.now());
  }

  attempts(loop: SessionLoop): void {
    if (this.#single === undefined && loop.attempts > 1) {
      void this.#findServersAgain().catch((error: unknown) => this.broke(toError(error)));
    }
    this.#changed();
  }

  stands(loop: SessionLoop, session: Session, previous: Session | undefined): void {
    this.#latest = session;
    this.#lastError = undefined;
    this.#servers.stands(loop);
    this.line.stand(session, previous);
    if (previous !== undefined) void this.#maker.retire(previous);
    this.#changed();
    this.#first?.resolve();
  }

  left(loop: SessionLoop, session: Session): void {
    this.#lastError = loop.lastError;
    this.line.leave(session);
    if (session.closedBy === undefined) void this.#maker.retire(session);
    this.#changed();
  }

  failed(loop: SessionLoop, error: unknown): boolean {
    const { maxAttempts, reconnects } = this.#options;
    this.#lastError = error;
    this.#servers.failed();
    this.#changed();
    const loops = this.#loops;
    const isLast = loops.every(({ session }) => session === undefined);
    if (!reconnects || (isLast && (this.#isTooLate(error) || loops.every(({ failures }) => failures >= maxAttempts)))) {
      this.#giveUp(this.#whyNone(error));
      return false;
    }
    return loops.includes(loop);
  }

  /** Why there is no session with any server; where not all have been tried, what the last one said. */
  #whyNone(last: unknown): unknown {
    const loops = this.#loops;
    if (loops.some(({ lastError }) => lastError === undefined)) return last;
    return whichFailed(loops.map(({ name, lastError }) => ({ address: name, error: lastError })));
  }

  /** Whether an error is for who waits for the first session: there is no time for another attempt, or no hope in it. */
  #isTooLate(error: unknown): boolean {
    if (this.#first === undefined) return false;
    if (this.#firstUntil - this.#options.clock.now() <= 0) return true;
    const loops = this.#loops;
    if (loops.length === 0) return isHopeless(error);
    return loops.every(({ lastError }) => lastError !== undefined && isHopeless(lastError));
  }

  rested(loop: SessionLoop): boolean {
    if (this.#first === undefined || this.#firstUntil - this.#options.clock.now() >= leastTime) return true;
    // With no time for another attempt, why the last one failed is the better answer than that the next had no time.
    this.#giveUp(this.#whyNone(loop.lastError));
    return false;
  }

  broke(error: Error): void {
    this.#giveUp(error);
  }

  /** A server is none any more. */
  #end(loop: SessionLoop): void {
    const session = loop.stop();
    if (session === undefined) return;
    this.line.leave(session);
    void this.#maker.retire(session);
  }

  #changed(): void {
    if (this.#isStopped) return;
    const loops = this.#loops;
    if (this.line.session !== undefined) this.#tell("connected");
    else if (loops.some(({ isAttempting }) => isAttempting) || (loops.length === 0 && this.#isResolving)) {
      this.#tell("connecting");
    } else this.#tell("disconnected");
  }

  #giveUp(cause: unknown): void {
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
      for (const loop of this.#loops) loop.stop();
      this.line.close(toCallers);
      this.#first?.reject(reason);
    }
    await this.#maker.close();
    this.#tell("closed");
    this.#resolveClosed(reason);
  }
}
