import { CapnpError } from "../errors.ts";
import { describeValue } from "./scalar.ts";
import type { Segment } from "./segment.ts";

/** Where a list lies, in the order in which its classes are constructed. */
export type ListConstructor<L> = new (
  segment: Segment,
  start: number,
  length: number,
  step: number,
  dataBytes: number,
  pointerCount: number,
  depth: number,
) => L;

/**
 * A list in a message, used as an array is: `length`, `list[i]`, `at(-1)`, `for...of`, `map` and the other methods of an
 * array that do not change it. `at(i)` and iteration are faster than `list[i]`. A list that is built also has
 * `set(i, value)`, of which `list[i] = value` is the short form. The length never changes.
 */
export abstract class List<T> implements Iterable<T> {
  readonly [index: number]: T;

  /** @internal */
  declare readonly $segment: Segment;
  /** Byte offset of the first element. @internal */
  declare readonly $start: number;
  /** @internal */
  declare readonly $length: number;
  /** Bytes from one element to the next. A list of Bool does not use it. @internal */
  declare readonly $step: number;
  /** Bytes of each element's data section. @internal */
  declare readonly $dataBytes: number;
  /** @internal */
  declare readonly $pointerCount: number;
  /** How many levels of pointers may still be followed from an element. @internal */
  declare readonly $depth: number;

  get length(): number {
    return this.$length;
  }

  /** The element at an index that is within the list. @internal */
  abstract $at(index: number): T;

  /** The element at an index, from the end where it is negative; undefined where there is none. */
  at(index: number): T | undefined {
    const i = elementIndex(index, this.$length);
    return i < 0 ? undefined : this.$at(i);
  }

  [Symbol.iterator](): IterableIterator<T> {
    return new ListIterator<T, T>(this, value);
  }

  values(): IterableIterator<T> {
    return this[Symbol.iterator]();
  }

  keys(): IterableIterator<number> {
    return new ListIterator<T, number>(this, key);
  }

  entries(): IterableIterator<[number, T]> {
    return new ListIterator<T, [number, T]>(this, entry);
  }

  forEach(callback: (value: T, index: number, list: this) => void): void {
    for (let i = 0; i < this.$length; i++) callback(this.$at(i), i, this);
  }

  map<U>(callback: (value: T, index: number, list: this) => U): U[] {
    checkArrayLength(this.$length);
    const mapped: U[] = [];
    for (let i = 0; i < this.$length; i++) mapped.push(callback(this.$at(i), i, this));
    return mapped;
  }

  filter(predicate: (value: T, index: number, list: this) => unknown): T[] {
    const kept: T[] = [];
    for (let i = 0; i < this.$length; i++) {
      const element = this.$at(i);
      if (predicate(element, i, this)) kept.push(element);
    }
    return kept;
  }

  some(predicate: (value: T, index: number, list: this) => unknown): boolean {
    return this.findIndex(predicate) >= 0;
  }

  every(predicate: (value: T, index: number, list: this) => unknown): boolean {
    for (let i = 0; i < this.$length; i++) if (!predicate(this.$at(i), i, this)) return false;
    return true;
  }

  find(predicate: (value: T, index: number, list: this) => unknown): T | undefined {
    for (let i = 0; i < this.$length; i++) {
      const element = this.$at(i);
      if (predicate(element, i, this)) return element;
    }
    return undefined;
  }

  findIndex(predicate: (value: T, index: number, list: this) => unknown): number {
    for (let i = 0; i < this.$length; i++) if (predicate(this.$at(i), i, this)) return i;
    return -1;
  }

  /** As an array's `reduce`, but always with a first value. */
  reduce<U>(callback: (previous: U, value: T, index: number, list: this) => U, initial: U): U {
    let result = initial;
    for (let i = 0; i < this.$length; i++) result = callback(result, this.$at(i), i, this);
    return result;
  }

  slice(start?: number, end?: number): T[] {
    const from = sliceBound(start ?? 0, this.$length);
    const to = sliceBound(end ?? this.$length, this.$length);
    checkArrayLength(to - from);
    const part: T[] = [];
    for (let i = from; i < to; i++) part.push(this.$at(i));
    return part;
  }

  toArray(): T[] {
    return this.slice();
  }

  /** By value for numbers, text, booleans and enums. Structs are other objects each time they are read. */
  indexOf(wanted: T, from?: number): number {
    for (let i = sliceBound(from ?? 0, this.$length); i < this.$length; i++) if (this.$at(i) === wanted) return i;
    return -1;
  }

  includes(wanted: T, from?: number): boolean {
    for (let i = sliceBound(from ?? 0, this.$length); i < this.$length; i++) {
      const element = this.$at(i);
      // As arrays do it: NaN is found here, though not by indexOf.
      if (element === wanted || (Number.isNaN(element) && Number.isNaN(wanted))) return true;
    }
    return false;
  }

  /** As an array's: null and undefined are empty. */
  join(separator = ","): string {
    let text = "";
    // In parts: a list of millions of elements as one array is more than a process may have.
    for (let start = 0; start < this.$length; start += joinedAtOnce) {
      if (start > 0) text += separator;
      text += this.slice(start, start + joinedAtOnce).join(separator);
    }
    return text;
  }

  toString(): string {
    return this.join();
  }
}

/**
 * The class of lists that has the methods of `base`. Its constructor calls no other and `extends` is spelled out by hand,
 * because V8 keeps no derived construction inline that stands inside of a `try`, which every `for...of` is.
 */
export const newListClass = <L extends List<unknown>>(base: { readonly prototype: L }): ListConstructor<L> => {
  const ListClass = class {
    declare readonly $segment: Segment;
    declare readonly $start: number;
    declare readonly $length: number;
    declare readonly $step: number;
    declare readonly $dataBytes: number;
    declare readonly $pointerCount: number;
    declare readonly $depth: number;

    constructor(
      segment: Segment,
      start: number,
      length: number,
      step: number,
      dataBytes: number,
      pointerCount: number,
      depth: number,
    ) {
      this.$segment = segment;
      this.$start = start;
      this.$length = length;
      this.$step = step;
      this.$dataBytes = dataBytes;
      this.$pointerCount = pointerCount;
      this.$depth = depth;
    }
  };
  Object.setPrototypeOf(ListClass, base);
  Object.setPrototypeOf(ListClass.prototype, base.prototype);
  return ListClass as unknown as ListConstructor<L>;
};

/** `index` within a list of `length` elements as `at` of an array takes it; -1 where there is no such element. */
export const elementIndex = (index: number, length: number): number => {
  let i = (index | 0) === index ? index : Math.trunc(index) || 0;
  if (i < 0) i += length;
  return i < length ? i : -1;
};

/** `index` as `set` takes it: from the end where it is negative; CAPNP_INDEX where there is no such element. */
export const settableIndex = (index: number, length: number): number => {
  const i = Number.isInteger(index) ? elementIndex(index, length) : -1;
  if (i < 0) {
    throw new CapnpError(
      "CAPNP_INDEX",
      `Index ${describeValue(index)} is outside of a list of ${length} elements. The length of a list is fixed when it is initialised.`,
    );
  }
  return i;
};

const joinedAtOnce = 4096;

/**
 * V8 ends the process where an array grows beyond some 112 million elements. A list of Bool has as many in 14 MB; 2 MB that are
 * pointed to again and again make more than the memory holds.
 */
const longestArray = 100_000_000;

const checkArrayLength = (length: number): void => {
  if (length > longestArray) {
    throw new CapnpError(
      "CAPNP_RANGE",
      `A list of ${length} elements is too long for an array (at most ${longestArray}): iterate over it, or take slices.`,
    );
  }
};

const sliceBound = (bound: number, length: number): number => {
  const i = Math.trunc(bound) || 0;
  return i < 0 ? Math.max(0, i + length) : Math.min(i, length);
};

const value = <T>(list: List<T>, index: number): T => list.$at(index);
const key = (_list: unknown, index: number): number => index;
const entry = <T>(list: List<T>, index: number): [number, T] => [index, list.$at(index)];

class ListIterator<T, R> implements IterableIterator<R> {
  readonly #list: List<T>;
  readonly #result: (list: List<T>, index: number) => R;
  #index = 0;

  constructor(list: List<T>, result: (list: List<T>, index: number) => R) {
    this.#list = list;
    this.#result = result;
  }

  next(): IteratorResult<R> {
    if (this.#index >= this.#list.length) return { done: true, value: undefined };
    return { done: false, value: this.#result(this.#list, this.#index++) };
  }

  [Symbol.iterator](): this {
    return this;
  }
}

interface Settable {
  set?(index: number, value: unknown): void;
}

/** The index that a property key spells; -1 for other keys. */
const indexOfKey = (name: string | symbol): number => {
  if (typeof name === "symbol") return -1;
  const index = Number(name);
  return Number.isInteger(index) && index >= 0 && String(index) === name ? index : -1;
};

/**
 * `list[i]` for every list: this stands above `List` in the prototype chain, so that only properties that nobody below has
 * come here. `at`, `length` and iteration never do.
 */
const indexing = new Proxy<object>(
  {},
  {
    get(above, name, list): unknown {
      const index = indexOfKey(name);
      return index < 0 ? Reflect.get(above, name, list) : (list as List<unknown>).at(index);
    },
    set(above, name, assigned, list): boolean {
      const index = indexOfKey(name);
      if (index < 0) {
        // On an array it would be a property that nobody finds again, beside the elements.
        if (typeof name === "string" && String(Number(name)) === name && name !== "NaN") {
          throw new CapnpError(
            "CAPNP_INDEX",
            `[${name}] is no element of a list; list.set(-1, value) and list.at(-1) count from the end.`,
          );
        }
        return Reflect.set(above, name, assigned, list);
      }
      const { set } = list as Settable;
      if (set === undefined) {
        throw new CapnpError(
          "CAPNP_TYPE",
          `Element ${index} cannot be set: this list is read-only. Copy the message to change it: reader.copy().`,
        );
      }
      set.call(list, index, assigned);
      return true;
    },
  },
);
Object.setPrototypeOf(List.prototype, indexing);

/**
 * What constructors assign stands on the prototype, too: an assignment to what nobody has yet would climb to the Proxy. Fields
 * that classes declare do not climb, but V8 defines them through its runtime once it has seen more than four list classes
 * (measured: 1000 ns for a list).
 */
for (const name of ["$segment", "$start", "$length", "$step", "$dataBytes", "$pointerCount", "$depth"]) {
  Object.defineProperty(List.prototype, name, { value: undefined, writable: true, configurable: true });
}
