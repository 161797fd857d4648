import { CapnpError, type ErrorKind } from "../errors.ts";
import { reasonOf, toError } from "../rpc/capability/thrown.ts";

/** An `Observer` capability, whatever its values are. */
export interface ObserverClient {
  next(params: { readonly value: unknown }): Promise<void>;
  complete(): PromiseLike<unknown>;
  error(params: { readonly error: RemoteError }): PromiseLike<unknown>;
  release(): void;
}

/** `Error` of `/capstan/observable.capnp`. */
export interface RemoteError {
  readonly reason: string;
  readonly kind: ErrorKind;
  readonly code: string;
}

const remoteError = (thrown: unknown): RemoteError => {
  const error = toError(thrown);
  return error instanceof CapnpError
    ? { reason: error.message, kind: error.kind, code: error.code }
    : { reason: reasonOf(error), kind: "failed", code: "" };
};

/**
 * Tells an observer elsewhere what an observable here has to tell, as fast as there is room in the stream.
 *
 * State: telling (values wait here for room) -> ending (the observable is done; what waits is still told, and then the end) ->
 * over (the observer is released).
 */
export class Feed {
  readonly #observer: ObserverClient;
  readonly #limit: number;
  readonly #values: unknown[] = [];
  #end: (() => PromiseLike<unknown>) | undefined;
  #isTelling = false;
  #isOver = false;
  readonly #stopSource: () => void;

  /**
   * @param observer Taken over.
   * @param limit Values that may wait.
   * @param stopSource Called when nobody listens any more.
   */
  constructor(observer: ObserverClient, limit: number, stopSource: () => void) {
    this.#observer = observer;
    this.#limit = limit;
    this.#stopSource = stopSource;
  }

  next(value: unknown): void {
    if (this.#isOver || this.#end !== undefined) return;
    if (this.#values.length >= this.#limit) {
      this.#values.length = 0;
      this.error(
        new CapnpError(
          "CAPNP_LIMIT",
          `The observer is too slow: ${this.#limit} values wait for it (maxWaiting). Send fewer, with an operator such as throttle.`,
        ),
      );
      this.#stopSource();
      return;
    }
    this.#values.push(value);
    this.#tell();
  }

  complete(): void {
    this.#endWith(() => this.#observer.complete());
  }

  error(thrown: unknown): void {
    this.#endWith(() => this.#observer.error({ error: remoteError(thrown) }));
  }

  #endWith(end: () => PromiseLike<unknown>): void {
    if (this.#isOver || this.#end !== undefined) return;
    this.#end = end;
    this.#tell();
  }

  #tell(): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    // What an observer fails with is its own affair: it is not told anything any more.
    this.#tellAll().catch(() => this.stop());
  }

  async #tellAll(): Promise<void> {
    while (!this.#isOver) {
      if (this.#values.length > 0) await this.#observer.next({ value: this.#values.shift() });
      else if (this.#end !== undefined) {
        await this.#end();
        this.stop();
      } else break;
    }
    this.#isTelling = false;
  }

  /** Nobody listens any more. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#values.length = 0;
    this.#stopSource();
    this.#observer.release();
  }
}
