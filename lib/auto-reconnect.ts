import type { Client } from "./rpc/capability/client.ts";
import type { ClientHook } from "./rpc/capability/client-hook.ts";
import { ReconnectingClient } from "./rpc/capability/reconnecting-client.ts";
import type { InterfaceServer } from "./schema/interface-class.ts";
import {
  clientLike,
  clientOf,
  type InterfaceClient,
  type InterfaceType,
  requireHook,
} from "./schema/interface-client.ts";

/** A client or server object, or a promise of either. */
export type Connected<C extends Client> = C | InterfaceServer | PromiseLike<C | InterfaceServer>;

/** Lets go of a connection on purpose. */
export interface AutoReconnectController {
  /** The next call connects anew. Calls in flight go on over the old connection. */
  reset(): void;
}

const hookOf = (connected: unknown): ClientHook => requireHook(connected);

/**
 * A capability that survives the loss of its connection: when a call through it fails with `disconnected`, `connect` is
 * called again, once however many calls fail together, and later calls go to what it returns. A call that failed is not
 * sent again, since it may have had its effect: its caller gets the error and decides.
 *
 * `connect` is called at once, too. Where it throws or rejects, calls fail with that; if that is `disconnected`, each of
 * them tries again. What waits between attempts, if anything should, waits in `connect`. The references that it returns
 * remain the caller's, as wherever a client is passed on.
 *
 * The result has the class of the client that `connect` returns; where that is a promise, say the class by `type`.
 */
export function autoReconnect<C extends Client>(connect: () => C): C;
export function autoReconnect(connect: () => Connected<Client>): InterfaceClient;
export function autoReconnect<C extends Client>(connect: () => Connected<Client>, type: InterfaceType<C>): C;
export function autoReconnect(connect: () => Connected<Client>, type?: InterfaceType<Client>): Client {
  const first = connect();
  const hook = new ReconnectingClient(() => hookOf(connect()), hookOf(first));
  return type === undefined ? clientLike(first, hook) : clientOf(type, hook);
}

/** As `autoReconnect`, but `connect` is called for the first call. */
export function lazyAutoReconnect(connect: () => Connected<Client>): InterfaceClient;
export function lazyAutoReconnect<C extends Client>(connect: () => Connected<Client>, type: InterfaceType<C>): C;
export function lazyAutoReconnect(connect: () => Connected<Client>, type?: InterfaceType<Client>): Client {
  return clientOf(type, new ReconnectingClient(() => hookOf(connect()), undefined));
}

/** As `lazyAutoReconnect`, with what lets go of the connection while it stands. */
export function lazyAutoReconnectWithController(connect: () => Connected<Client>): {
  readonly client: InterfaceClient;
  readonly controller: AutoReconnectController;
};
export function lazyAutoReconnectWithController<C extends Client>(
  connect: () => Connected<Client>,
  type: InterfaceType<C>,
): { readonly client: C; readonly controller: AutoReconnectController };
export function lazyAutoReconnectWithController(
  connect: () => Connected<Client>,
  type?: InterfaceType<Client>,
): { readonly client: Client; readonly controller: AutoReconnectController } {
  const hook = new ReconnectingClient(() => hookOf(connect()), undefined);
  return { client: clientOf(type, hook), controller: { reset: () => hook.reset() } };
}
