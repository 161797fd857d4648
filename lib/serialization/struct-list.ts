import { elementIndex, List, newListClass, settableIndex } from "./list.ts";
import type { ListClasses, Writable } from "./primitive-list.ts";
import type { Segment } from "./segment.ts";
import type { StructConstructor } from "./struct.ts";

/** A list whose elements can be set all at once. */
export interface Fillable {
  /** Sets every element from as many values. @internal */
  _setAll(values: readonly unknown[]): void;
}

/**
 * The classes of `List(T)` for one struct type. Each struct type has its own, so that the construction in `at` and in the
 * iterator is of one class only and V8 keeps both inline.
 */
export const structListClasses = <R, B>(
  Reader: StructConstructor<R>,
  Builder: StructConstructor<B>,
  assign: (element: B, value: unknown) => void,
): ListClasses<R, B> => {
  const Elements = structList(Builder);
  abstract class StructListBuilder extends Elements implements Writable<unknown>, Fillable {
    set(index: number, value: unknown): void {
      assign(this._at(settableIndex(index, this._length)), value);
    }
    _setAll(values: readonly unknown[]): void {
      if (this._length === 0) return;
      // One builder moves from element to element: nobody but `assign` sees it.
      const element = this._at(0) as { _data: number };
      for (let i = 0; i < this._length; i++) {
        element._data = this._start + i * this._step;
        assign(element as B, values[i]);
      }
    }
  }
  return { Reader: newListClass(structList(Reader)), Builder: newListClass(StructListBuilder) };
};

const structList = <T>(Element: StructConstructor<T>) => {
  // It has what it needs from the list in fields of its own: all iterators of a class share one shape.
  class StructIterator implements IterableIterator<T> {
    readonly _segment: Segment;
    readonly _end: number;
    readonly _step: number;
    readonly _dataBytes: number;
    readonly _pointerCount: number;
    readonly _depth: number;
    _left: number;

    constructor(list: List<T>) {
      this._segment = list._segment;
      this._end = list._start + list._length * list._step;
      this._step = list._step;
      this._dataBytes = list._dataBytes;
      this._pointerCount = list._pointerCount;
      this._depth = list._depth;
      this._left = list._length;
    }

    next(): IteratorResult<T> {
      const left = this._left;
      if (left === 0) return { done: true, value: undefined };
      this._left = left - 1;
      return {
        done: false,
        value: new Element(
          this._segment,
          this._end - left * this._step,
          this._dataBytes,
          this._pointerCount,
          this._depth,
        ),
      };
    }

    [Symbol.iterator](): this {
      return this;
    }
  }

  abstract class StructList extends List<T> {
    override _at(index: number): T {
      return new Element(
        this._segment,
        this._start + index * this._step,
        this._dataBytes,
        this._pointerCount,
        this._depth,
      );
    }

    override at(index: number): T | undefined {
      // The common index by itself: so little of V8's room for copies of functions goes to the others.
      const i = index >>> 0 === index && index < this._length ? index : elementIndex(index, this._length);
      if (i < 0) return undefined;
      return new Element(this._segment, this._start + i * this._step, this._dataBytes, this._pointerCount, this._depth);
    }

    override [Symbol.iterator](): IterableIterator<T> {
      return new StructIterator(this);
    }
  }
  return StructList;
};
