import { BrokenClient } from "../rpc/capability/broken-client.ts";
import type { CallContext } from "../rpc/capability/call-context.ts";
import { ClientHook } from "../rpc/capability/client-hook.ts";
import type { OutgoingCall } from "../rpc/capability/request.ts";
import { toError } from "../rpc/capability/thrown.ts";
import type { Session } from "./session.ts";
import type { Follower, WaitingLine } from "./waiting-line.ts";

/**
 * A capability that stays good when the connection to it is replaced: it is found anew in each session, for the first call
 * there. Where several sessions stand, calls go to them in turn. A call that was sent is never sent again, and fails with its connection; one that was not sent yet waits for a
 * session.
 *
 * It never resolves to what stands behind it: who held that could not be led elsewhere.
 */
export class StableClient extends ClientHook implements Follower {
  readonly #line: WaitingLine;
  readonly #find: (session: Session) => ClientHook;
  readonly #found = new Map<Session, ClientHook>();
  /** The one that the last call went to. */
  #latest: ClientHook | undefined;

  /** @param find Finds it in a session; the reference is handed over. */
  constructor(line: WaitingLine, find: (session: Session) => ClientHook) {
    super();
    this.#line = line;
    this.#find = find;
    line.follow(this);
  }

  /** So that one which would be connected to itself is found out. */
  override get awaits(): ClientHook | null {
    return this.#latest ?? null;
  }

  override get brokenBy(): Error | undefined {
    return this.#line.closedBy;
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    return this.#target()?.messageCall(interfaceId, methodId) ?? null;
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    const target = this.#target();
    if (target !== undefined) {
      target.call(interfaceId, methodId, context);
      return;
    }
    // The call may be all that holds this.
    this.addRef();
    this.#line.add(
      context,
      () => this.call(interfaceId, methodId, context),
      () => this.release(),
    );
  }

  #target(): ClientHook | undefined {
    const session = this.#line.next();
    if (session === undefined) return undefined;
    let hook = this.#found.get(session);
    if (hook === undefined) {
      hook = this.#lookUp(session);
      this.#found.set(session, hook);
    }
    this.#latest = hook;
    return hook;
  }

  #lookUp(session: Session): ClientHook {
    try {
      return this.#find(session);
    } catch (error) {
      return new BrokenClient(toError(error));
    }
  }

  left(session: Session): void {
    const hook = this.#found.get(session);
    if (hook === undefined) return;
    this.#found.delete(session);
    if (this.#latest === hook) this.#latest = undefined;
    hook.release();
  }

  protected override destroyed(): void {
    this.#line.unfollow(this);
    const found = [...this.#found.values()];
    this.#found.clear();
    this.#latest = undefined;
    for (const hook of found) hook.release();
  }
}
