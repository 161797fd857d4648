import type { ClientHook } from "./client-hook.ts";
import type { Payload } from "./payload.ts";
import { QueuedClient } from "./queued-client.ts";

/** Capabilities inside results that may not be there yet. */
export interface Pipeline {
  /**
   * The capability at a path of pointer indices from the results struct (`PromisedAnswer.transform`). The caller owns
   * the reference that it gets. Asking twice for one path gives the same capability while the results are pending, so
   * that calls made through either keep their order.
   */
  pipelined(path: readonly number[]): ClientHook;
}

const key = (path: readonly number[]): string => path.join();

/** The pipeline of a call that has not returned: holds calls back until it is known where they go. */
export class QueuedPipeline implements Pipeline {
  readonly #clients = new Map<string, { readonly path: readonly number[]; readonly client: QueuedClient }>();
  #target: Pipeline | undefined;
  /** The target where it was set before the results were there: owned until they are. */
  #preset: Payload | undefined;

  pipelined(path: readonly number[]): ClientHook {
    if (this.#target !== undefined) return this.#target.pipelined(path);
    const found = this.#clients.get(key(path));
    if (found !== undefined) return found.client.addRef();
    const client = new QueuedClient();
    this.#clients.set(key(path), { path, client });
    return client.addRef();
  }

  /** True while a capability that was asked for here, or a call on one, waits for the results. */
  get isAwaited(): boolean {
    for (const { client } of this.#clients.values()) if (client.isAwaited) return true;
    return false;
  }

  /** Says where capabilities are before the results are there; takes the payload over. Only the first call counts. */
  preset(payload: Payload): void {
    if (this.#target !== undefined) {
      payload.release();
      return;
    }
    this.resolve(payload);
    this.#preset = payload;
  }

  /** Sends what was held back on its way, in the order of its arrival for each capability. Only the first call counts. */
  resolve(target: Pipeline): void {
    if (this.#target !== undefined && this.#preset === undefined) return;
    this.#target = target;
    this.#preset?.release();
    this.#preset = undefined;
    for (const { path, client } of this.#clients.values()) {
      client.resolve(target.pipelined(path));
      client.release();
    }
    this.#clients.clear();
  }
}
