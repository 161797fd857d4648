import { CapnpError } from "../errors.ts";
import { type Clock, systemClock } from "../rpc/clock.ts";
import type { Transport } from "../transport/transport.ts";
import type { Endpoint } from "./endpoint.ts";
import { readClientLimits } from "./limits.ts";

/** Opens a transport to one server. Gives up when the signal is aborted; there is no other limit of time. */
export type OpenTransport = (endpoint: Endpoint, signal: AbortSignal) => Promise<Transport>;

export interface DialerOptions {
  /** Where to connect to now, in the order in which to try; asked before each connection, with another number each time. */
  readonly endpoints: (turn: number) => Promise<readonly Endpoint[]>;
  readonly open: OpenTransport;
  /** Milliseconds; see `connect`. */
  readonly connectTimeout: number | undefined;
  readonly clock: Clock | undefined;
  /** Gives numbers from 0 to below 1. */
  readonly random: () => number;
}

/** Looks at what was connected to, and makes something of it. */
export type Accept<T> = (transport: Transport, signal: AbortSignal) => T | Promise<T>;

/** Why a server could not be reached. */
export interface DialFailure {
  readonly address: string;
  readonly error: unknown;
}

/** Time that runs out, as a signal; `stop` when the work is done. */
const timeLimit = (
  clock: Clock,
  milliseconds: number,
  outer: AbortSignal | undefined,
): { readonly signal: AbortSignal; readonly isExpired: () => boolean; stop(): void } => {
  const controller = new AbortController();
  let isExpired = false;
  const abort = (): void => controller.abort(outer?.reason);
  const stopTimer =
    milliseconds === Number.POSITIVE_INFINITY
      ? () => undefined
      : clock.after(Math.max(milliseconds, 0), () => {
          isExpired = true;
          controller.abort();
        });
  if (outer?.aborted === true) abort();
  else outer?.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    isExpired: () => isExpired,
    stop: () => {
      stopTimer();
      outer?.removeEventListener("abort", abort);
    },
  };
};

/**
 * Finds a server and connects to it. Servers are tried one after the other, and share the time: one that does not answer
 * leaves enough of it for the rest.
 */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #clock: Clock;
  /** Infinity where there is no limit. */
  readonly timeout: number;
  #turn: number;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.timeout = readClientLimits({ connectTimeout: options.connectTimeout }).connectTimeout;
    this.#turn = Math.floor(options.random() * 1024);
  }

  /** Where the servers are now, in the order in which to try them. */
  resolve(timeout: number, signal: AbortSignal | undefined): Promise<readonly Endpoint[]> {
    return this.#within(timeout, signal, "the names of the servers", () => this.#options.endpoints(this.#turn++));
  }

  /**
   * Connects to the first server that can be reached.
   *
   * @param timeout Milliseconds for all of it.
   * @param accept Looks at what was connected to: where it rejects, the next server is tried.
   */
  async dial<T>(timeout: number, signal: AbortSignal | undefined, accept: Accept<T>): Promise<T> {
    if (isAborted(signal)) throw canceled(signal);
    const until = this.#clock.now() + timeout;
    const found = await this.resolve(timeout, signal);
    return this.dialOneOf(found, until - this.#clock.now(), signal, accept);
  }

  /** The same, of servers that are known. */
  async dialOneOf<T>(
    servers: readonly Endpoint[],
    timeout: number,
    signal: AbortSignal | undefined,
    accept: Accept<T>,
  ): Promise<T> {
    if (isAborted(signal)) throw canceled(signal);
    const clock = this.#clock;
    const until = clock.now() + timeout;
    const { open } = this.#options;
    const failures: DialFailure[] = [];
    for (const [index, endpoint] of servers.entries()) {
      const share = (until - clock.now()) / (servers.length - index);
      try {
        return await this.#within(share, signal, endpoint.address, async (limit) => {
          const transport = await open(endpoint, limit);
          limit.addEventListener("abort", () => transport.destroy(), { once: true });
          try {
            if (limit.aborted) throw canceled(limit);
            return await accept(transport, limit);
          } catch (error) {
            transport.destroy();
            throw error;
          }
        });
      } catch (error) {
        if (isAborted(signal)) throw canceled(signal, error);
        failures.push({ address: endpoint.address, error });
      }
    }
    throw whichFailed(failures);
  }

  async #within<T>(
    timeout: number,
    outer: AbortSignal | undefined,
    what: string,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = timeLimit(this.#clock, timeout, outer);
    const { signal } = limit;
    const given = new Promise<never>((_, reject) => {
      const abort = (): void => {
        if (limit.isExpired()) {
          const text = `no connection to ${what} within ${Math.round(timeout)} ms (connectTimeout)`;
          reject(new CapnpError("CAPNP_CONNECT", text));
        } else reject(canceled(signal));
      };
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort, { once: true });
    });
    given.catch(() => undefined);
    try {
      return await Promise.race([work(signal), given]);
    } finally {
      limit.stop();
    }
  }
}

/** A question for each time: a signal may be aborted at any moment between two of them. */
const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true;

const canceled = (signal: AbortSignal | undefined, cause?: unknown): CapnpError =>
  signal?.reason instanceof CapnpError
    ? signal.reason
    : new CapnpError("CAPNP_CANCELED", "The attempt to connect was canceled.", { cause: signal?.reason ?? cause });

/** One error that tells of all servers. */
export const whichFailed = (failures: readonly DialFailure[]): unknown => {
  if (failures.length === 1) return failures[0]?.error;
  const reasons = failures.map(({ address, error }) => `${address}: ${error instanceof Error ? error.message : error}`);
  const [{ error: first } = { error: undefined }] = failures;
  const isSame = failures.every(
    ({ error }) => error instanceof CapnpError && first instanceof CapnpError && error.code === first.code,
  );
  const text = `none of ${failures.length} servers can be reached; ${reasons.join("; ")}`;
  return new CapnpError(isSame && first instanceof CapnpError ? first.code : "CAPNP_CONNECT", text, { cause: first });
};
