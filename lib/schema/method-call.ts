import type { ClientHook } from "../rpc/capability/client-hook.ts";
import type { Payload } from "../rpc/capability/payload.ts";
import { canceledError } from "../rpc/capability/local-call-context.ts";
import { FailedCall, newCall, type OutgoingCall, type PendingCall } from "../rpc/capability/request.ts";
import { type CallOptions, checkCallOptions, type RemotePromise } from "../rpc/capability/remote-promise.ts";
import { roomAfter } from "../rpc/capability/streaming-promise.ts";
import { CapnpError } from "../errors.ts";
import { initStruct } from "../serialization/pointer-builder.ts";
import { target } from "../serialization/resolve-pointer.ts";
import type { Segment } from "../serialization/segment.ts";
import { readStruct } from "../serialization/struct.ts";
import { assign } from "./assign.ts";
import { pipelineClassOf, pipelineOf } from "./pipeline-class.ts";
import { type MethodSchema, noSuchField, type StructSchema } from "./schema.ts";
import { StructBase, type StructBuilder } from "./struct-base.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

/** The params struct of a call, built in the message that carries it. */
const initParams = (call: OutgoingCall, schema: StructSchema): StructBuilder => {
  const { Builder, dataBytes, pointerCount } = schema.structClass;
  initStruct(call.segment, call.position, dataBytes, pointerCount);
  return new Builder(target.segment, target.start, dataBytes, pointerCount, unlimitedNesting);
};

const readResults =
  (schema: StructSchema) =>
  ({ segment, position, depth }: Payload): unknown =>
    readStruct(schema.structClass.Reader, segment, position, depth);

const promiseOf = (
  method: MethodSchema,
  pending: PendingCall,
  options: CallOptions | undefined,
): RemotePromise<unknown> => new (pipelineClassOf(method.results))(pending, readResults(method.results), options);

/** Calls a method with the arguments of `client.method(...)`. */
export const callMethod = (
  hook: ClientHook,
  method: MethodSchema,
  args: readonly unknown[],
): RemotePromise<unknown> | Promise<void> => {
  const call = newCall(hook, method.interfaceId, method.ordinal);
  let options: CallOptions | undefined;
  try {
    options = optionsAfter(setParams(initParams(call, method.params), method, args), method, args);
    if (options !== undefined) checkCallOptions(options);
  } catch (error) {
    call.discard();
    throw error;
  }
  return sendCall(method, call, options);
};

/** A streaming call is a promise of room in the stream, and no more than that. */
const sendCall = (
  method: MethodSchema,
  call: OutgoingCall,
  options: CallOptions | undefined,
): RemotePromise<unknown> | Promise<void> => {
  const { isStreaming } = method;
  let pending: PendingCall;
  if (options?.signal?.aborted === true) {
    // Given up before it was made: nothing is sent.
    call.discard();
    pending = new FailedCall(canceledError(options.signal.reason));
  } else pending = call.send(isStreaming);
  return isStreaming ? roomAfter(pending, options) : promiseOf(method, pending, options);
};

/**
 * Fills the params, and says how many arguments that took. One plain object whose names are all params gives them by name,
 * anything else by position.
 */
const setParams = (params: StructBuilder, method: MethodSchema, args: readonly unknown[]): number => {
  const { fields, id } = method.params;
  const first = args[0];
  if ((first instanceof StructBase && first.$schema.id === id) || isNamed(first, method.params)) {
    assign(params, first);
    return 1;
  }
  checkNames(first, method.params);
  const given = Math.min(args.length, fields.length);
  for (let i = 0; i < given; i++) {
    const field = fields[i];
    if (field !== undefined && args[i] !== undefined) params.$fields.get(field.name)?.set.call(params, args[i]);
  }
  return given;
};

/** The options of a call, which come after so many arguments that were params. */
const optionsAfter = (given: number, method: MethodSchema, args: readonly unknown[]): CallOptions | undefined => {
  const options = args[given];
  if (args.length > given + 1 || (options !== undefined && (typeof options !== "object" || options === null))) {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${method.interface.path}.${method.name} takes ${method.params.fields.length} params and then options ({ signal, timeout }); ${args.length} arguments were given.`,
    );
  }
  return options as CallOptions | undefined;
};

const isPlain = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
};

const isNamed = (value: unknown, params: StructSchema): value is object =>
  isPlain(value) && Object.keys(value).every((name) => params.fieldsByName.has(name));

/**
 * A plain object that does not give the params by name is the first of them; where that is no struct, one of the names must
 * be misspelt.
 */
const checkNames = (first: unknown, params: StructSchema): void => {
  const type = params.fields[0]?.type.which;
  if (type === undefined || type === "struct" || !isPlain(first)) return;
  for (const name of Object.keys(first)) if (!params.fieldsByName.has(name)) throw noSuchField(params, name);
};

/** The params builder of a call that is being made, with `send`. */
export interface MethodRequest {
  /** Sends the call. A request is sent once. What it gives for a streaming method resolves when the stream has room for more. */
  send(options?: CallOptions): RemotePromise<unknown> | Promise<void>;
  /**
   * Sends the call for the sake of what is called on its results: gives the capabilities that the results will have, and
   * neither the results nor an error of the call. The callee is asked not to send them.
   *
   * The call goes on for as long as one of those capabilities is held; dispose the pipeline when you have taken what you need.
   */
  sendForPipeline(): Disposable;
}

const calls = new WeakMap<object, { readonly call: OutgoingCall; readonly method: MethodSchema }>();

/** Gives up calls whose requests were collected without having been sent. */
const forgotten = new FinalizationRegistry<OutgoingCall>((call) => call.discard());

/** The call behind a request, which is sent at most once; undefined where there is none. */
const takeCall = (request: object): { readonly call: OutgoingCall; readonly method: MethodSchema } | undefined => {
  const found = calls.get(request);
  calls.delete(request);
  forgotten.unregister(request);
  return found;
};

/** Sends a request: `request.send()`, also where a param is named `send`. */
export const send = (request: object, options?: CallOptions): RemotePromise<unknown> | Promise<void> => {
  if (options !== undefined) checkCallOptions(options);
  const found = takeCall(request);
  if (found === undefined) {
    throw new CapnpError("CAPNP_CALL", "This is not a request, or it was sent already. Make a new one for each call.");
  }
  return sendCall(found.method, found.call, options);
};

/** Sends a request for what is pipelined on its results: `request.sendForPipeline()`. */
export const sendForPipeline = (request: object): Disposable => {
  const found = takeCall(request);
  if (found === undefined) {
    throw new CapnpError("CAPNP_CALL", "This is not a request, or it was sent already. Make a new one for each call.");
  }
  return pipelineOf(found.method.results, found.call.sendForPipeline());
};

const requestClasses = new WeakMap<StructSchema, new (...place: Place) => StructBuilder>();
type Place = [segment: Segment, data: number, dataBytes: number, pointerCount: number, depth: number];

const requestClassOf = (schema: StructSchema): (new (...place: Place) => StructBuilder) => {
  let found = requestClasses.get(schema);
  if (found === undefined) {
    found = class extends (schema.structClass.Builder as new (...place: Place) => StructBuilder) {};
    if (!schema.fieldsByName.has("send")) {
      Object.defineProperty(found.prototype, "send", {
        value(this: object, options?: CallOptions) {
          return send(this, options);
        },
        writable: true,
        configurable: true,
      });
    }
    if (!schema.fieldsByName.has("sendForPipeline")) {
      Object.defineProperty(found.prototype, "sendForPipeline", {
        value(this: object) {
          return sendForPipeline(this);
        },
        writable: true,
        configurable: true,
      });
    }
    requestClasses.set(schema, found);
  }
  return found;
};

/** `client.methodRequest(...)`: params, of which some may be given at once as to `client.method(...)`, then `send()`. */
export const newRequest = (
  hook: ClientHook,
  method: MethodSchema,
  args: readonly unknown[],
): StructBuilder & MethodRequest => {
  const call = newCall(hook, method.interfaceId, method.ordinal);
  const { dataBytes, pointerCount } = method.params.structClass;
  initStruct(call.segment, call.position, dataBytes, pointerCount);
  const Request = requestClassOf(method.params);
  const request = new Request(target.segment, target.start, dataBytes, pointerCount, unlimitedNesting);
  try {
    if (setParams(request, method, args) < args.length) {
      throw new CapnpError(
        "CAPNP_TYPE",
        `${method.interface.path}.${method.name}Request takes at most ${method.params.fields.length} params; ${args.length} arguments were given. Options of the call go to send().`,
      );
    }
  } catch (error) {
    call.discard();
    throw error;
  }
  // The user has it, also after it was sent.
  call.segment.isExposed = true;
  calls.set(request, { call, method });
  forgotten.register(request, call, request);
  return request as StructBuilder & MethodRequest;
};

/** The call behind a request that was not sent, for a tail call; it counts as sent. */
export const takeRequest = (request: object): OutgoingCall => {
  const found = typeof request === "object" && request !== null ? takeCall(request) : undefined;
  if (found === undefined) {
    throw new CapnpError("CAPNP_CALL", "A tail call takes a request (client.methodRequest()) that was not sent.");
  }
  return found.call;
};
