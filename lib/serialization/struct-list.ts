import { elementIndex, List, settableIndex } from "./list.ts";
import type { ListClasses, Writable } from "./primitive-list.ts";
import type { StructConstructor } from "./struct.ts";

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
  class StructListBuilder extends Elements implements Writable<unknown> {
    set(index: number, value: unknown): void {
      assign(this._at(settableIndex(index, this._length)), value);
    }
  }
  return { Reader: structList(Reader), Builder: StructListBuilder };
};

const structList = <T>(Element: StructConstructor<T>) => {
  class StructIterator implements IterableIterator<T> {
    readonly _list: List<T>;
    _index = 0;

    constructor(list: List<T>) {
      this._list = list;
    }

    next(): IteratorResult<T> {
      const list = this._list;
      const index = this._index;
      if (index >= list._length) return { done: true, value: undefined };
      this._index = index + 1;
      return {
        done: false,
        value: new Element(
          list._segment,
          list._start + index * list._step,
          list._dataBytes,
          list._pointerCount,
          list._depth,
        ),
      };
    }

    [Symbol.iterator](): this {
      return this;
    }
  }

  return class StructList extends List<T> {
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
      const i = elementIndex(index, this._length);
      if (i < 0) return undefined;
      return new Element(this._segment, this._start + i * this._step, this._dataBytes, this._pointerCount, this._depth);
    }

    override [Symbol.iterator](): IterableIterator<T> {
      return new StructIterator(this);
    }
  };
};
