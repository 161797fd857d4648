import { elementIndex, List, newListClass, settableIndex } from "./list.ts";
import type { ListClasses, Writable } from "./primitive-list.ts";
import type { Segment } from "./segment.ts";
import type { StructConstructor } from "./struct.ts";

/** A list whose elements can be set all at once. */
export interface Fillable {
  /** Sets every element from as many values. @internal */
  $setAll(values: readonly unknown[]): void;
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
      assign(this.$at(settableIndex(index, this.$length)), value);
    }
    $setAll(values: readonly unknown[]): void {
      if (this.$length === 0) return;
      // One builder moves from element to element: nobody but `assign` sees it.
      const element = this.$at(0) as { $data: number };
      for (let i = 0; i < this.$length; i++) {
        element.$data = this.$start + i * this.$step;
        assign(element as B, values[i]);
      }
    }
  }
  return { Reader: newListClass(structList(Reader)), Builder: newListClass(StructListBuilder) };
};

const structList = <T>(Element: StructConstructor<T>) => {
  // It has what it needs from the list in fields of its own: all iterators of a class share one shape.
  class StructIterator implements IterableIterator<T> {
    readonly $segment: Segment;
    readonly _end: number;
    readonly $step: number;
    readonly $dataBytes: number;
    readonly $pointerCount: number;
    readonly $depth: number;
    _left: number;

    constructor(list: List<T>) {
      this.$segment = list.$segment;
      this._end = list.$start + list.$length * list.$step;
      this.$step = list.$step;
      this.$dataBytes = list.$dataBytes;
      this.$pointerCount = list.$pointerCount;
      this.$depth = list.$depth;
      this._left = list.$length;
    }

    next(): IteratorResult<T> {
      const left = this._left;
      if (left === 0) return { done: true, value: undefined };
      this._left = left - 1;
      return {
        done: false,
        value: new Element(
          this.$segment,
          this._end - left * this.$step,
          this.$dataBytes,
          this.$pointerCount,
          this.$depth,
        ),
      };
    }

    [Symbol.iterator](): this {
      return this;
    }
  }

  abstract class StructList extends List<T> {
    override $at(index: number): T {
      return new Element(
        this.$segment,
        this.$start + index * this.$step,
        this.$dataBytes,
        this.$pointerCount,
        this.$depth,
      );
    }

    override at(index: number): T | undefined {
      // The common index by itself: so little of V8's room for copies of functions goes to the others.
      const i = index >>> 0 === index && index < this.$length ? index : elementIndex(index, this.$length);
      if (i < 0) return undefined;
      return new Element(this.$segment, this.$start + i * this.$step, this.$dataBytes, this.$pointerCount, this.$depth);
    }

    override [Symbol.iterator](): IterableIterator<T> {
      return new StructIterator(this);
    }
  }
  return StructList;
};
