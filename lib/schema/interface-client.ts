import { CapnpError } from "../errors.ts";
import { Client, toHook } from "../rpc/capability/client.ts";
import type { ClientHook } from "../rpc/capability/client-hook.ts";
import type { InterfaceSchema } from "./schema.ts";

/** What is needed of an interface to know its clients: any interface class, generated or loaded. */
export interface InterfaceType<C extends Client> {
  readonly schema: InterfaceSchema;
  readonly Client: { readonly prototype: C };
}

export interface InterfaceClientConstructor<C extends Client> {
  /** @param source A server object, another client (cast to this interface), or a promise of either. */
  new (source: unknown): C;
  readonly prototype: C;
}

/** Tells a hook from what users may give to a client's constructor. */
class Owned {
  readonly hook: ClientHook;
  constructor(hook: ClientHook) {
    this.hook = hook;
  }
}

/** A client whose interface may be known. A method of the interface wins over a method of ours of the same name. */
export class InterfaceClient extends Client {
  /** Of the interface; undefined for a capability of unknown type. @internal */
  declare readonly _schema: InterfaceSchema | undefined;

  constructor(source: unknown) {
    super(source instanceof Owned ? source.hook : sourceHook(source));
  }

  /** The same capability, as another interface: a reference of its own. Nothing is checked, the callee will. */
  castAs<C extends Client>(type: InterfaceType<C>): C {
    return clientOf(type, Client.hook(this).addRef());
  }

  /** Gives this reference back. The capability may be freed then; calls in flight go on. */
  release(): void {
    Client.release(this);
  }
}

const sourceHook = (source: unknown): ClientHook => {
  const hook = toHook(source);
  if (hook === null) throw new CapnpError("CAPNP_NULL_CAPABILITY", "A client cannot be made of null.");
  return hook;
};

/** A client of an interface; takes over the reference. */
export const clientOf = <C extends Client>(type: InterfaceType<C> | undefined, hook: ClientHook): C =>
  new ((type?.Client ?? InterfaceClient) as unknown as InterfaceClientConstructor<C>)(new Owned(hook));
