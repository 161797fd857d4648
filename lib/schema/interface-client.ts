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
  declare readonly $schema: InterfaceSchema | undefined;

  constructor(source: unknown) {
    super(source instanceof Owned ? source.hook : requireHook(source));
  }

  /** The same capability, as another interface: a reference of its own. Nothing is checked, the callee will. */
  castAs<C extends Client>(type: InterfaceType<C>): C {
    return clientOf(type, Client.hook(this).addRef());
  }

  /**
   * The same capability, as an interface that its own extends: a reference of its own. CAPNP_TYPE where its own is another,
   * or not known; `castAs` does not ask.
   */
  upcast<C extends Client>(type: InterfaceType<C>): C {
    return upcast(this, type);
  }

  /** Gives this reference back. The capability may be freed then; calls in flight go on. */
  release(): void {
    Client.release(this);
  }
}

/** The hook of what is no null; the reference is the caller's. */
export const requireHook = (source: unknown): ClientHook => {
  const hook = toHook(source);
  if (hook === null) throw new CapnpError("CAPNP_NULL_CAPABILITY", "A client cannot be made of null.");
  return hook;
};

/** A client of an interface; takes over the reference. */
export const clientOf = <C extends Client>(type: InterfaceType<C> | undefined, hook: ClientHook): C =>
  new ((type?.Client ?? InterfaceClient) as unknown as InterfaceClientConstructor<C>)(new Owned(hook));

/** A client of the interface that another client, or a server object, is of; takes over the reference. */
export const clientLike = <C extends Client = InterfaceClient>(source: unknown, hook: ClientHook): C => {
  const schema = (source as { readonly $schema?: InterfaceSchema } | null)?.$schema;
  return clientOf(schema?.interfaceClass as unknown as InterfaceType<C> | undefined, hook);
};

/** Lends a client without a known interface to a function: it is released when that returns. */
export const withBorrowed = <T>(hook: ClientHook, use: (client: InterfaceClient) => T): T => {
  const client = clientOf<InterfaceClient>(undefined, hook.addRef());
  try {
    return use(client);
  } finally {
    Client.release(client);
  }
};

/** `client.castAs(type)`, also for clients whose interface has a method of that name. */
export const castAs = <C extends Client>(client: Client, type: InterfaceType<C>): C =>
  clientOf(type, Client.hook(client).addRef());

/** `client.upcast(type)`, also for clients whose interface has a method of that name. */
export const upcast = <C extends Client>(client: Client, type: InterfaceType<C>): C => {
  const schema = client instanceof InterfaceClient ? client.$schema : undefined;
  if (schema?.extends(type.schema)) return castAs(client, type);
  throw new CapnpError(
    "CAPNP_TYPE",
    `A capability of ${schema?.path ?? "unknown interface"} is not known to be a ${type.schema.path}. Use castAs to force it.`,
  );
};
