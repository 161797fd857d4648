import { CapnpError } from "../../errors.ts";
import { MessageBuilder } from "../../serialization/message.ts";
import type { CallContext, ResultsPlace } from "./call-context.ts";
import { InterposedContext, InterposedPending } from "./interposed-call.ts";
import type { OutgoingCall, PendingCall, ReturnListener } from "./request.ts";
import { reasonOf } from "./thrown.ts";

/** What ends when access is revoked. */
export interface Revocable {
  revoked(error: Error): void;
}

/** Everything that one act of revocation ends: the capabilities that were given away and the calls through them. */
export class Revocation {
  readonly #live = new Set<Revocable>();
  #error: Error | undefined;

  /** Why access was revoked; undefined while it is granted. */
  get revokedBy(): Error | undefined {
    return this.#error;
  }

  add(revocable: Revocable): void {
    this.#live.add(revocable);
  }

  delete(revocable: Revocable): void {
    this.#live.delete(revocable);
  }

  /** Only the first reason counts. */
  revoke(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    const live = [...this.#live];
    this.#live.clear();
    for (const revocable of live) revocable.revoked(error);
  }
}

/** The error of what was revoked: the reason itself where it is an error that says something. */
export const revokedError = (reason?: unknown): Error => {
  if (reason instanceof Error && reason.name !== "AbortError") return reason;
  const text = reason === undefined || reason instanceof Error ? "" : `: ${reasonOf(reason)}`;
  return new CapnpError("CAPNP_REVOKED", `The capability was revoked${text}.`, { cause: reason });
};

/**
 * A call that ends when access is revoked: the caller hears the reason at once, to the callee it is as if the caller had
 * given up.
 *
 * State: running -> completed (by the callee, or the outcome of its tail call is awaited) | revoked (whatever the callee
 * still does goes nowhere).
 */
export class RevocableContext extends InterposedContext implements Revocable {
  readonly #revocation: Revocation;
  #isRevoked = false;
  #isDone = false;
  #cancelListeners: (() => void)[] | undefined;
  /** Where results go that nobody gets. */
  #nowhere: MessageBuilder | undefined;

  constructor(outer: CallContext, revocation: Revocation) {
    super(outer);
    this.#revocation = revocation;
    revocation.add(this);
  }

  protected get isRevoked(): boolean {
    return this.#isRevoked;
  }

  revoked(error: Error): void {
    if (this.outer.completed) return;
    this.#isRevoked = true;
    this.outer.threw(error);
    for (const listener of this.#cancelListeners ?? []) listener();
    this.#cancelListeners = undefined;
  }

  override start(): boolean {
    const starts = !this.#isRevoked && super.start();
    // Nobody will complete a call that does not start.
    if (!starts) this.#revocation.delete(this);
    return starts;
  }

  /** To the callee: what it still does is to be given back. */
  override get completed(): boolean {
    return this.#isRevoked ? this.#isDone : super.completed;
  }

  override get canceled(): boolean {
    return this.#isRevoked || super.canceled;
  }

  override onCanceled(listener: () => void): void {
    if (this.canceled) {
      listener();
      return;
    }
    if (this.#cancelListeners === undefined) {
      this.#cancelListeners = [];
      super.onCanceled(() => {
        for (const one of this.#cancelListeners ?? []) one();
        this.#cancelListeners = undefined;
      });
    }
    this.#cancelListeners.push(listener);
  }

  override results(): ResultsPlace {
    if (!this.#isRevoked) return super.results();
    this.#nowhere ??= new MessageBuilder();
    return { segment: this.#nowhere.rootSegment, position: 0 };
  }

  override returned(): void {
    if (!this.#done()) super.returned();
  }

  override threw(error: unknown): void {
    if (!this.#done()) super.threw(error);
  }

  override tailCall(call: OutgoingCall): void {
    if (this.#done()) call.discard();
    else super.tailCall(call);
  }

  override interpose(pending: PendingCall): PendingCall {
    return new RevocablePending(pending, this.#revocation);
  }

  /** The callee is done. True where that is of no interest any more. */
  #done(): boolean {
    this.#isDone = true;
    this.#revocation.delete(this);
    if (this.#nowhere?.arena.hasCapTable) this.#nowhere.capTable.release();
    this.#nowhere = undefined;
    return this.#isRevoked;
  }
}

/** A tail call that is canceled when access is revoked. */
export class RevocablePending extends InterposedPending implements Revocable {
  readonly #revocation: Revocation;

  constructor(inner: PendingCall, revocation: Revocation) {
    super(inner);
    this.#revocation = revocation;
    revocation.add(this);
  }

  revoked(error: Error): void {
    this.inner.cancel(error);
  }

  override onReturn(listener: ReturnListener): void {
    super.onReturn({
      returned: (results) => {
        this.#revocation.delete(this);
        listener.returned(results);
      },
      threw: (error) => {
        this.#revocation.delete(this);
        listener.threw(error);
      },
    });
  }
}
