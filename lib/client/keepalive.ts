import type { Clock } from "../rpc/clock.ts";

export interface KeepaliveOptions {
  /** Milliseconds of silence after which the peer is asked for a sign of life. Default: 20 s; 0 or Infinity: never. */
  readonly idle?: number;
  /** Milliseconds that it has to answer. Default: 10 s; 0 or Infinity: for ever. */
  readonly timeout?: number;
}

/** What a keepalive watches. */
export interface Watched {
  /** Grows whenever anything comes from the peer. */
  signs(): number;
  /** Asks something that every peer answers. */
  probe(): PromiseLike<unknown>;
  /** The peer has been silent for so many milliseconds. */
  dead(silence: number): void;
}

/** How often in each of its times it is looked whether anything came: the price of not being told of each message. */
const looks = 4;

/**
 * Finds out that a peer is gone which did not say so: a machine that crashed, a cable that was pulled, a process that hangs.
 *
 *     quiet ── silence of `idle` ──> probing ── silence of `timeout` ──> dead
 *       ^────── anything came ──────────┘
 *
 * Whatever comes is a sign of life, not only the answer to the probe. What came between two looks counts as having come at
 * the earlier one: so a peer is found dead no later than `idle` + `timeout` after its last sign.
 */
export class Keepalive {
  readonly #watched: Watched;
  readonly #idle: number;
  readonly #timeout: number;
  readonly #clock: Clock;
  #signs: number;
  #lookedAt: number;
  /** No later than the last sign. */
  #heardAt: number;
  /** When the peer was asked, if it has sent nothing since. */
  #askedAt: number | undefined;
  #isProbeOpen = false;
  #isOver = false;
  #stopTimer: () => void = () => undefined;

  /** @param times Infinity where there is no limit. */
  constructor(watched: Watched, times: { readonly idle: number; readonly timeout: number }, clock: Clock) {
    this.#watched = watched;
    this.#idle = times.idle;
    this.#timeout = times.timeout;
    this.#clock = clock;
    this.#signs = watched.signs();
    this.#lookedAt = clock.now();
    this.#heardAt = this.#lookedAt;
    if (this.#idle !== Number.POSITIVE_INFINITY) this.#lookLater();
  }

  stop(): void {
    this.#isOver = true;
    this.#stopTimer();
  }

  #after(milliseconds: number, act: () => void): void {
    this.#stopTimer = this.#clock.after(milliseconds, () => {
      if (!this.#isOver) act();
    });
  }

  #lookLater(): void {
    const now = this.#clock.now();
    const [since, limit] = this.#askedAt === undefined ? [this.#heardAt, this.#idle] : [this.#askedAt, this.#timeout];
    const period = limit === Number.POSITIVE_INFINITY ? this.#idle : limit;
    this.#after(Math.max(0, Math.min(period / looks, since + limit - now)), () => this.#look());
  }

  #look(): void {
    if (this.#hasHeard()) {
      this.#heardAt = this.#lookedAt;
      this.#askedAt = undefined;
    }
    const now = this.#clock.now();
    this.#lookedAt = now;
    if (this.#askedAt !== undefined && now - this.#askedAt >= this.#timeout) {
      // Where this process itself was held up, the answer lies in the socket, and is read before the next timer.
      this.#after(1, () => this.#judge());
      return;
    }
    if (this.#askedAt === undefined && now - this.#heardAt >= this.#idle) this.#ask(now);
    this.#lookLater();
  }

  #judge(): void {
    if (this.#signs !== this.#watched.signs()) {
      this.#look();
      return;
    }
    this.stop();
    this.#watched.dead(this.#clock.now() - this.#heardAt);
  }

  #hasHeard(): boolean {
    const signs = this.#watched.signs();
    const isHeard = signs !== this.#signs;
    this.#signs = signs;
    return isHeard;
  }

  #ask(now: number): void {
    this.#askedAt = now;
    if (this.#isProbeOpen) return;
    this.#isProbeOpen = true;
    const answered = (): void => {
      this.#isProbeOpen = false;
    };
    // An error is an answer, too; and if it is that of a connection that is over, nobody listens here any more.
    this.#watched.probe().then(answered, answered);
  }
}
