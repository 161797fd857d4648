import type { BuilderOf, InputOf, MadeOf, ObjectOf, ReaderOf, Type, ViewsOf } from "./type-views.ts";
import type { List as UntypedList } from "../serialization/list.ts";
import type { Orphan } from "./typed-orphan.ts";

/** A list of a message; see {@link UntypedList}. */
export interface List<T, Plain = unknown> extends UntypedList<T> {
  /** The elements as `toObject` of a struct has them. */
  toObject(): Plain[];
  toJSON(): unknown;
}

/** A list that is built. Its length is fixed. */
export interface ListBuilder<E extends Type> extends List<BuilderOf<E>, ObjectOf<E>> {
  /** Sets the element at an index, which counts from the end where it is negative. CAPNP_INDEX where there is none. */
  set(index: number, value: InputOf<E>): void;
}

/** A list of Text, Data, lists, capabilities or AnyPointers that is built. */
export interface PointerListBuilder<E extends Type> extends ListBuilder<E> {
  /** Replaces an element by a new one of `count` elements or bytes. */
  init<N extends number>(index: number, count: N): Sized<E, N>;
  /** Takes an element out, and leaves it null. */
  disown(index: number): Orphan<E>;
  /** Makes an orphan an element; what was there is zeroed. */
  adopt(index: number, orphan: Orphan<E>): void;
}

export type ListReaderOf<E extends Type> = List<ReaderOf<E>, ObjectOf<E>>;

/** Lists of structs and of numbers hold their elements, all others point to them. */
export type ListBuilderOf<E extends Type> = ViewsOf<E>["pointer"] extends false
  ? ListBuilder<E>
  : ViewsOf<E>["cleared"] extends never
    ? PointerListBuilder<E>
    : ListBuilder<E>;

/** What a list may be set to: any iterable of its elements, but no string, which is one of strings. */
export type ListInputOf<E extends Type> = Iterable<InputOf<E>> & object;

/** What `init` returns for a type with a length. Elements of a list whose length is known are known to be there. */
export type Sized<T extends Type, N extends number> = MadeOf<T> & Elements<ViewsOf<T>["element"], N>;

type Elements<E, N extends number, Counted extends 0[] = []> = unknown extends E
  ? unknown
  : number extends N
    ? unknown
    : Counted["length"] extends N
      ? { readonly [I in Exclude<keyof Counted, keyof 0[]>]: E }
      : // Beyond this, TypeScript would rather not count.
        Counted["length"] extends 64
        ? unknown
        : Elements<E, N, [...Counted, 0]>;
