import { CapnpError } from "../../errors.ts";
import { onAbort } from "./abort.ts";
import { ByPath } from "./by-path.ts";
import { Client } from "./client.ts";
import type { ClientHook } from "./client-hook.ts";
import { canceledError } from "./local-call-context.ts";
import { leakWatch } from "./leak-watch.ts";
import type { Payload } from "./payload.ts";
import type { OwnedPipeline } from "./pipeline.ts";
import type { PendingCall, ReturnListener } from "./request.ts";

export interface CallOptions {
  /** Cancels the call, here and at the callee, when it is aborted. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the call is canceled and rejects with CAPNP_TIMEOUT. Default, and Infinity: no limit. */
  readonly timeout?: number;
}

/** Throws CAPNP_TYPE or CAPNP_RANGE for options that would be none: a timeout that was mistyped would run out at once. */
export const checkCallOptions = (options: CallOptions): void => {
  if (typeof options !== "object" || options === null) throw wrongOption("The options of a call", "an object", options);
  const { signal, timeout }: { readonly signal?: unknown; readonly timeout?: unknown } = options;
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== "function") {
    throw wrongOption("signal", "an AbortSignal", signal);
  }
  if (timeout === undefined) return;
  if (typeof timeout !== "number") throw wrongOption("timeout", "a number of milliseconds", timeout);
  if (!(timeout >= 0)) {
    throw new CapnpError(
      "CAPNP_RANGE",
      `timeout must be 0 or more milliseconds, Infinity for no limit, not ${timeout}.`,
    );
  }
};

const wrongOption = (name: string, wanted: string, value: unknown): CapnpError =>
  new CapnpError("CAPNP_TYPE", `${name} must be ${wanted}, not ${value === null ? "null" : typeof value}.`);

/** Node runs a longer timer at once. */
const longestTimer = 2 ** 31 - 1;

/** Calls back after any number of milliseconds; what it returns ends that. */
const after = (milliseconds: number, act: () => void): (() => void) => {
  const arm = (left: number): ReturnType<typeof setTimeout> =>
    setTimeout(
      () => {
        if (left > longestTimer) timer = arm(left - longestTimer);
        else act();
      },
      Math.min(left, longestTimer),
    );
  let timer = arm(milliseconds);
  return () => clearTimeout(timer);
};

/** Calls back when the options say that a call is to be given up; what it returns ends that. */
export const watchCall = (
  { signal, timeout }: CallOptions,
  cancel: (reason: unknown) => void,
): (() => void) | undefined => {
  const stops: (() => void)[] = [];
  if (signal !== undefined) {
    const abort = (): void => cancel(signal.reason);
    if (signal.aborted) {
      abort();
      return undefined;
    }
    stops.push(onAbort(signal, abort));
  }
  if (timeout !== undefined && timeout !== Number.POSITIVE_INFINITY) {
    const text = `The call did not return within ${timeout} ms.`;
    stops.push(after(timeout, () => cancel(new CapnpError("CAPNP_TIMEOUT", text))));
  }
  return () => {
    for (const stop of stops) stop();
  };
};

/** Hears for a promise, whose own members must not clash with the names of results. */
class Listener<Results> implements ReturnListener {
  readonly #promise: RemotePromise<Results>;

  constructor(promise: RemotePromise<Results>) {
    this.#promise = promise;
  }

  returned(payload: Payload): void {
    RemotePromise.returned(this.#promise, payload);
  }

  threw(error: Error): void {
    RemotePromise.threw(this.#promise, error);
  }
}

/**
 * The results of a call, on their way. `await` it for the results; or call methods on the capabilities that the results
 * will hold, through the accessors that the class builder adds for them: such calls are sent at once (promise pipelining).
 *
 * A promise that nobody awaits never counts as an unhandled rejection: a call made only for its pipeline tells of its
 * failure through the calls that were pipelined on it.
 */
export class RemotePromise<Results> implements PromiseLike<Results> {
  readonly #pending: PendingCall;
  readonly #read: (payload: Payload) => Results;
  #payload: Payload | undefined;
  #error: Error | undefined;
  #promise: Promise<Results> | undefined;
  #settle: { readonly resolve: (results: Results) => void; readonly reject: (error: Error) => void } | undefined;
  /** What the accessors gave: one for each type that a path was asked for as. */
  #clients: ByPath<{ readonly type: object | undefined; readonly client: Client }[]> | undefined;
  #stopWatching: (() => void) | undefined;

  /** @internal */
  constructor(pending: PendingCall, read: (payload: Payload) => Results, options?: CallOptions) {
    this.#pending = pending;
    this.#read = read;
    leakWatch.current?.called(this);
    pending.onReturn(new Listener(this));
    if (options !== undefined && this.#payload === undefined && this.#error === undefined) this.#watch(options);
  }

  #watch(options: CallOptions): void {
    this.#stopWatching = watchCall(options, (reason) => this.#cancel(reason));
  }

  /** @internal */
  static returned<R>(promise: RemotePromise<R>, payload: Payload): void {
    promise.#stopWatching?.();
    promise.#payload = payload;
    promise.#answer();
  }

  /** @internal */
  static threw<R>(promise: RemotePromise<R>, error: Error): void {
    promise.#stopWatching?.();
    promise.#error = error;
    promise.#answer();
  }

  #answer(): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    if (this.#payload === undefined) {
      settle.reject(this.#error as Error);
      return;
    }
    try {
      const { segment } = this.#payload;
      if (leakWatch.current !== undefined && segment.arena.hasCapTable) leakWatch.current.gave(this, segment.arena);
      settle.resolve(this.#read(this.#payload));
    } catch (error) {
      settle.reject(error as Error);
    }
  }

  #toPromise(): Promise<Results> {
    if (this.#promise === undefined) {
      this.#promise = new Promise<Results>((resolve, reject) => {
        this.#settle = { resolve, reject };
      });
      if (this.#payload !== undefined || this.#error !== undefined) this.#answer();
    }
    return this.#promise;
  }

  then<A = Results, B = never>(
    onFulfilled?: ((results: Results) => A | PromiseLike<A>) | null,
    onRejected?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#toPromise().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((error: unknown) => B | PromiseLike<B>) | null): Promise<Results | B> {
    return this.#toPromise().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<Results> {
    return this.#toPromise().finally(onFinally);
  }

  /** Gives the call up: it rejects with CAPNP_CANCELED (or the CapnpError given), and the callee is told. */
  cancel(reason?: unknown): void {
    this.#cancel(reason);
  }

  /** The same where a result named `cancel` hides the method. */
  #cancel(reason?: unknown): void {
    this.#pending.cancel(canceledError(reason));
  }

  /**
   * Cancels a call that is pending, and releases the capabilities of its results, together with the clients that its
   * accessors gave.
   */
  [Symbol.dispose](): void {
    if (this.#payload === undefined && this.#error === undefined) this.#cancel();
    this.#payload?.release();
    for (const { value } of this.#clients?.entries() ?? []) for (const { client } of value) Client.release(client);
    this.#clients = undefined;
  }

  get [Symbol.toStringTag](): string {
    return "RemotePromise";
  }

  /** The capabilities of the results, for whoever returns this promise as their own. @internal */
  static pipeline(promise: RemotePromise<unknown>): OwnedPipeline {
    return { pipelined: (path) => promise.#pending.pipelined(path), release: () => undefined };
  }

  /** The client at a path into the results, the same one each time that it is asked for as one type. @internal */
  static pipelined<C extends Client>(
    promise: RemotePromise<unknown>,
    path: readonly number[],
    type: object | undefined,
    make: (hook: ClientHook) => C,
  ): C {
    promise.#clients ??= new ByPath();
    const clients = promise.#clients.get(path);
    const known = clients?.find((one) => one.type === type);
    if (known !== undefined) return known.client as C;
    const client = make(promise.#pending.pipelined(path));
    leakWatch.current?.released(client);
    if (clients === undefined) promise.#clients.add(path, [{ type, client }]);
    else clients.push({ type, client });
    return client;
  }
}
