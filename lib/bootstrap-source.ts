import { CapnpError } from "./errors.ts";
import { Client, toHook } from "./rpc/capability/client.ts";
import type { ClientHook } from "./rpc/capability/client-hook.ts";
import type { Payload } from "./rpc/capability/payload.ts";
import { Server } from "./rpc/capability/server.ts";
import { type Restorer, restore } from "./restorer.ts";
import type { PeerInfo } from "./transport/transport.ts";

/** A capability that a vat gives away: a client, a server object, or a promise of either. */
export type Exposed = Client | Server | PromiseLike<Client | Server>;

/**
 * The bootstrap capability of a vat: one for all peers; or made for each peer that asks, by a function or as an object of a class,
 * whose constructor is given the peer.
 */
export type BootstrapSource = Exposed | ((peer: PeerInfo) => Exposed) | (new (peer: PeerInfo) => Server);

/** What a connection asks for the capability of each Bootstrap. */
export const bootstrapFor =
  (source: BootstrapSource | undefined, restorer?: Restorer) =>
  (peer: PeerInfo, objectId: Payload | undefined): ClientHook => {
    if (restorer !== undefined && (objectId !== undefined || source === undefined)) {
      return restore(restorer, objectId, peer);
    }
    if (objectId !== undefined) {
      throw new CapnpError(
        "CAPNP_RESTORE",
        "This vat restores no capabilities by object id, because it has no `restorer`: ask for the bootstrap capability.",
      );
    }
    if (source === undefined) {
      throw new CapnpError("CAPNP_NO_BOOTSTRAP", "This vat does not expose a bootstrap capability: set `bootstrap`.");
    }
    const made = makeFor(source, peer);
    const hook = toHook(made);
    if (hook === null) {
      throw new CapnpError("CAPNP_NO_BOOTSTRAP", "The `bootstrap` function of this vat returned no capability.");
    }
    return hook;
  };

const makeFor = (source: BootstrapSource, peer: PeerInfo): Exposed => {
  if (typeof source !== "function") return source;
  return isServerClass(source) ? new source(peer) : (source as (peer: PeerInfo) => Exposed)(peer);
};

const isServerClass = (source: BootstrapSource): source is new (peer: PeerInfo) => Server =>
  typeof source === "function" && source.prototype instanceof Server;

/** Holds a reference to an object that is exposed to every peer, so that it is not disposed between two of them. */
export const holdBootstrap = (source: BootstrapSource | undefined): (() => void) => {
  if (!(source instanceof Client || source instanceof Server)) return () => undefined;
  const hook = toHook(source);
  return () => hook?.release();
};
