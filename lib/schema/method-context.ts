import { CapnpError } from "../errors.ts";
import { type Logger, silent } from "../logger.ts";
import type { CallContext } from "../rpc/capability/call-context.ts";
import { canceledError } from "../rpc/capability/local-call-context.ts";
import { Payload } from "../rpc/capability/payload.ts";
import type { OutgoingCall } from "../rpc/capability/request.ts";
import { MessageBuilder } from "../serialization/message.ts";
import { initStruct } from "../serialization/pointer-builder.ts";
import { defaultNestingLimit } from "../serialization/read-limiter.ts";
import { target } from "../serialization/resolve-pointer.ts";
import { readStruct } from "../serialization/struct.ts";
import { getStruct } from "../serialization/upgrade.ts";
import { assign } from "./assign.ts";
import { takeRequest } from "./method-call.ts";
import type { MethodSchema } from "./schema.ts";
import type { StructBuilder, StructReader } from "./struct-base.ts";

const unlimited = Number.POSITIVE_INFINITY;

/** The results struct of a call, in the message that will carry it. */
export const resultsBuilder = (context: CallContext, method: MethodSchema): StructBuilder => {
  const { Builder, dataBytes, pointerCount } = method.results.structClass;
  const { segment, position } = context.results();
  getStruct(segment, position, dataBytes, pointerCount);
  return new Builder(target.segment, target.start, target.dataBytes, target.pointerCount, unlimited);
};

/** What a server method is given besides its params: `_context`. */
export class MethodContext {
  readonly #context: CallContext;
  readonly #method: MethodSchema;
  #abort: AbortController | undefined;
  #forwarded: Promise<Error | undefined> | undefined;

  constructor(context: CallContext, method: MethodSchema) {
    this.#context = context;
    this.#method = method;
  }

  /** The params, read where they arrived. They are gone after the method has returned, or after `releaseParams`. */
  get params(): StructReader {
    const { segment, position, depth } = this.#context.params;
    return readStruct(this.#method.params.structClass.Reader, segment, position, depth);
  }

  /** The results, built in the message that carries them. They are gone once the call is done: returned, failed or passed on. */
  get results(): StructBuilder {
    if (this.#context.completed) {
      const text = "The results of this call were sent. What a method sets later goes nowhere: return when all is set.";
      throw new CapnpError("CAPNP_RELEASED", text);
    }
    // The user has it, also after the method has returned.
    this.#context.results().segment.isExposed = true;
    return resultsBuilder(this.#context, this.#method);
  }

  /** Gives the params back before the method returns, with the capabilities in them that were not read. */
  releaseParams(): void {
    this.#context.releaseParams();
  }

  /**
   * Sends a request (`client.methodRequest()`) and makes its results the results of this call. Of a streaming method it makes
   * the room in the next stream the room in this one.
   */
  tailCall(request: object): void {
    const call = takeRequest(request);
    if (this.#method.isStreaming) this.#forwarded = this.#passOn(call);
    else this.#context.tailCall(call);
  }

  #passOn(call: OutgoingCall): Promise<Error | undefined> {
    const context = this.#context;
    const pending = call.send(true);
    context.onCanceled(() => pending.cancel(canceledError()));
    return new Promise((resolve) => {
      pending.onReturn({
        returned: (results) => {
          results.release();
          resolve(undefined);
        },
        threw: resolve,
      });
    });
  }

  /** What a streaming call that was passed on fails with, or undefined; undefined at once where nothing was passed on. @internal */
  static forwarded(context: MethodContext): Promise<Error | undefined> | undefined {
    return context.#forwarded;
  }

  /**
   * Tells which capabilities the results will have before the results are complete, so that calls pipelined on them need
   * not wait: an object with capabilities under the names of results, structs of such objects included.
   */
  setPipeline(results: object): void {
    const { dataBytes, pointerCount, Builder } = this.#method.results.structClass;
    const message = new MessageBuilder();
    initStruct(message.rootSegment, 0, dataBytes, pointerCount);
    assign(new Builder(target.segment, target.start, dataBytes, pointerCount, unlimited), results);
    this.#context.setPipeline(new Payload(message.rootSegment, 0, defaultNestingLimit));
  }

  /** Aborted when the caller has given up: by cancelling the call, or by disconnecting. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      if (this.#context.canceled) abort.abort();
      // Who listens to the signal is user code, which never runs in the middle of a change to the tables.
      else this.#context.onCanceled(() => queueMicrotask(() => abort.abort()));
    }
    return this.#abort.signal;
  }

  /** Who calls: address, whether encrypted, certificate; undefined for a call from within the vat. */
  get peer(): object | undefined {
    return this.#context.caller;
  }

  /**
   * Where the connection logs, with the fields `conn`, `peer`, `method` and `call` on every line; it logs nothing for a call from
   * within the vat, and where the vat was given no logger.
   */
  get logger(): Logger {
    return this.#context.logger ?? silent;
  }

  /**
   * Says that the method needs nothing of the call any more once the caller has given up: its params are released then, at
   * once. Without it they stay until the method is done, since a method that does not look at `signal` runs to its end.
   */
  allowCancellation(): void {
    this.#context.onCanceled(() => this.#context.releaseParams());
  }
}
