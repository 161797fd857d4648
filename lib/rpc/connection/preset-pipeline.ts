import { CapnpError } from "../../errors.ts";
import type { CapTable } from "../../serialization/cap-table.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import { type ClientHook, innermost } from "../capability/client-hook.ts";
import type { Payload } from "../capability/payload.ts";
import type { Pipeline } from "../capability/pipeline.ts";
import { QueuedClient } from "../capability/queued-client.ts";
import type { ConnectionState } from "./connection-state.ts";

/**
 * The pipeline of a call that has returned, where the method had said before what capabilities the results would have.
 *
 * Calls that came earlier went to what it said, and may wait there for a promise. Those that come now must not overtake them:
 * they wait, too, and then go to exactly what the Return described (the Tribble 4-way race; rpc.capnp, Disembargo). What
 * turns out to be another capability than the one that was returned is broken, because no order can be kept between two.
 */
export class PresetPipeline implements Pipeline {
  readonly #state: ConnectionState;
  readonly #preset: Pipeline;
  readonly #sent: Payload;
  readonly #built: CapTable;
  /** What waits for a promise, by its path: one for each, however often a peer asks. Borrowed. */
  readonly #waiting = new Map<string, QueuedClient>();

  /**
   * @param sent The results, with what the Return described.
   * @param built The capabilities of the results as the method gave them.
   */
  constructor(state: ConnectionState, preset: Pipeline, sent: Payload, built: CapTable) {
    this.#state = state;
    this.#preset = preset;
    this.#sent = sent;
    this.#built = built;
  }

  pipelined(path: readonly number[]): ClientHook {
    const key = path.join();
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting.addRef();
    const sent = this.#sent.pipelined(path);
    const index = this.#sent.capTable.entries().indexOf(sent);
    const built = (index < 0 ? sent : this.#built.entries()[index]) as ClientHook;
    return this.#agree(key, this.#preset.pipelined(path), built.addRef(), sent);
  }

  /** Takes over the references. */
  #agree(key: string, said: ClientHook, built: ClientHook, sent: ClientHook): ClientHook {
    const inner = innermost(said);
    const other = innermost(built);
    if (inner !== other && inner.isPromise) return this.#wait(key, inner, said, built, sent);
    if (inner !== other && other.isPromise) return this.#wait(key, other, said, built, sent);
    const agreed = inner === other ? sent : new BrokenPreset(inner.brokenBy ?? disagreement(), sent);
    said.release();
    built.release();
    return agreed;
  }

  #wait(key: string, promise: ClientHook, said: ClientHook, built: ClientHook, sent: ClientHook): ClientHook {
    const { atClose } = this.#state;
    const queued = new QueuedClient();
    queued.addRef();
    this.#waiting.set(key, queued);
    const settle = (hook: ClientHook): void => {
      atClose.delete(waiting);
      queued.resolve(hook);
      queued.release();
    };
    const stopWaiting = promise.onResolved(() => {
      // They may have to wait for another.
      this.#waiting.delete(key);
      settle(this.#agree(key, said, built, sent));
    });
    const waiting = {
      lost: () => {
        stopWaiting();
        this.#waiting.delete(key);
        for (const hook of [said, built, sent]) hook.release();
        settle(new BrokenClient(this.#state.closedBy as CapnpError));
      },
    };
    atClose.add(waiting);
    return queued;
  }
}

/** What is pipelined after all where two capabilities were said to be one. A Disembargo finds its way back through it all the same. */
export class BrokenPreset extends BrokenClient {
  /** What the Return described. Owned. */
  readonly sent: ClientHook;

  constructor(error: Error, sent: ClientHook) {
    super(error);
    this.sent = sent;
  }

  override get releasesItself(): boolean {
    return false;
  }

  protected override destroyed(): void {
    this.sent.release();
  }
}

const disagreement = (): CapnpError =>
  new CapnpError(
    "CAPNP_CALL",
    "The results of this call have another capability here than the one that setPipeline() had announced.",
  );
