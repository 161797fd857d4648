import type { CallContext } from "../rpc/capability/call-context.ts";
import { ClientHook } from "../rpc/capability/client-hook.ts";
import type { OutgoingCall } from "../rpc/capability/request.ts";
import type { Clock } from "../rpc/clock.ts";
import { forward } from "../rpc/connection/remote-client.ts";
import type { Backoff } from "./backoff.ts";
import type { IdempotentMethods } from "./idempotent.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { RetriedCall } from "./retried-call.ts";

export interface RetryPolicy {
  readonly methods: IdempotentMethods;
  /** Of one call, the first one included. */
  readonly attempts: number;
  readonly budget: RetryBudget;
  readonly clock: Clock;
  readonly newBackoff: () => Backoff;
}

/** A capability whose idempotent methods are called again where their call was lost with its connection. */
export class RetryingClient extends ClientHook {
  readonly #inner: ClientHook;
  readonly #policy: RetryPolicy;

  /** @param inner Taken over. It leads elsewhere after its connection was lost. */
  constructor(inner: ClientHook, policy: RetryPolicy) {
    super();
    this.#inner = inner;
    this.#policy = policy;
  }

  override get awaits(): ClientHook | null {
    return this.#inner;
  }

  override get brokenBy(): Error | undefined {
    return this.#inner.brokenBy;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    if (!this.#policy.methods.has(interfaceId, methodId)) return this.#inner.messageCall(interfaceId, methodId);
    return new RetriedCall(this.#inner, interfaceId, methodId, this.#policy);
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (!this.#policy.methods.has(interfaceId, methodId)) this.#inner.call(interfaceId, methodId, context);
    else forward(new RetriedCall(this.#inner, interfaceId, methodId, this.#policy), context);
  }

  protected override destroyed(): void {
    this.#inner.release();
  }
}
