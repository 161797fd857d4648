import type { AllocationOptions } from "../serialization/arena.ts";
import type { ByteStream } from "../serialization/byte-source.ts";
import type { ByteSink, MessageOptions } from "../serialization/message-stream.ts";
import type { StructConstructor } from "../serialization/struct.ts";
import type { MessageSize } from "../serialization/total-size.ts";
import type { FromJsonOptions } from "./from-json.ts";
import type { FromTextOptions } from "./from-text.ts";
import type { MessageBytes, SegmentOptions } from "./message-io.ts";
import type { ToObjectOptions } from "./plain-object.ts";
import type { StructRestorer } from "./restorer.ts";
import type { FieldSchema, StructSchema } from "./schema.ts";
import type { StructBuilder, StructReader } from "./struct-base.ts";
import type { ResizableList } from "./resizable-list.ts";
import type { StructClass as UntypedStructClass } from "./struct-class.ts";
import type { TextOptions } from "./text.ts";
import type {
  BuilderOf,
  FieldTypes,
  Hide,
  MadeOf,
  ObjectOf,
  ReaderOf,
  SetOf,
  Type,
  Views,
  ViewsOf,
} from "./type-views.ts";
import type { ListOf } from "./typed-any-pointer.ts";
import type { Sized } from "./typed-list.ts";
import type { Orphan } from "./typed-orphan.ts";

declare const structId: unique symbol;
declare const structType: unique symbol;
declare const side: unique symbol;

interface StructViews<Id, Fields, Reader, Builder, Init, Object, Pipeline> {
  readonly id: Id;
  readonly fields: Fields;
  readonly reader: Reader;
  readonly builder: Builder;
  readonly init: Init;
  readonly input: Init | Reader;
  readonly bare: Reader;
  readonly object: Object;
  readonly made: Builder;
  readonly element: unknown;
  readonly sized: false;
  readonly pipeline: Pipeline;
}

/** Any struct or group. */
export interface AnyStruct
  extends Type<Views & { readonly id: string; readonly fields: unknown; readonly init: unknown }> {}

/** A struct type, also one that has no class of its own, as the params of a method. */
export interface StructType<Id extends string, Fields, Reader, Builder, Init, Object, Pipeline = unknown>
  extends Type<
    StructViews<Id, Fields, Reader, Builder, Init, Object, Pipeline> & {
      readonly cleared: null;
      readonly pointer: true;
    }
  > {}

/** A group or a union with a name. */
export interface GroupType<Id extends string, Fields, Reader, Builder, Init, Object, Pipeline = unknown>
  extends Type<
    StructViews<Id, Fields, Reader, Builder, Init, Object, Pipeline> & {
      readonly cleared: never;
      readonly pointer: false;
    }
  > {}

export type FieldsOf<T extends AnyStruct> = ViewsOf<T>["fields"];
export type InitOf<T extends AnyStruct> = ViewsOf<T>["init"];

/** What a struct class is; see {@link UntypedStructClass}. */
export interface StructClass<
  Id extends string,
  Fields,
  Reader extends StructReader,
  Builder extends StructBuilder,
  Init,
  Object,
  Pipeline = unknown,
> extends StructType<Id, Fields, Reader, Builder, Init, Object, Pipeline> {
  readonly schema: StructSchema;
  readonly Reader: StructConstructor<Reader>;
  readonly Builder: StructConstructor<Builder>;
  /** Size of the data section in bytes. */
  readonly dataBytes: number;
  readonly pointerCount: number;
  /** A new message with this struct as its root, filled from a plain object or a copy of a reader or builder. */
  newMessage(value?: Init | Reader, options?: AllocationOptions): Builder;
  /** The base of classes that restore capabilities by object ids of this type; see the option `restorer`. */
  readonly Restorer: abstract new () => StructRestorer<Reader>;
  /** Only generic structs have type parameters to bind. */
  of(...types: never[]): UntypedStructClass;
  /** The message that `bytes` begin with, which are read in place. */
  fromBytes(bytes: MessageBytes, options?: MessageOptions): Reader;
  /** The packed message that `bytes` begin with. */
  fromBytesPacked(bytes: MessageBytes, options?: MessageOptions): Reader;
  /** The message of these segments, which are read in place. */
  fromSegments(segments: readonly MessageBytes[], options?: SegmentOptions): Reader;
  /** Reads one message from a stream and leaves what follows it there. Undefined at the end of the stream. */
  read(stream: ByteStream, options?: MessageOptions): Promise<Reader | undefined>;
  /** As `read`, of packed messages. */
  readPacked(stream: ByteStream, options?: MessageOptions): Promise<Reader | undefined>;
  /** All messages of a stream, in order. Stopping early leaves the rest in the stream. */
  readMultiple(stream: ByteStream, options?: MessageOptions): AsyncGenerator<Reader, void, undefined>;
  /** As `readMultiple`, of packed messages. */
  readMultiplePacked(stream: ByteStream, options?: MessageOptions): AsyncGenerator<Reader, void, undefined>;
  /** The messages that stand one behind the other in `bytes`. */
  readMultipleBytes(bytes: MessageBytes, options?: MessageOptions): Generator<Reader, void, undefined>;
  /** As `readMultipleBytes`, of packed messages. */
  readMultipleBytesPacked(bytes: MessageBytes, options?: MessageOptions): Generator<Reader, void, undefined>;
  /** A message from Cap'n Proto's text form. */
  fromText(text: string, options?: FromTextOptions): Builder;
  /** A message from JSON. */
  fromJSON(text: string, options?: FromJsonOptions): Builder;
  [Symbol.hasInstance](value: unknown): value is Reader | Builder;
}

/** The fields of a struct that has none outside of its unnamed union. */
export type NoFields = Record<never, never>;

/** The methods of all readers and builders. */
interface StructMethods<T extends AnyStruct> {
  /** Structs are told apart by their ids, as at run time. */
  readonly [structId]: ViewsOf<T>["id"];
  /** For functions over structs, which cannot take their types from methods that a field may hide. */
  readonly [structType]?: T;
  /** Whether a field has a value: a pointer is not null, a member of a union is active. */
  has(field: keyof FieldsOf<T> | FieldSchema): boolean;
  /** A plain object, all the way down. */
  toObject(options?: ToObjectOptions & { readonly bytes?: "array" }): ObjectOf<T>;
  toObject(options: ToObjectOptions): Record<string, unknown>;
  toJSON(): unknown;
  /** Cap'n Proto's text form. */
  toText(options?: TextOptions): string;
  toString(): string;
  /** A reader of the same place. */
  asReader(): ReaderOf<T>;
  /** A deep copy as the root of a new message. */
  copy(options?: AllocationOptions): BuilderOf<T>;
  /** What the struct and everything in it occupy. */
  readonly totalSize: MessageSize;
  /** The message in the stream format. */
  toBytes(): Uint8Array;
  toBytesPacked(): Uint8Array;
  /** The segments of a message with the struct as its root, copied. */
  toSegments(): Uint8Array[];
  /** As `toSegments`, without a copy: they change as the message does. */
  toSegmentViews(): Uint8Array[];
  /** Writes the message to a stream, which stays open. */
  write(sink: ByteSink): Promise<void>;
  writePacked(sink: ByteSink): Promise<void>;
}

interface ReaderMethods<T extends AnyStruct> extends StructReader, StructMethods<T> {
  /** A builder may stand for a reader. */
  readonly [side]?: "reader" | "builder";
  /** The value of a field. */
  get<K extends keyof FieldsOf<T>>(field: K): FieldType<T, K, "reader">;
  get(field: FieldSchema): unknown;
}

interface BuilderMethods<T extends AnyStruct> extends StructBuilder, StructMethods<T> {
  readonly [side]?: "builder";
  get<K extends keyof FieldsOf<T>>(field: K): FieldType<T, K, "builder">;
  get(field: FieldSchema): unknown;
  /** Sets a field; a member of a union becomes the active one. */
  set<K extends keyof FieldsOf<T>>(field: K, value: FieldType<T, K, "input"> | FieldType<T, K, "cleared">): void;
  set(field: FieldSchema, value: unknown): void;
  /** Replaces a field by a new empty value, of `count` elements or bytes where the type has a length, and returns that. */
  init<K extends Initable<FieldsOf<T>, false>>(field: K): FieldType<T, K, "made">;
  init<K extends Initable<FieldsOf<T>, true>, N extends number>(field: K, count: N): SizedField<T, K, N>;
  init(field: FieldSchema, count?: number): unknown;
  /** Gives a field its default value: null for pointers. */
  clear(field: keyof FieldsOf<T> | FieldSchema): void;
  /** Takes the value of a pointer field out of the struct. */
  disown<K extends PointerField<FieldsOf<T>>>(field: K): OrphanOf<T, K>;
  /** Makes an orphan the value of a field; what was there is zeroed. */
  adopt<K extends PointerField<FieldsOf<T>>>(field: K, orphan: OrphanOf<T, K>): void;
  /** Begins a list of structs that grows, by `add()`; the field gets it from `finish()`. */
  initResizableList<K extends StructListField<FieldsOf<T>>>(field: K): ResizableList<ElementBuilder<T, K>>;
}

/** The type of a reader or builder; `never` for one whose type is not known before it runs. */
export type TypeOf<S> = S extends { readonly [structType]?: infer T } ? (T extends AnyStruct ? T : never) : never;

/** What a struct that is built is known by. */
export interface BuilderSide {
  readonly [side]?: "builder";
}

/** Which view of its fields a reader or builder gives. */
export type SideOf<S> = S extends BuilderSide ? "builder" : "reader";

export type FieldType<
  T extends AnyStruct,
  K extends keyof FieldsOf<T>,
  View extends keyof Views,
> = FieldsOf<T>[K] extends Type ? ViewsOf<FieldsOf<T>[K]>[View] : never;

export type SizedField<T extends AnyStruct, K extends keyof FieldsOf<T>, N extends number> = FieldsOf<T>[K] extends Type
  ? Sized<FieldsOf<T>[K], N>
  : never;

type OrphanOf<T extends AnyStruct, K extends keyof FieldsOf<T>> = FieldsOf<T>[K] extends Type
  ? Orphan<FieldsOf<T>[K]>
  : never;

/** Names of the fields that `init` takes, with or without a count. */
export type Initable<F, WithCount extends boolean> = {
  [K in keyof F]-?: F[K] extends Type
    ? [MadeOf<F[K]>] extends [never]
      ? never
      : ViewsOf<F[K]>["sized"] extends WithCount
        ? K
        : never
    : never;
}[keyof F];

/** Names of the fields that are lists of structs. */
type StructListField<F> = {
  [K in keyof F]-?: F[K] extends ListOf<infer E> ? (E extends AnyStruct ? K : never) : never;
}[keyof F];

type ElementBuilder<T extends AnyStruct, K extends keyof FieldsOf<T>> =
  FieldsOf<T>[K] extends ListOf<infer E> ? BuilderOf<E> : never;

type PointerField<F> = {
  [K in keyof F]-?: F[K] extends Type ? (ViewsOf<F[K]>["pointer"] extends true ? K : never) : never;
}[keyof F];

/** A struct that is read. `Hidden` are the methods in whose place the schema has fields. */
export type Reader<T extends AnyStruct, F extends FieldTypes<F>, Hidden extends string = never> = Hide<
  ReaderMethods<T>,
  Hidden
> & { readonly [K in keyof F]: ReaderOf<F[K]> };

/** A struct that is built; generated code adds what may be assigned where that differs from what is read. */
export type Builder<T extends AnyStruct, F extends FieldTypes<F>, Hidden extends string = never> = Hide<
  BuilderMethods<T>,
  Hidden
> & { [K in keyof F]: BuilderOf<F[K]> };

/** A struct as a plain object that it is made of. What is undefined or missing keeps its default value. */
export type Init<F extends FieldTypes<F>> = NotStruct & {
  readonly [K in keyof F]?: SetOf<F[K]> | Inherited<K> | undefined;
};

/** What TypeScript believes to be in every object under a name such as `constructor`, although nobody put it there. */
type Inherited<K> = K extends keyof typeof Object.prototype ? (typeof Object.prototype)[K] : never;

interface NotStruct {
  readonly $segment?: never;
}

/** A struct as the plain object that `toObject` returns. Pointers that are null are left out. */
export type PlainObject<F extends FieldTypes<F>, Pointers extends keyof F = never> = {
  [K in Exclude<keyof F, Pointers>]: ObjectOf<F[K]>;
} & { [K in Pointers]?: ObjectOf<F[K]> | ViewsOf<F[K]>["cleared"] };

interface UnionMethods<Member> {
  /** The active member of the unnamed union; its number where this schema does not know it. */
  which(): Member;
  /** Whether a member is the active one. */
  is<M extends Member>(member: M): this is { readonly $which: M };
}

/** The unnamed union of a struct, besides its members: `$which` tells TypeScript which of them is there. */
export type Union<U, Hidden extends string = never> = Hide<UnionMethods<keyof U>, Hidden>;

/** What is there of an unnamed union that is read. */
export type UnionReader<U extends FieldTypes<U>> = {
  [M in keyof U]: { readonly $which: M } & { readonly [K in M]: ReaderOf<U[K]> };
}[keyof U];

/** The unnamed union of a plain object: one member, or none. */
export type UnionInit<U extends FieldTypes<U>> = Only<U, never> | { [M in keyof U]: OneInit<U, M> }[keyof U];

type OneInit<U extends FieldTypes<U>, M extends keyof U> = { readonly [K in M]: SetOf<U[K]> } & Only<U, M>;

/** The unnamed union of what `toObject` returns. */
export type UnionObject<U extends FieldTypes<U>> = {
  [M in keyof U]: { [K in M]: ObjectOf<U[K]> | ViewsOf<U[K]>["cleared"] } & Only<U, M>;
}[keyof U];

type Only<U, M extends keyof U> = { readonly [K in Exclude<keyof U, M>]?: Inherited<K> };
