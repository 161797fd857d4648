import type { Client } from "../rpc/capability/client.ts";
import type { CallOptions, RemotePromise } from "../rpc/capability/remote-promise.ts";
import type { InterfaceServer } from "./interface-class.ts";
import type { InterfaceSchema } from "./schema.ts";
import type { MethodContext as UntypedContext } from "./method-context.ts";
import type { BuilderOf, Hide, InputOf, PipelineOf, ReaderOf, SetOf, Type, ViewsOf } from "./type-views.ts";
import type { AnyStruct, Builder, InitOf, NoFields, Reader, StructType } from "./typed-struct.ts";

/** Where a client or server says which interfaces it is of, by id. Nothing has it at run time. */
export const interfaceIds: unique symbol = Symbol("interfaceIds");

export type InterfaceIds<Ids extends string> = { readonly [Id in Ids]: true };

/** What a capability of an interface may be given as. */
export type CapabilityInput<C, S> = C | S | PromiseLike<C | S | null | undefined> | null | undefined;

/** What an interface is at run time. */
export interface InterfaceClass<C extends Client, S extends InterfaceServer>
  extends Type<{
    readonly reader: C | null;
    readonly builder: C | null;
    readonly input: CapabilityInput<C, S>;
    readonly cleared: never;
    readonly bare: C | S | null;
    readonly object: C;
    readonly made: never;
    readonly element: unknown;
    readonly sized: false;
    readonly pointer: true;
    readonly pipeline: C;
  }> {
  readonly schema: InterfaceSchema;
  /** A reference to a capability of this interface, with a method for each of its methods. */
  readonly Client: {
    /** @param source A server object, another client (cast to this interface), or a promise of either. */
    new (source: S | Client | PromiseLike<S | Client>): C;
    readonly prototype: C;
  };
  /** The base of classes that implement this interface. */
  readonly Server: abstract new () => S;
  /** Only generic interfaces have type parameters to bind. */
  of(...types: never[]): unknown;
}

/** A capability among the results of a call: whoever answers without one breaks the contract of the method. */
export interface Result<T extends Type> extends Type<ViewsOf<T> & { readonly reader: NonNullable<ReaderOf<T>> }> {}

/** What calling a method returns: the results on their way, with what may be pipelined. */
export type Results<R extends AnyStruct> = Hide<RemotePromise<ReaderOf<R>>, "cancel" & keyof PipelineOf<R>> &
  PipelineOf<R>;

/** What calling a method of a stream returns. It resolves when the stream has room for more. */
export type Streamed = Promise<void>;

declare const requestResults: unique symbol;

interface RequestMethods<Sent, Pipeline> {
  /** Sends the call. A request is sent once. */
  send(options?: CallOptions): Sent;
  /** Sends the call for the sake of what is called on its results: gives the capabilities that these will have. */
  sendForPipeline(): Pipeline & Disposable;
}

interface RequestFor<R> {
  readonly [requestResults]?: R;
}

/** The params of a call, set one by one, then sent. */
export type Request<P extends AnyStruct, R extends AnyStruct, Sent = Results<R>> = BuilderOf<P> &
  Hide<RequestMethods<Sent, PipelineOf<R>>, ("send" | "sendForPipeline") & keyof ViewsOf<P>["fields"]> &
  RequestFor<ReaderOf<R>>;

/** What a server method is given besides its params; see {@link UntypedContext}. */
export interface Context<P extends AnyStruct, R extends AnyStruct>
  extends Pick<UntypedContext, "releaseParams" | "signal" | "peer" | "allowCancellation"> {
  readonly params: ReaderOf<P>;
  readonly results: BuilderOf<R>;
  /** Sends a request (`client.methodRequest()`) and makes its results the results of this call. */
  tailCall(request: RequestFor<ReaderOf<R>>): void;
  /** Tells which capabilities the results will have before the results are complete. */
  setPipeline(results: InitOf<R>): void;
}

/** What a server method may return: an object with the results by name, what `Else` says, nothing; or a promise of that. */
export type Returns<R extends AnyStruct, Else = never> = Returned<R, Else> | PromiseLike<Returned<R, Else>>;

type Nothing = ReturnType<() => void>;
type Returned<R extends AnyStruct, Else> = Nothing | InputOf<R> | Else;

/** Two or more results in the order of the schema. */
export type Listed<Types extends readonly Type[]> = readonly [
  ...Partial<{ [I in keyof Types]: SetOf<Types[I]> | undefined }>,
];

/** What stands for the results of methods of streams. */
export interface StreamResult
  extends StructType<
    "0x995f9a3377c0b16e",
    NoFields,
    Reader<AnyStruct, NoFields>,
    Builder<AnyStruct, NoFields>,
    NoFields,
    NoFields
  > {}

/** What methods of streams return: nothing. */
export type StreamReturns = Nothing | PromiseLike<void>;
