import type { Client } from "../rpc/capability/client.ts";
import type { Server } from "../rpc/capability/server.ts";
import type { CapabilitySource } from "../rpc/capability/client.ts";
import type { AnyPointerBuilder as UntypedBuilder, AnyPointerReader as UntypedReader } from "./any-pointer.ts";
import type { AnyListBuilder, AnyListReader } from "./any-list.ts";
import type { AnyStructBuilder, AnyStructReader } from "./any-struct.ts";
import type { Orphan as UntypedOrphan } from "./orphan.ts";
import type { Orphan } from "./typed-orphan.ts";
import type { InterfaceClass } from "./interface-class.ts";
import type { InterfaceClient } from "./interface-client.ts";
import type { AnyPointerPipeline as UntypedPipeline } from "./pipeline-class.ts";
import type { StructBase } from "./struct-base.ts";
import type { StructClass } from "./struct-class.ts";
import type {
  Bool,
  BuilderOf,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  Int8,
  PipelineOf,
  Pointed,
  PointerType,
  ReaderOf,
  SetOf,
  Type,
  UInt16,
  UInt32,
  UInt64,
  UInt8,
  Void,
} from "./type-views.ts";
import type { List, ListBuilderOf, ListInputOf, ListReaderOf, Sized } from "./typed-list.ts";
import type { ObjectOf } from "./type-views.ts";

/** Bytes as they may be passed. */
export type Bytes = Uint8Array | ArrayBuffer | ArrayBufferView;

export interface Text extends Pointed<string, string, string, string, never, unknown, AnyPointerPipeline> {}

/** A Uint8Array; where it is read, a view of the message, not a copy. */
export interface Data
  extends Pointed<Uint8Array, Uint8Array, Bytes, Uint8Array, Uint8Array, unknown, AnyPointerPipeline> {}

/** The type `List(E)`. */
export interface ListOf<E extends Type>
  extends Pointed<
    ListReaderOf<E>,
    ListBuilderOf<E>,
    ListInputOf<E>,
    ObjectOf<E>[],
    ListBuilderOf<E>,
    BuilderOf<E>,
    AnyPointerPipeline
  > {}

/** What an AnyPointer may be set to without saying of which type it is. */
export type AnyPointerInput =
  | string
  | Bytes
  | StructBase
  | List<unknown>
  | UntypedReader
  | AnyStructReader
  | AnyListReader
  | Client
  | Server
  | PromiseLike<Client | Server | null | undefined>
  | null;

/** AnyPointer, AnyStruct, AnyList, and type parameters to which nothing is bound. */
export interface AnyPointer
  extends Type<{
    readonly reader: AnyPointerReader;
    readonly builder: AnyPointerBuilder;
    readonly input: AnyPointerInput;
    readonly cleared: never;
    readonly bare: AnyPointerInput;
    readonly object: AnyPointerReader | null;
    readonly made: AnyPointerBuilder;
    readonly element: unknown;
    readonly sized: false;
    readonly pointer: true;
    readonly pipeline: AnyPointerPipeline;
  }> {}

/** A struct of any type, where the type of the pointer that leads to it does not say which. */
export interface AnyStruct
  extends Type<{
    readonly reader: AnyStructReader;
    readonly builder: AnyStructBuilder;
    readonly input: StructBase | AnyStructReader;
    readonly cleared: null;
    readonly bare: StructBase | AnyStructReader;
    readonly object: AnyStructReader;
    readonly made: never;
    readonly element: unknown;
    readonly sized: false;
    readonly pointer: true;
    readonly pipeline: AnyPointerPipeline;
  }> {}

/** A list of any type. */
export interface AnyList
  extends Type<{
    readonly reader: AnyListReader;
    readonly builder: AnyListBuilder;
    readonly input: List<unknown> | AnyListReader;
    readonly cleared: null;
    readonly bare: List<unknown> | AnyListReader;
    readonly object: AnyListReader;
    readonly made: never;
    readonly element: unknown;
    readonly sized: false;
    readonly pointer: true;
    readonly pipeline: AnyPointerPipeline;
  }> {}

/** A capability of any interface. */
export interface Capability
  extends Type<{
    readonly reader: InterfaceClient | null;
    readonly builder: InterfaceClient | null;
    readonly input: CapabilitySource;
    readonly cleared: never;
    readonly bare: CapabilitySource;
    readonly object: InterfaceClient;
    readonly made: never;
    readonly element: unknown;
    readonly sized: false;
    readonly pointer: true;
    readonly pipeline: InterfaceClient;
  }> {}

interface NamedTypes {
  readonly Void: Void;
  readonly Bool: Bool;
  readonly Int8: Int8;
  readonly Int16: Int16;
  readonly Int32: Int32;
  readonly Int64: Int64;
  readonly UInt8: UInt8;
  readonly UInt16: UInt16;
  readonly UInt32: UInt32;
  readonly UInt64: UInt64;
  readonly Float32: Float32;
  readonly Float64: Float64;
  readonly Text: Text;
  readonly Data: Data;
  readonly AnyPointer: AnyPointer;
  readonly AnyStruct: AnyStruct;
  readonly AnyList: AnyList;
}

/** What stands for an element type: a class, `listOf(...)` or the name of a built-in type. */
export type ElementArgument = Type | keyof NamedTypes;

/** What stands for a type behind a pointer: a class, `listOf(...)`, `Text`, `Data` or `AnyPointer`. */
export type PointerArgument = PointerType | "Text" | "Data" | "AnyPointer" | "AnyStruct" | "AnyList";

/** The element type that an argument stands for. */
export type ElementFor<A extends ElementArgument> = A extends keyof NamedTypes
  ? NamedTypes[A]
  : A extends Type
    ? A
    : never;

/** The type that an argument stands for. */
export type PointerFor<A extends PointerArgument> = A extends PointerType
  ? A
  : A extends "Text" | "Data" | "AnyStruct" | "AnyList"
    ? NamedTypes[A]
    : AnyPointer;

/** See {@link UntypedReader}. */
export interface AnyPointerReader extends UntypedReader {
  as<A extends PointerArgument>(type: A): ReaderOf<PointerFor<A>>;
  as(type: object): unknown;
}

/** See {@link UntypedBuilder}. */
export interface AnyPointerBuilder extends UntypedBuilder {
  as<A extends PointerArgument>(type: A): BuilderOf<PointerFor<A>>;
  as(type: object): unknown;
  set(value: AnyPointerInput): void;
  set<A extends PointerArgument>(value: SetOf<PointerFor<A>>, type: A): void;
  set(value: unknown, type: object): void;
  init<A extends PointerArgument, N extends number>(type: A, count?: N): Sized<PointerFor<A>, N>;
  init(type: object, count?: number): unknown;
  /** Takes out what the pointer leads to, as an orphan of a type that its `as` settles, and leaves the pointer null. */
  disown(): Orphan<AnyPointer>;
  /** Makes the pointer lead to an orphan; what was there is zeroed. */
  adopt(orphan: UntypedOrphan): void;
}

/** See {@link UntypedPipeline}. */
export interface AnyPointerPipeline extends UntypedPipeline {
  as<A extends PointerType>(type: A): PipelineOf<A>;
  as(type: InterfaceClass | StructClass): unknown;
}
