/**
 * How TypeScript sees a type of a schema: one type with several views, since what is read, what is built and what may be
 * assigned differ. Generated code names a type once (`$.ListOf<Person>`) and everything else follows from its views.
 *
 * Nothing here exists at run time.
 */
declare const views: unique symbol;

export interface Views {
  /** In a message that is read. */
  readonly reader: unknown;
  /** In a message that is built. */
  readonly builder: unknown;
  /** What a field or an element may be set to. */
  readonly input: unknown;
  /** `null` where a field may be set to null besides, but an element may not; else `never`. */
  readonly cleared: null;
  /** What a server method may return in place of an object with this as its only member. */
  readonly bare: unknown;
  /** In what `toObject` returns. */
  readonly object: unknown;
  /** What `init` returns; `never` where there is nothing to initialise. */
  readonly made: unknown;
  /** What is in a list that `init` made; `unknown` for other types. */
  readonly element: unknown;
  /** Whether `init` takes a count. */
  readonly sized: boolean;
  /** Whether it lies behind a pointer, which may be null. */
  readonly pointer: boolean;
  /** In results that are on their way. */
  readonly pipeline: unknown;
}

/** A type of a schema. */
export interface Type<V extends Views = Views> {
  readonly [views]: V;
}

/** A type that lies behind a pointer, as type arguments must. */
export interface PointerType extends Type<Views & { readonly pointer: true }> {}

/** The types of a struct's fields, by name. */
export type FieldTypes<F> = { readonly [K in keyof F]: Type };

export type ViewsOf<T extends Type> = T[typeof views];
export type ReaderOf<T extends Type> = ViewsOf<T>["reader"];
export type BuilderOf<T extends Type> = ViewsOf<T>["builder"];
export type InputOf<T extends Type> = ViewsOf<T>["input"];
/** What a field of the type may be set to. */
export type SetOf<T extends Type> = ViewsOf<T>["input"] | ViewsOf<T>["cleared"];
export type BareOf<T extends Type> = ViewsOf<T>["bare"];
export type ObjectOf<T extends Type> = ViewsOf<T>["object"];
export type MadeOf<T extends Type> = ViewsOf<T>["made"];
export type PipelineOf<T extends Type> = ViewsOf<T>["pipeline"];

interface Scalar<Value, Input = Value>
  extends Type<{
    readonly reader: Value;
    readonly builder: Value;
    readonly input: Input;
    readonly cleared: never;
    readonly bare: Input;
    readonly object: Value;
    readonly made: never;
    readonly element: unknown;
    readonly sized: false;
    readonly pointer: false;
    readonly pipeline: never;
  }> {}

export interface Void extends Scalar<null, null | undefined> {}
export interface Bool extends Scalar<boolean> {}
export interface Int8 extends Scalar<number> {}
export interface Int16 extends Scalar<number> {}
export interface Int32 extends Scalar<number> {}
export interface Int64 extends Scalar<bigint, bigint | number> {}
export interface UInt8 extends Scalar<number> {}
export interface UInt16 extends Scalar<number> {}
export interface UInt32 extends Scalar<number> {}
export interface UInt64 extends Scalar<bigint, bigint | number> {}
export interface Float32 extends Scalar<number> {}
export interface Float64 extends Scalar<number> {}

/** An enum by the names of its enumerants. One that this schema does not know reads as its number. */
export interface Enum<Name extends string> extends Scalar<Name> {}

/** What an enum is at run time: its names by themselves, `Type.mobile` is "mobile". */
export type EnumClass<Name extends string> = { readonly [N in Name]: N } & Enum<Name>;

/** What stands for Text, Data and lists. */
export interface Pointed<Reader, Builder, Input, Object, Made, Element, Pipeline>
  extends Type<{
    readonly reader: Reader;
    readonly builder: Builder;
    readonly input: Input;
    readonly cleared: never;
    readonly bare: Input;
    readonly object: Object;
    readonly made: Made;
    readonly element: Element;
    readonly sized: true;
    readonly pointer: true;
    readonly pipeline: Pipeline;
  }> {}

/** Removes members that a schema's own names hide. */
export type Hide<T, Names extends PropertyKey> = [Names] extends [never] ? T : Omit<T, Names>;
