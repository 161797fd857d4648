import { List, newListClass, settableIndex } from "./list.ts";
import type { ListClasses, Writable } from "./primitive-list.ts";
import type { Segment } from "./segment.ts";

/** What stands behind a pointer of one type: how it is read, built, set and initialised. */
export interface PointerKind {
  /** Reads; a null pointer reads as the default value. */
  readonly read: (segment: Segment, position: number, depth: number) => unknown;
  /** The same in a message that is built: a struct is allocated where the pointer is null. */
  readonly get: (segment: Segment, position: number) => unknown;
  /**
   * Sets, merging a plain object into the struct that is there unless `fresh` (what is there belongs to another member of
   * a union). `where` names the place in errors.
   */
  readonly set: (segment: Segment, position: number, value: unknown, where: string, fresh: boolean) => void;
  /** Replaces what is there by a new empty value, of `count` elements or bytes where the type has a length. */
  readonly init: (segment: Segment, position: number, count: number | undefined, where: string) => unknown;
}

/** A list whose elements can be initialised, as those of a list of lists must be. */
export interface Initializable {
  init(index: number, count?: number): unknown;
}

/** The classes of `List(T)` for a type that is a pointer. */
export const pointerListClasses = (kind: PointerKind, name: string): ListClasses<unknown, unknown> => {
  const { read, get, set, init } = kind;
  const where = `An element of List(${name})`;

  class PointerList extends List<unknown> {
    override $at(index: number): unknown {
      return read(this.$segment, this.$start + index * this.$step, this.$depth);
    }
  }
  class PointerListBuilder extends List<unknown> implements Writable<unknown>, Initializable {
    override $at(index: number): unknown {
      return get(this.$segment, this.$start + index * this.$step);
    }
    set(index: number, value: unknown): void {
      const i = settableIndex(index, this.$length);
      set(this.$segment, this.$start + i * this.$step, value, where, false);
    }
    /** Replaces an element by a new one of `count` elements or bytes. */
    init(index: number, count?: number): unknown {
      const i = settableIndex(index, this.$length);
      return init(this.$segment, this.$start + i * this.$step, count, where);
    }
  }
  return { Reader: newListClass(PointerList), Builder: newListClass(PointerListBuilder) };
};
