import { CapnpError } from "../errors.ts";
import type { CallContext } from "../rpc/capability/call-context.ts";
import { ClientHook } from "../rpc/capability/client-hook.ts";
import { InterposedCall, InterposedPending } from "../rpc/capability/interposed-call.ts";
import { newCall, type OutgoingCall, type PendingCall, type ReturnListener } from "../rpc/capability/request.ts";
import type { Clock } from "../rpc/clock.ts";
import { forward } from "../rpc/connection/remote-client.ts";

/** A capability whose calls are canceled when they have not returned after some time, that of waiting for a connection included. */
export class DeadlineClient extends ClientHook {
  readonly #inner: ClientHook;
  readonly #deadline: number;
  readonly #clock: Clock;

  /** @param inner Taken over. */
  constructor(inner: ClientHook, deadline: number, clock: Clock) {
    super();
    this.#inner = inner;
    this.#deadline = deadline;
    this.#clock = clock;
  }

  override get awaits(): ClientHook | null {
    return this.#inner;
  }

  override get brokenBy(): Error | undefined {
    return this.#inner.brokenBy;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall {
    return new InterposedCall(newCall(this.#inner, interfaceId, methodId), {
      interpose: (pending) => new LimitedPending(pending, this.#deadline, this.#clock),
      interposePipeline: (pipeline) => pipeline,
    });
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    forward(this.messageCall(interfaceId, methodId), context);
  }

  protected override destroyed(): void {
    this.#inner.release();
  }
}

class LimitedPending extends InterposedPending {
  readonly #stopTimer: () => void;

  constructor(inner: PendingCall, deadline: number, clock: Clock) {
    super(inner);
    this.#stopTimer = clock.after(deadline, () => {
      inner.cancel(new CapnpError("CAPNP_TIMEOUT", `The call did not return within ${deadline} ms (deadline).`));
    });
  }

  override onReturn(listener: ReturnListener): void {
    super.onReturn({
      returned: (results) => {
        this.#stopTimer();
        listener.returned(results);
      },
      threw: (error) => {
        this.#stopTimer();
        listener.threw(error);
      },
    });
  }
}
