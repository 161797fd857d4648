import { Client } from "./rpc/capability/client.ts";
import { type ClientHook, innermost } from "./rpc/capability/client-hook.ts";
import { LocalClient } from "./rpc/capability/local-client.ts";
import { type Server, serverHook, serverOf } from "./rpc/capability/server.ts";
import { clientOf, type InterfaceClient, type InterfaceType } from "./schema/interface-client.ts";
import { resolvedHook } from "./when-resolved.ts";

/**
 * Recognises one's own server objects behind capabilities that come back: `getLocalServer(client)` is the object itself,
 * with all that is not in its interface. Only objects that were added to this very set are found, so that nobody can pass
 * off an object of another kind.
 *
 *     const files = new CapabilityServerSet<FileImpl, File.Client>(File);
 *     const client = files.add(new FileImpl(path));
 *     const file = await files.getLocalServer(client);
 */
export class CapabilityServerSet<S extends Server = Server, C extends Client = InterfaceClient> {
  readonly #type: InterfaceType<C> | undefined;
  readonly #members = new WeakSet<Server>();

  /** @param type What `add` gives clients of. Default: clients without a known interface, to be cast. */
  constructor(type?: InterfaceType<C>) {
    this.#type = type;
  }

  /** Makes an object known to this set. The client is a reference like any other; the set holds none. */
  add(server: S): C {
    this.#members.add(server);
    return clientOf(this.#type, serverHook(server));
  }

  /**
   * The object behind a client; undefined where that is elsewhere, null, or not of this set. Waits until a promise has
   * resolved, and until calls that were made before have been delivered: those of a stream have ended by then. Rejects as
   * the promise does.
   */
  async getLocalServer(client: Client): Promise<S | undefined> {
    const hook = Client.hook(client).addRef();
    try {
      const inner = await resolvedHook(hook);
      const server = this.#memberOf(inner);
      if (server !== undefined && inner instanceof LocalClient) await delivered(inner);
      return server;
    } finally {
      hook.release();
    }
  }

  /** The same without waiting: undefined, too, for a promise that has not resolved. Calls may still be on their way. */
  getLocalServerSync(client: Client): S | undefined {
    return this.#memberOf(innermost(Client.hook(client)));
  }

  #memberOf(hook: ClientHook): S | undefined {
    const server = serverOf(hook);
    return server !== undefined && this.#members.has(server) ? (server as S) : undefined;
  }
}

const delivered = (local: LocalClient): Promise<void> =>
  new Promise((resolve) => {
    local.afterStream(resolve);
  });
