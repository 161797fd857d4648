import { CapnpError } from "../../errors.ts";
import { BrokenClient, resolvedToItself } from "../capability/broken-client.ts";
import type { CallContext } from "../capability/call-context.ts";
import { ClientHook, innermost, leadsTo } from "../capability/client-hook.ts";
import { QueuedClient } from "../capability/queued-client.ts";
import type { OutgoingCall } from "../capability/request.ts";
import { ResolveListeners } from "../capability/resolve-listeners.ts";
import type { ConnectionState } from "./connection-state.ts";
import { sendDisembargo } from "./outgoing.ts";
import { forward, RemoteClient } from "./remote-client.ts";

/** Gives back what promises became that were collected, with a reference that was not released. */
const forgotten = new FinalizationRegistry<ClientHook>((target) => target.release());

/**
 * The promise of a capability that the peer resolves: by a Resolve for a promise in its export table, by a Return for one
 * in the results of a question.
 *
 * State: pending (calls go to `initial`, at the peer) -> resolved to the replacement, or to an embargo in front of it.
 *
 * The embargo is needed when calls were sent through the promise and it then turns out to be something that is not at that
 * peer: a call made now would not take the detour and could overtake them (rpc.capnp, Disembargo).
 */
export class PromiseClient extends ClientHook {
  readonly #state: ConnectionState;
  #initial: RemoteClient | undefined;
  readonly #releasesItself: boolean;
  readonly #gone: (() => void) | undefined;
  #target: ClientHook | null = null;
  /** True once a call was sent through this promise, or through one that became it. */
  #used = false;
  readonly #listeners = new ResolveListeners();

  /**
   * @param initial Taken over.
   * @param releasesItself True where somebody else holds it while it is pending.
   * @param gone Called when the last reference is released.
   */
  constructor(state: ConnectionState, initial: RemoteClient, releasesItself: boolean, gone?: () => void) {
    super();
    this.#state = state;
    this.#initial = initial;
    this.#releasesItself = releasesItself;
    this.#gone = gone;
  }

  override get resolved(): ClientHook | null {
    return this.#target;
  }

  override get isPromise(): boolean {
    return this.#target === null;
  }

  override onResolved(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  override get connection(): object | null {
    return this.#target === null ? this.#state : innermost(this.#target).connection;
  }

  override get brokenBy(): Error | undefined {
    return this.#target === null ? undefined : innermost(this.#target).brokenBy;
  }

  override get isNull(): boolean {
    return this.#target !== null && innermost(this.#target).isNull;
  }

  /** Where calls on the pending promise go, and how it is described to the peer it came from. Borrowed. */
  get initial(): RemoteClient {
    return this.#initial as RemoteClient;
  }

  /** Calls made from now on may be overtaken: when this resolves, the peer must be waited for. */
  markUsed(): void {
    this.#used = true;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    if (this.#target !== null) return innermost(this.#target).messageCall(interfaceId, methodId);
    return this.#state.beginCall(this.#state, this.initial, interfaceId, methodId, this);
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (this.#target !== null) innermost(this.#target).call(interfaceId, methodId, context);
    else forward(this.#state.beginCall(this.#state, this.initial, interfaceId, methodId, this), context);
  }

  /**
   * Settles the promise. What leads back to itself is broken.
   *
   * @param replacement Taken over.
   * @param reflected True where the peer described something of ours: whatever that is, calls sent before are coming back.
   */
  resolve(replacement: ClientHook, reflected: boolean): void {
    const initial = this.#initial;
    if (this.#target !== null || initial === undefined) {
      replacement.release();
      return;
    }
    if (leadsTo(replacement, this)) {
      replacement.release();
      this.#target = new BrokenClient(resolvedToItself());
    } else this.#target = this.#embargoed(initial, replacement, reflected);
    this.#initial = undefined;
    initial.release();
    if (this.#isWatched) forgotten.register(this, this.#target, this);
    this.#listeners.tell();
  }

  #embargoed(initial: RemoteClient, replacement: ClientHook, reflected: boolean): ClientHook {
    const state = this.#state;
    if (!this.#used || state.closedBy !== undefined) return replacement;
    const inner = innermost(replacement);
    if (inner.isNull || inner.brokenBy !== undefined) return replacement;
    if (!reflected && inner.connection === state) {
      // What it became is at the same peer: calls take the same way. A promise there may yet come back to us.
      if (inner instanceof PromiseClient) inner.markUsed();
      const successor = inner instanceof PromiseClient ? inner.initial : inner;
      if (successor instanceof RemoteClient) initial.handStreamTo(successor);
      return replacement;
    }
    if (state.embargoes.size >= state.limits.maxEmbargoes) {
      const error = new CapnpError(
        "CAPNP_LIMIT",
        `The peer has not lifted ${state.embargoes.size} embargoes (maxEmbargoes), and caused another.`,
      );
      replacement.release();
      state.breach(error);
      return new BrokenClient(error);
    }
    const queued = new QueuedClient();
    const { id } = state.embargoes.add((id) => ({ id, queued: queued.addRef(), replacement }));
    sendDisembargo(state, initial.target, "senderLoopback", id);
    return queued;
  }

  override get releasesItself(): boolean {
    return this.#releasesItself;
  }

  /** True where what it became is held until somebody releases it. */
  get #isWatched(): boolean {
    return this.#releasesItself && this.#target !== null && !this.#target.releasesItself;
  }

  protected override destroyed(): void {
    if (this.#isWatched) forgotten.unregister(this);
    this.#gone?.();
    this.#target?.release();
    this.#initial?.release();
    this.#initial = undefined;
  }
}
