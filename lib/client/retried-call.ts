import { CapnpError } from "../errors.ts";
import { ClientHook } from "../rpc/capability/client-hook.ts";
import type { CallContext } from "../rpc/capability/call-context.ts";
import {
  FailedCall,
  newCall,
  type OutgoingCall,
  type PendingCall,
  type PipelineCall,
  type ReturnListener,
} from "../rpc/capability/request.ts";
import { ResolveListeners } from "../rpc/capability/resolve-listeners.ts";
import { toError } from "../rpc/capability/thrown.ts";
import { copyPointer } from "../serialization/copy.ts";
import { MessageBuilder } from "../serialization/message.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";
import type { Segment } from "../serialization/segment.ts";
import type { Backoff } from "./backoff.ts";
import type { RetryPolicy } from "./retrying-client.ts";

/** A call whose params are kept, so that it can be made again. */
export class RetriedCall implements OutgoingCall {
  readonly #target: ClientHook;
  readonly #interfaceId: bigint;
  readonly #methodId: number;
  readonly #policy: RetryPolicy;
  readonly #params = new MessageBuilder();

  constructor(target: ClientHook, interfaceId: bigint, methodId: number, policy: RetryPolicy) {
    this.#target = target.addRef();
    this.#interfaceId = interfaceId;
    this.#methodId = methodId;
    this.#policy = policy;
  }

  get segment(): Segment {
    return this.#params.rootSegment;
  }

  get position(): number {
    return 0;
  }

  send(streaming = false): PendingCall {
    return new RetriedPending(
      () => this.#begin().send(streaming),
      () => this.discard(),
      this.#policy,
    );
  }

  /** Nobody hears whether it failed: it is made once. */
  sendForPipeline(): PipelineCall {
    try {
      return this.#begin().sendForPipeline();
    } catch (error) {
      return new FailedCall(toError(error));
    } finally {
      this.discard();
    }
  }

  /** What stays with the peer is lost with the connection. */
  sendRedirected(): null {
    return null;
  }

  #begin(): OutgoingCall {
    const call = newCall(this.#target, this.#interfaceId, this.#methodId);
    try {
      copyPointer(call.segment, call.position, this.segment, 0, unlimitedNesting);
    } catch (error) {
      call.discard();
      throw error;
    }
    return call;
  }

  discard(): void {
    if (this.#params.arena.hasCapTable) this.#params.capTable.release();
    this.#target.release();
  }
}

/**
 * State: sent -> lost (failed with `disconnected`; another attempt is due) -> sent ... -> over (it returned, or failed for good,
 * or was canceled). The listener is told once.
 */
class RetriedPending implements PendingCall {
  readonly #send: () => PendingCall;
  readonly #done: () => void;
  readonly #policy: RetryPolicy;
  readonly #backoff: Backoff;
  #current: PendingCall;
  #attempts = 0;
  #listener: ReturnListener | undefined;
  #isOver = false;
  #stopTimer: (() => void) | undefined;
  readonly #pipelined = new Map<string, AttemptClient>();

  constructor(send: () => PendingCall, done: () => void, policy: RetryPolicy) {
    this.#send = send;
    this.#done = done;
    this.#policy = policy;
    this.#backoff = policy.newBackoff();
    this.#current = this.#attempt();
  }

  #attempt(): PendingCall {
    this.#attempts++;
    try {
      return this.#send();
    } catch (error) {
      return new FailedCall(toError(error));
    }
  }

  onReturn(listener: ReturnListener): void {
    this.#listener = listener;
    this.#listen();
  }

  #listen(): void {
    this.#current.onReturn({
      returned: (results) => {
        this.#policy.budget.refill();
        this.#end();
        this.#listener?.returned(results);
      },
      threw: (error) => {
        if (this.#isOver || !this.#retry(error)) this.#fail(error);
      },
    });
  }

  #retry(error: Error): boolean {
    const { attempts, budget, clock } = this.#policy;
    if (!(error instanceof CapnpError) || error.kind !== "disconnected") return false;
    if (this.#attempts >= attempts || !budget.take()) return false;
    this.#stopTimer = clock.after(this.#backoff.next(), () => {
      this.#stopTimer = undefined;
      this.#current = this.#attempt();
      for (const client of this.#pipelined.values()) client.moved();
      this.#listen();
    });
    return true;
  }

  #fail(error: Error): void {
    if (!this.#isOver) this.#end();
    this.#listener?.threw(error);
  }

  #end(): void {
    this.#isOver = true;
    this.#done();
    for (const client of this.#pipelined.values()) {
      client.settled();
      client.release();
    }
    this.#pipelined.clear();
  }

  cancel(reason: Error): void {
    if (this.#isOver) return;
    if (this.#stopTimer === undefined) {
      this.#end();
      this.#current.cancel(reason);
    } else {
      this.#stopTimer();
      this.#fail(reason);
    }
  }

  pipelined(path: readonly number[]): ClientHook {
    if (this.#isOver) return this.#current.pipelined(path);
    const key = path.join();
    let client = this.#pipelined.get(key);
    if (client === undefined) {
      client = new AttemptClient(() => this.#current.pipelined(path));
      this.#pipelined.set(key, client);
    }
    return client.addRef();
  }
}

/**
 * The promise of a capability in the results of a call that may be made again: it leads to those of the attempt that is under
 * way, and becomes what the last one gave.
 */
class AttemptClient extends ClientHook {
  readonly #find: () => ClientHook;
  #current: ClientHook;
  #isSettled = false;
  readonly #listeners = new ResolveListeners();

  constructor(find: () => ClientHook) {
    super();
    this.#find = find;
    this.#current = find();
  }

  /** There is another attempt. */
  moved(): void {
    const previous = this.#current;
    this.#current = this.#find();
    previous.release();
  }

  /** There will be no other. */
  settled(): void {
    this.#isSettled = true;
    this.#listeners.tell();
  }

  override get resolved(): ClientHook | null {
    return this.#isSettled ? this.#current : null;
  }

  override get isPromise(): boolean {
    return !this.#isSettled;
  }

  override get awaits(): ClientHook | null {
    return this.#current;
  }

  override onResolved(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    return this.#current.messageCall(interfaceId, methodId);
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    this.#current.call(interfaceId, methodId, context);
  }

  protected override destroyed(): void {
    this.#current.release();
  }
}
