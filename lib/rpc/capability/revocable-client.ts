import type { CallContext } from "./call-context.ts";
import { ClientHook } from "./client-hook.ts";
import { RevocableContext, type Revocable, type Revocation } from "./revocation.ts";

/** A capability that lets go of what stands behind it when access is revoked. */
export class RevocableClient extends ClientHook implements Revocable {
  readonly #revocation: Revocation;
  #target: ClientHook | undefined;

  /** @param target Taken over. */
  constructor(target: ClientHook, revocation: Revocation) {
    super();
    this.#target = target;
    this.#revocation = revocation;
    revocation.add(this);
  }

  revoked(): void {
    const target = this.#target;
    this.#target = undefined;
    target?.release();
  }

  override get awaits(): ClientHook | null {
    return this.#target ?? null;
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    if (this.#target === undefined) context.threw(this.#revocation.revokedBy);
    else this.#target.call(interfaceId, methodId, new RevocableContext(context, this.#revocation));
  }

  protected override destroyed(): void {
    this.#revocation.delete(this);
    this.revoked();
  }
}
