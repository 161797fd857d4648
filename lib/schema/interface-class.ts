import { CapnpError } from "../errors.ts";
import { BrokenClient } from "../rpc/capability/broken-client.ts";
import { Client, toHook } from "../rpc/capability/client.ts";
import type { CallContext } from "../rpc/capability/call-context.ts";
import type { ClientHook } from "../rpc/capability/client-hook.ts";
import { Server } from "../rpc/capability/server.ts";
import type { StreamRun } from "../rpc/capability/stream-run.ts";
import { setCapability } from "../serialization/pointer-builder.ts";
import { resolveCapability } from "../serialization/resolve-pointer.ts";
import type { Segment } from "../serialization/segment.ts";
import { clientOf, InterfaceClient, type InterfaceClientConstructor } from "./interface-client.ts";
import { callMethod, newRequest } from "./method-call.ts";
import { dispatchMethod } from "./method-dispatch.ts";
import { knowMethods } from "./method-name.ts";
import type { InterfaceSchema, MethodSchema } from "./schema.ts";

/**
 * An interface: what `Calculator` is. Besides these members it has the types and constants that are declared inside of
 * the interface (`Calculator.Operator`).
 */
export interface InterfaceClass<C extends Client = InterfaceClient> {
  readonly schema: InterfaceSchema;
  /** A reference to a capability of this interface, with a method for each of its methods. */
  readonly Client: InterfaceClientConstructor<C>;
  /** The base of classes that implement this interface. */
  readonly Server: abstract new () => InterfaceServer;
  /** A generic interface with its type parameters bound: `Store.of(Person)`. */
  of(...types: unknown[]): InterfaceClass;
}

/** What `extends Calculator.Server` extends. */
export abstract class InterfaceServer extends Server {
  /** @internal */
  declare readonly $schema: InterfaceSchema;
  /** Methods by id of the declaring interface and ordinal. @internal */
  declare readonly $methods: ReadonlyMap<bigint, readonly MethodSchema[]>;

  /** @internal */
  override get $closeIsMethod(): boolean {
    return this.$schema.allMethods.has("close");
  }

  /** @internal */
  override $dispatch(
    interfaceId: bigint,
    methodId: number,
    context: CallContext,
  ): void | PromiseLike<void> | StreamRun {
    return dispatchMethod(this, this.$methods.get(interfaceId)?.[methodId], interfaceId, methodId, context);
  }
}

/** The class of an interface, defined at the first use. */
const interfaceClassOf = (schema: InterfaceSchema): InterfaceClass => schema.interfaceClass;

/** Makes the class of an interface; `InterfaceSchema.interfaceClass` keeps it. */
export const defineInterface = (
  schema: InterfaceSchema,
  bind: (types: readonly unknown[]) => InterfaceClass,
): InterfaceClass => {
  const TypedClient = class extends InterfaceClient {};
  const TypedServer = class extends InterfaceServer {};
  const hidden = (value: unknown): PropertyDescriptor => ({ value, writable: true, configurable: true });
  Object.defineProperty(TypedClient, "name", { value: `${schema.name}.Client`, configurable: true });
  Object.defineProperty(TypedServer, "name", { value: `${schema.name}.Server`, configurable: true });
  Object.defineProperty(TypedClient.prototype, "$schema", hidden(schema));
  Object.defineProperty(TypedServer.prototype, "$schema", hidden(schema));
  const methods = new Map(schema.ancestry.map((one) => [one.id, one.methods]));
  Object.defineProperty(TypedServer.prototype, "$methods", hidden(methods));
  for (const ancestor of schema.ancestry) knowMethods(ancestor);
  for (const [name, method] of schema.allMethods) {
    const call = function (this: InterfaceClient, ...args: unknown[]): unknown {
      return callMethod(Client.hook(this), method, args);
    };
    const request = function (this: InterfaceClient, ...args: unknown[]): unknown {
      return newRequest(Client.hook(this), method, args);
    };
    // A client with a property `then` that can be called would be taken for a promise wherever it is awaited or returned.
    const property = name === "then" ? "then_" : name;
    Object.defineProperty(TypedClient.prototype, property, hidden(call));
    if (!schema.allMethods.has(`${name}Request`)) {
      Object.defineProperty(TypedClient.prototype, `${name}Request`, hidden(request));
    }
  }
  return { schema, Client: TypedClient, Server: TypedServer, of: (...types) => bind(types) };
};

/** Reads a capability field. The client that it gives owns the message's reference: the same one each time. */
export const readCapability = (
  schema: InterfaceSchema | undefined,
  segment: Segment,
  position: number,
): InterfaceClient | null => {
  const index = resolveCapability(segment, position);
  if (index < 0) return null;
  const type = schema === undefined ? undefined : interfaceClassOf(schema);
  const table = segment.arena.capTable;
  const taken = table.take(index, (hook) => clientOf(type, hook as ClientHook));
  if (taken === null) {
    const error = new CapnpError(
      "CAPNP_CAPABILITY_INDEX",
      `Message contains invalid capability pointer: nothing at index ${index}.`,
    );
    return clientOf(type, new BrokenClient(error));
  }
  if (type === undefined || taken instanceof type.Client) return taken;
  // Read before as another interface: this reader gets a reference of its own.
  return clientOf(type, Client.hook(taken).addRef());
};

/** Sets a capability field to a client, a server object, a promise of either, or null. */
export const writeCapability = (
  schema: InterfaceSchema | undefined,
  segment: Segment,
  position: number,
  value: unknown,
): void => {
  if (schema !== undefined && (value instanceof InterfaceClient || value instanceof InterfaceServer)) {
    const actual = value.$schema;
    if (actual !== undefined && !actual.extends(schema)) {
      throw new CapnpError(
        "CAPNP_TYPE",
        `A capability of ${actual.path} cannot be used as a ${schema.path}. Use castAs to force it.`,
      );
    }
  }
  setCapability(segment, position, toHook(value));
};
