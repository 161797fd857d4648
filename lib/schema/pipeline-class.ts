import { CapnpError } from "../errors.ts";
import type { Payload } from "../rpc/capability/payload.ts";
import { type CallOptions, RemotePromise } from "../rpc/capability/remote-promise.ts";
import type { PendingCall, PipelineCall } from "../rpc/capability/request.ts";
import type { InterfaceClass } from "./interface-class.ts";
import { clientOf, type InterfaceClient } from "./interface-client.ts";
import { pipelineName } from "./pipeline-name.ts";
import type { FieldSchema, InterfaceSchema, SchemaType, StructSchema } from "./schema.ts";
import type { StructClass } from "./struct-class.ts";

type PromiseClass = new (
  pending: PendingCall,
  read: (payload: Payload) => unknown,
  options?: CallOptions,
) => RemotePromise<unknown>;

const promiseClasses = new WeakMap<StructSchema, PromiseClass>();

/** The promise of a method's results, with accessors for the capabilities that the results will hold. */
export const pipelineClassOf = (results: StructSchema): PromiseClass => {
  let found = promiseClasses.get(results);
  if (found === undefined) {
    found = class extends RemotePromise<unknown> {};
    Object.defineProperty(found, "name", { value: "RemotePromise", configurable: true });
    defineAccessors(found.prototype, results, (promise) => ({
      promise: promise as RemotePromise<unknown>,
      path: [],
    }));
    promiseClasses.set(results, found);
  }
  return found;
};

/** Where in the results a pipeline stands. */
interface Place {
  readonly promise: RemotePromise<unknown>;
  readonly path: readonly number[];
}

/** A struct inside of results that are on their way. Its own members are named so that no field can clash with them. */
class StructPipeline {
  /** @internal */
  readonly $place: Place;

  constructor(place: Place) {
    this.$place = place;
  }
}

type StructPipelineClass = new (place: Place) => StructPipeline;

/** An AnyPointer inside of results that are on their way. */
export class AnyPointerPipeline {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  /** The capability here, or the pipeline of the struct here. */
  as(type: InterfaceClass | StructClass): unknown {
    const { schema } = type;
    if (schema.which === "interface") return clientAt(this.#place, schema);
    return new (structPipelineOf(schema))(this.#place);
  }
}

const clientAt = ({ promise, path }: Place, schema: InterfaceSchema | undefined): InterfaceClient =>
  RemotePromise.pipelined(promise, path, schema, (hook) => clientOf(schema?.interfaceClass, hook));

/** How the inspector of Node finds out what to print. */
const inspect = Symbol.for("nodejs.util.inspect.custom");

const structPipelines = new WeakMap<StructSchema, StructPipelineClass>();

const structPipelineOf = (schema: StructSchema): StructPipelineClass => {
  let found = structPipelines.get(schema);
  if (found === undefined) {
    const made = class extends StructPipeline {};
    found = made;
    structPipelines.set(schema, made);
    defineAccessors(made.prototype, schema, (pipeline) => (pipeline as StructPipeline).$place);
    Object.defineProperty(made.prototype, inspect, { value: () => `[pipeline: ${schema.path}]` });
  }
  return found;
};

const defineAccessors = (prototype: object, schema: StructSchema, place: (pipeline: object) => Place): void => {
  for (const field of schema.fields) {
    const get = accessor(field, place);
    if (get !== undefined) Object.defineProperty(prototype, pipelineName(field.name), { get, configurable: true });
  }
};

/** Ends calls that were sent for their pipeline, once nobody can ask for more of it. */
const forgotten = new FinalizationRegistry<PipelineCall>((call) => call.drop());

/** The capabilities in the results of a call that was sent for nothing else. */
export const pipelineOf = (results: StructSchema, call: PipelineCall): Disposable => {
  const promise = new RemotePromise<unknown>(
    {
      pipelined: (path) => call.pipelined(path),
      onReturn: () => undefined,
      cancel: () => {
        forgotten.unregister(call);
        call.drop();
      },
    },
    () => undefined,
  );
  forgotten.register(promise, call, call);
  const pipeline = new (structPipelineOf(results))({ promise, path: [] });
  Object.defineProperty(pipeline, Symbol.dispose, { value: () => promise[Symbol.dispose]() });
  return pipeline as StructPipeline & Disposable;
};

const accessor = (field: FieldSchema, place: (pipeline: object) => Place): ((this: object) => unknown) | undefined => {
  if (field.isGroup) {
    const type = field.type as Extract<SchemaType, { which: "struct" }>;
    return function (this: object) {
      // A group lies in its struct: the same place, other accessors.
      return new (structPipelineOf(type.schema))(place(this));
    };
  }
  const { body } = field.node;
  if (body.which !== "slot") throw new CapnpError("CAPNP_SCHEMA", `${field.path} is neither a slot nor a group.`);
  const { offset } = body;
  const ofResults: readonly number[] = [offset];
  const at = (pipeline: object): Place => {
    const { promise, path } = place(pipeline);
    return { promise, path: path.length === 0 ? ofResults : [...path, offset] };
  };
  switch (body.type.which) {
    case "struct":
      return function (this: object) {
        return new (structPipelineOf((field.type as Extract<SchemaType, { which: "struct" }>).schema))(at(this));
      };
    case "interface":
      return function (this: object) {
        return clientAt(at(this), (field.type as Extract<SchemaType, { which: "interface" }>).schema);
      };
    case "anyPointer":
      return function (this: object) {
        const type = field.type;
        if (type.which === "interface") return clientAt(at(this), type.schema);
        if (type.which === "struct") return new (structPipelineOf(type.schema))(at(this));
        if (type.which === "anyPointer" && type.kind === "capability") return clientAt(at(this), undefined);
        return new AnyPointerPipeline(at(this));
      };
    default:
      return undefined;
  }
};
