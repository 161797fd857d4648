import { CapnpError } from "../errors.ts";
import type { CallContext } from "../rpc/capability/call-context.ts";
import { RemotePromise } from "../rpc/capability/remote-promise.ts";
import { Server } from "../rpc/capability/server.ts";
import { StreamRun } from "../rpc/capability/stream-run.ts";
import { toError } from "../rpc/capability/thrown.ts";
import { isNull } from "../serialization/pointer-builder.ts";
import { readStruct } from "../serialization/struct.ts";
import { assign } from "./assign.ts";
import { MethodContext, resultsBuilder } from "./method-context.ts";
import type { MethodSchema } from "./schema.ts";
import { pipelineClassOf } from "./pipeline-class.ts";
import { StructBase, type StructBuilder } from "./struct-base.ts";

type Method = (this: object, ...args: unknown[]) => unknown;

/**
 * Runs a method of a server object, `name_context(context)` where there is one, else `name(params, context)`, and
 * completes the call with what it returned or threw.
 */
export const dispatchMethod = (
  server: object,
  method: MethodSchema | undefined,
  interfaceId: bigint,
  methodId: number,
  context: CallContext,
): void | PromiseLike<void> | StreamRun => {
  if (method === undefined) {
    context.threw(
      new CapnpError(
        "CAPNP_UNIMPLEMENTED",
        `Method not implemented: ${server.constructor.name} has no method ${methodId} of interface 0x${interfaceId.toString(16)}.`,
      ),
    );
    return;
  }
  if (method.isStreaming) return dispatchStreaming(server, method, context);
  let withContext: Method | undefined;
  let returned: unknown;
  try {
    withContext = findMethod(server, method.contextName);
    returned = runMethod(server, method, withContext, context, new MethodContext(context, method));
    if (!isThenable(returned)) {
      finish(context, method, withContext, returned);
      return;
    }
    // Another call's results on their way: what is pipelined on this call's goes there at once.
    if (returned instanceof pipelineClassOf(method.results)) context.setPipeline(RemotePromise.pipeline(returned));
  } catch (error) {
    context.threw(error);
    return;
  }
  // A thenable may be anybody's: what it throws is a rejection, too.
  return Promise.resolve(returned).then(
    (value) => {
      try {
        finish(context, method, withContext, value);
      } catch (error) {
        context.threw(error);
      }
    },
    (error: unknown) => context.threw(error),
  );
};

/** A method whose results are `stream`: it is done when it has taken what it was given, or handed it on. */
const dispatchStreaming = (server: object, method: MethodSchema, context: CallContext): StreamRun | undefined => {
  let withContext: Method | undefined;
  const methodContext = new MethodContext(context, method);
  const fail = (thrown: unknown): Error | undefined => {
    context.threw(thrown);
    // What its caller gave up may fail for that very reason.
    return context.canceled ? undefined : toError(thrown);
  };
  const handOn = async (forwarded: Promise<Error | undefined>): Promise<Error | undefined> => {
    const error = await forwarded;
    if (error !== undefined) return fail(error);
    complete(context, method, undefined);
    return undefined;
  };
  try {
    withContext = findMethod(server, method.contextName);
    const returned = runMethod(server, method, withContext, context, methodContext);
    if (!isThenable(returned)) {
      const forwarded = MethodContext.forwarded(methodContext);
      if (forwarded !== undefined) return new StreamRun(handOn(forwarded));
      finish(context, method, withContext, returned);
      return undefined;
    }
    return new StreamRun(
      Promise.resolve(returned)
        .then((value) => {
          const forwarded = MethodContext.forwarded(methodContext);
          if (forwarded !== undefined) return handOn(forwarded);
          finish(context, method, withContext, value);
          return undefined;
        })
        .catch(fail),
    );
  } catch (error) {
    return new StreamRun(fail(error));
  }
};

/** Calls `name_context(context)` where there is such a method, else `name(params, context)`. */
const runMethod = (
  server: object,
  method: MethodSchema,
  withContext: Method | undefined,
  context: CallContext,
  methodContext: MethodContext,
): unknown => {
  if (withContext !== undefined) return withContext.call(server, methodContext);
  const byName = findMethod(server, method.name);
  if (byName === undefined) {
    throw new CapnpError(
      "CAPNP_UNIMPLEMENTED",
      `Method not implemented: ${server.constructor.name} has no method ${method.name} (${method.interface.path}).`,
    );
  }
  const { segment, position, depth } = context.params;
  const params = readStruct(method.params.structClass.Reader, segment, position, depth);
  return byName.call(server, params, methodContext);
};

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" &&
  value !== null &&
  // A server object may have a method named `then`.
  !(value instanceof Server) &&
  typeof (value as PromiseLike<unknown>).then === "function";

/** Completes the call. A method that ends in `_context` has set the results itself: what it returns would have no place. */
const finish = (context: CallContext, method: MethodSchema, withContext: Method | undefined, value: unknown): void => {
  if (withContext !== undefined && value !== undefined && value !== null && !context.completed) {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${method.interface.path}.${method.name}_context returned ${typeof value}. A method that ends in _context sets context.results and returns nothing; one that is named ${method.name} may return its results.`,
    );
  }
  complete(context, method, value);
};

/** Fills the results with what a method returned, by the rules of `Interface.Server`, and sends them. */
const complete = (context: CallContext, method: MethodSchema, value: unknown): void => {
  if (context.completed) {
    handlePromisesOf(value);
    return;
  }
  const { segment, position } = context.results();
  // Results are a struct even where nothing was set: a null pointer would read the same, and surprise other peers.
  if (value === undefined) {
    if (isNull(segment, position)) resultsBuilder(context, method);
    context.returned();
    return;
  }
  try {
    fill(resultsBuilder(context, method), method, value);
  } catch (error) {
    handlePromisesOf(value);
    throw error;
  }
  context.returned();
};

/** Results that are not sent, because the call has failed or was given up: of a promise among them nobody hears that it rejects. */
const handlePromisesOf = (value: unknown): void => {
  let members: readonly unknown[] = [];
  if (Array.isArray(value)) members = value;
  else if (isPlainObject(value))
    members = Object.values(Object.getOwnPropertyDescriptors(value)).map((one) => one.value);
  for (const member of members) if (member instanceof Promise) member.catch(() => undefined);
};

const fill = (builder: StructBuilder, method: MethodSchema, value: unknown): void => {
  const { results } = method;
  const { fields } = results;
  if (value instanceof StructBase && value.$schema.id === results.id) assign(builder, value);
  else if (isPlainObject(value)) assign(builder, value);
  else if (fields.length === 1) builder.$fields.get(fields[0]?.name as string)?.set.call(builder, value);
  else if (Array.isArray(value) && fields.length >= 2) {
    if (value.length > fields.length) throw wrongResults(method, `an array of ${value.length} values`);
    value.forEach((member: unknown, i) => {
      if (member !== undefined) builder.$fields.get(fields[i]?.name as string)?.set.call(builder, member);
    });
  } else if (value !== null) throw wrongResults(method, typeof value);
};

const wrongResults = (method: MethodSchema, what: string): CapnpError =>
  new CapnpError(
    "CAPNP_TYPE",
    `${method.interface.path}.${method.name} has ${method.results.fields.length} results and returned ${what}. Return an object with the results by name${method.results.fields.length >= 2 ? ", or an array in the order of the schema" : ""}.`,
  );

const isPlainObject = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

/**
 * The method of a name that a server's class, or one that it extends, or the object itself defines. What every object
 * inherits (`toString`, `constructor`, ...) is not a method of the interface just because a schema has that name.
 */
const findMethod = (server: object, name: string): Method | undefined => {
  // The common cases, without a walk: there is none (as a rule of `name_context`), or what there is was defined by the user.
  const defined: unknown = Reflect.get(server, name);
  if (defined === undefined && !(name in server)) return undefined;
  const isInherited = defined === Reflect.get(Server.prototype, name);
  if (typeof defined === "function" && !isInherited && name !== "constructor") return defined as Method;
  for (let at: object | null = server; at !== null && at !== Server.prototype; at = Object.getPrototypeOf(at)) {
    if (!Object.hasOwn(at, name)) continue;
    const found: unknown = Reflect.get(at, name, server);
    const isClass = name === "constructor" && typeof found === "function" && found.prototype === at;
    if (typeof found === "function" && !isClass) return found as Method;
  }
  return undefined;
};
