import type { Client } from "./rpc/capability/client.ts";
import { RevocableClient } from "./rpc/capability/revocable-client.ts";
import { Revocation, revokedError } from "./rpc/capability/revocation.ts";
import { serverHook } from "./rpc/capability/server.ts";
import type { InterfaceServer } from "./schema/interface-class.ts";
import { clientLike, type InterfaceClient, type InterfaceType, clientOf } from "./schema/interface-client.ts";

/**
 * Gives a server object away for as long as it is wanted: `client` is a capability to it, which `revoke` breaks wherever
 * it has been passed to. A capability that a method of the object returned is not affected; see `membrane` for that.
 *
 * `using` revokes at the end of the block.
 */
export class RevocableServer<C extends Client = InterfaceClient> {
  /** The capability to give away. */
  readonly client: C;
  readonly #revocation = new Revocation();

  /** @param type What `client` is a client of. Default: the interface that the server object implements. */
  constructor(server: InterfaceServer, type?: InterfaceType<C>) {
    const hook = new RevocableClient(serverHook(server), this.#revocation);
    this.client = type === undefined ? (clientLike(server, hook) as Client as C) : clientOf(type, hook);
  }

  /**
   * Breaks the capability: calls that are running fail at once, as do later ones, and the object is disposed unless it is
   * referred to otherwise. Doing it again has no effect.
   *
   * @param reason The error that callers get. Default: a CapnpError with the code CAPNP_REVOKED.
   */
  revoke(reason?: unknown): void {
    this.#revocation.revoke(revokedError(reason));
  }

  get isRevoked(): boolean {
    return this.#revocation.revokedBy !== undefined;
  }

  [Symbol.dispose](): void {
    this.revoke();
  }
}
