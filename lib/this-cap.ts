import type { Client } from "./rpc/capability/client.ts";
import { serverHook } from "./rpc/capability/server.ts";
import type { InterfaceServer } from "./schema/interface-class.ts";
import { clientLike, clientOf, type InterfaceClient, type InterfaceType } from "./schema/interface-client.ts";

/**
 * A reference to a server object, usually to itself: `thisCap(this, Calculator)`. While it is held the object is not
 * disposed; an object that keeps one must release it for its own sake some day.
 */
export function thisCap(server: InterfaceServer): InterfaceClient;
export function thisCap<C extends Client>(server: InterfaceServer, type: InterfaceType<C>): C;
export function thisCap(server: InterfaceServer, type?: InterfaceType<Client>): Client {
  const hook = serverHook(server);
  return type === undefined ? clientLike(server, hook) : clientOf(type, hook);
}
