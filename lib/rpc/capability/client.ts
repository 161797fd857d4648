import { CapnpError } from "../../errors.ts";
import { BrokenClient, nullClient } from "./broken-client.ts";
import type { ClientHook } from "./client-hook.ts";
import { leakWatch } from "./leak-watch.ts";
import { QueuedClient } from "./queued-client.ts";
import { Server, serverHook } from "./server.ts";
import { toError } from "./thrown.ts";

/** Gives references back that user code forgot, once their `Client` is collected. */
const forgotten = new FinalizationRegistry<ClientHook>((hook) => hook.release());

const handedOn = new WeakSet<object>();

/**
 * A reference to a capability: the base of every `Interface.Client`, and what a capability without a known interface is.
 *
 * Call `release()` (or declare it with `using`) when you are done with it: the object behind it may then be freed. A
 * client that is garbage collected is released too, but nobody knows when.
 */
export class Client {
  #hook: ClientHook | undefined;

  /** @internal Takes over the reference. */
  constructor(hook: ClientHook) {
    this.#hook = hook;
    if (!hook.releasesItself) forgotten.register(this, hook, this);
    leakWatch.current?.made(this, hook);
  }

  /** The hook, borrowed. @internal */
  static hook(client: Client): ClientHook {
    if (client.#hook === undefined) {
      throw new CapnpError(
        "CAPNP_RELEASED",
        handedOn.has(client)
          ? "This client came with the params of a call and was returned by it, which hands it on. To keep it as well, keep `client.castAs(Interface)`."
          : "This client was released. Release a client after its last use.",
      );
    }
    return client.#hook;
  }

  /** Gives the reference back. Calls in flight go on. Doing it again has no effect. @internal */
  static release(client: Client): void {
    const hook = client.#hook;
    if (hook === undefined) return;
    client.#hook = undefined;
    if (!hook.releasesItself) forgotten.unregister(client);
    leakWatch.current?.released(client);
    hook.release();
  }

  /** Gives the reference back of a client that is among what a call returned. @internal */
  static handOn(client: Client, returned: ReadonlySet<ClientHook | null>): void {
    if (client.#hook === undefined || !returned.has(client.#hook)) return;
    handedOn.add(client);
    Client.release(client);
  }

  [Symbol.dispose](): void {
    Client.release(this);
  }
}

/** What a capability may be given as. */
export type CapabilitySource = Client | Server | PromiseLike<Client | Server | null | undefined> | null | undefined;

/** A reference to what the user gave, for the caller to own; null for null and undefined. */
export const toHook = (source: unknown): ClientHook | null => {
  if (source === null || source === undefined) return null;
  if (source instanceof Client) return Client.hook(source).addRef();
  if (source instanceof Server) return serverHook(source);
  if (typeof (source as PromiseLike<unknown>).then === "function") return promisedHook(source as PromiseLike<unknown>);
  throw new CapnpError(
    "CAPNP_TYPE",
    `A capability must be a client, a server object, or a promise of either, not ${describe(source)}.`,
  );
};

const describe = (value: unknown): string =>
  typeof value === "object" ? `an object of class ${value?.constructor?.name ?? "Object"}` : typeof value;

const promisedHook = (promise: PromiseLike<unknown>): ClientHook => {
  const queued = new QueuedClient();
  // The reference in this closure keeps calls that are queued alive until there is a place for them.
  queued.addRef();
  const settle = (hook: ClientHook): void => {
    queued.resolve(hook);
    queued.release();
  };
  promise.then(
    (value) => {
      let hook: ClientHook;
      try {
        hook = toHook(value) ?? nullClient.addRef();
      } catch (error) {
        hook = new BrokenClient(toError(error));
      }
      settle(hook);
    },
    (error: unknown) => settle(new BrokenClient(toError(error))),
  );
  return queued;
};
