import type { Arena } from "../../serialization/arena.ts";
import { CapTable } from "../../serialization/cap-table.ts";
import { BrokenClient } from "./broken-client.ts";
import type { CallContext } from "./call-context.ts";
import { ClientHook, innermost } from "./client-hook.ts";
import { handOn } from "./hand-on.ts";
import type { Payload } from "./payload.ts";
import type { OwnedPipeline } from "./pipeline.ts";
import { QueuedClient } from "./queued-client.ts";
import type { PendingCall, PipelineCall, ReturnListener } from "./request.ts";
import { ResolveListeners } from "./resolve-listeners.ts";
import { RevocableContext, RevocablePending, type Revocable, type Revocation } from "./revocation.ts";
import { toError } from "./thrown.ts";

/** Which way a capability passes through a membrane. */
export type Crossing = "inward" | "outward";

const opposite = { inward: "outward", outward: "inward" } as const;

/** What a membrane's policy decides. References that are returned are handed over; those that are given are borrowed. */
export interface MembraneRules {
  /** What has passed through one membrane may pass back through another of the same root, and is unwrapped. */
  readonly root: MembraneRules;
  readonly revocation: Revocation;
  /** Whether a call that is to be redirected waits until the promise that it was made on has resolved. */
  readonly resolvesBeforeRedirecting: boolean;
  /** The wrappers that exist, by what they wrap: one for each capability and direction. */
  readonly wrappers: { readonly [C in Crossing]: Map<ClientHook, MembraneClient> };
  /**
   * Where a call goes that is made through a capability which has crossed so; null where it goes to the target. A throw
   * fails the call.
   */
  redirect(crossing: Crossing, interfaceId: bigint, methodId: number, target: ClientHook): ClientHook | null;
  /** What stands for a capability that crosses, instead of a wrapper of ours; null where that is to stand for it. */
  substitute(crossing: Crossing, hook: ClientHook): ClientHook | null;
  /** What stands for a capability that has crossed and crosses back, asked of the root; null for itself. */
  unwrapped(crossing: Crossing, hook: ClientHook, before: MembraneRules, now: MembraneRules): ClientHook | null;
}

/** A capability as it is on the other side; takes the reference over. Where the policy throws, it is broken there. */
export const cross = (hook: ClientHook, rules: MembraneRules, crossing: Crossing): ClientHook => {
  const inner = innermost(hook).addRef();
  hook.release();
  // There is nothing behind it that a membrane could keep apart.
  if (inner instanceof BrokenClient) return inner;
  try {
    return passedBack(inner, rules, crossing) ?? rules.substitute(crossing, inner) ?? wrapper(inner, rules, crossing);
  } catch (error) {
    return new BrokenClient(toError(error));
  } finally {
    inner.release();
  }
};

const passedBack = (inner: ClientHook, rules: MembraneRules, crossing: Crossing): ClientHook | null => {
  if (!(inner instanceof MembraneClient)) return null;
  const before = inner.rules;
  if (before.root !== rules.root || inner.crossing === crossing) return null;
  return rules.root.unwrapped(crossing, inner.target, before, rules) ?? inner.target.addRef();
};

const wrapper = (inner: ClientHook, rules: MembraneRules, crossing: Crossing): ClientHook =>
  rules.wrappers[crossing].get(inner)?.addRef() ?? new MembraneClient(inner.addRef(), rules, crossing);

/** Takes the capabilities of a message, which lie on one side of the membrane, to the other. */
export const crossAll = (arena: Arena, rules: MembraneRules, crossing: Crossing): void => {
  if (!arena.hasCapTable || arena.capTable.length === 0) return;
  const table = arena.capTable;
  const entries = table.entries() as readonly (ClientHook | null)[];
  arena.capTable = new CapTable(entries.map((entry) => entry && cross(entry.addRef(), rules, crossing)));
  table.release();
};

/**
 * A capability that has crossed a membrane. What passes through it in calls crosses likewise: params the opposite way,
 * results the same way.
 *
 * State: standing -> revoked (the target is let go, calls fail). A wrapped promise: pending -> resolved, to what the
 * promise's resolution is on this side, which may be no wrapper at all.
 */
export class MembraneClient extends ClientHook implements Revocable {
  readonly rules: MembraneRules;
  readonly crossing: Crossing;
  readonly #key: ClientHook;
  #target: ClientHook;
  #resolved: ClientHook | null = null;
  #stopWaiting: (() => void) | undefined;
  /** Where calls wait that are not redirected before this has resolved. */
  #waiting: QueuedClient | undefined;
  readonly #listeners = new ResolveListeners();

  /** @param target Taken over. */
  constructor(target: ClientHook, rules: MembraneRules, crossing: Crossing) {
    super();
    this.rules = rules;
    this.crossing = crossing;
    this.#key = target;
    this.#target = target;
    rules.wrappers[crossing].set(target, this);
    const { revocation } = rules;
    if (target.isPromise) this.#stopWaiting = target.onResolved(() => this.#targetResolved());
    if (revocation.revokedBy === undefined) revocation.add(this);
    else this.revoked(revocation.revokedBy);
  }

  /** What this stands for, on the side where it comes from. Borrowed. */
  get target(): ClientHook {
    return this.#target;
  }

  override get resolved(): ClientHook | null {
    return this.#resolved;
  }

  override get isPromise(): boolean {
    return this.#stopWaiting !== undefined;
  }

  override get awaits(): ClientHook | null {
    return this.#resolved === null ? this.#target : null;
  }

  override onResolved(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  #targetResolved(): void {
    const target = innermost(this.#target);
    this.#resolve(cross(target.addRef(), this.rules, this.crossing));
  }

  /** Takes the reference over. */
  #resolve(hook: ClientHook): void {
    this.#stopWaiting = undefined;
    this.#resolved = hook;
    // Who hears of it may release the last reference to this.
    hook.addRef();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) {
      waiting.resolve(hook.addRef());
      waiting.release();
      this.release();
    }
    this.#listeners.tell();
    hook.release();
  }

  revoked(error: Error): void {
    const target = this.#target;
    this.#forget();
    this.#target = new BrokenClient(error);
    const stopWaiting = this.#stopWaiting;
    if (stopWaiting !== undefined) {
      stopWaiting();
      this.#resolve(this.#target.addRef());
    }
    target.release();
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (this.#resolved !== null) {
      innermost(this.#resolved).call(interfaceId, methodId, context);
      return;
    }
    const { rules, crossing } = this;
    let redirect: ClientHook | null;
    try {
      redirect = rules.redirect(crossing, interfaceId, methodId, this.#target);
    } catch (error) {
      context.threw(error);
      return;
    }
    if (redirect === null) {
      this.#target.call(interfaceId, methodId, new MembraneContext(context, rules, crossing));
      return;
    }
    if (rules.resolvesBeforeRedirecting && this.isPromise) {
      if (this.#waiting === undefined) {
        this.#waiting = new QueuedClient();
        // Calls that wait were made while somebody held a reference. They are delivered, or revoked, all the same.
        this.addRef();
      }
      this.#waiting.call(interfaceId, methodId, context);
    } else redirect.call(interfaceId, methodId, context);
    redirect.release();
  }

  #forget(): void {
    this.rules.revocation.delete(this);
    const wrappers = this.rules.wrappers[this.crossing];
    if (wrappers.get(this.#key) === this) wrappers.delete(this.#key);
  }

  protected override destroyed(): void {
    this.#forget();
    this.#stopWaiting?.();
    this.#resolved?.release();
    this.#target.release();
  }
}

/** A call through a membrane, as the callee sees it. */
class MembraneContext extends RevocableContext {
  readonly #rules: MembraneRules;
  /** The way that the results take. */
  readonly #crossing: Crossing;
  /** The params, once they have crossed. */
  #params: Payload | undefined;

  constructor(outer: CallContext, rules: MembraneRules, crossing: Crossing) {
    super(outer, rules.revocation);
    this.#rules = rules;
    this.#crossing = crossing;
  }

  override get params(): Payload {
    const { params } = this.outer;
    if (this.#params === undefined) {
      this.#params = params;
      crossAll(params.segment.arena, this.#rules, opposite[this.#crossing]);
    }
    return params;
  }

  override setPipeline(pipeline: OwnedPipeline): void {
    super.setPipeline({
      pipelined: (path) => cross(pipeline.pipelined(path), this.#rules, this.#crossing),
      release: () => pipeline.release(),
    });
  }

  override returned(): void {
    if (!this.completed && !this.isRevoked) {
      const { arena } = this.results().segment;
      // On this side, where what was read and what is returned can still be recognised as the same.
      handOn(this.#params, arena);
      crossAll(arena, this.#rules, this.#crossing);
    }
    super.returned();
  }

  override interpose(pending: PendingCall): PendingCall {
    return new MembranePending(pending, this.#rules, this.#crossing);
  }

  override interposePipeline(call: PipelineCall): PipelineCall {
    return {
      pipelined: (path) => cross(call.pipelined(path), this.#rules, this.#crossing),
      drop: () => call.drop(),
    };
  }
}

/** A tail call out of a membrane. */
class MembranePending extends RevocablePending {
  readonly #rules: MembraneRules;
  readonly #crossing: Crossing;
  /** The results, after they have crossed. */
  #results: Payload | undefined;

  constructor(inner: PendingCall, rules: MembraneRules, crossing: Crossing) {
    super(inner, rules.revocation);
    this.#rules = rules;
    this.#crossing = crossing;
  }

  override pipelined(path: readonly number[]): ClientHook {
    return this.#results?.pipelined(path) ?? cross(super.pipelined(path), this.#rules, this.#crossing);
  }

  override onReturn(listener: ReturnListener): void {
    super.onReturn({
      returned: (results) => {
        crossAll(results.segment.arena, this.#rules, this.#crossing);
        this.#results = results;
        listener.returned(results);
      },
      threw: (error) => listener.threw(error),
    });
  }
}
