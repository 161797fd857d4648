import { List, type ListConstructor, newListClass, settableIndex } from "./list.ts";
import { checkBool, checkVoid, type ScalarKind } from "./scalar.ts";

/** A list that is built: the same, and its elements can be set. */
export interface Writable<T, V = T> {
  /** Sets the element at an index, which counts from the end where it is negative. CAPNP_INDEX where there is none. */
  set(index: number, value: V): void;
}

export interface ListClasses<R, B> {
  readonly Reader: ListConstructor<List<R>>;
  readonly Builder: ListConstructor<List<B> & Writable<unknown>>;
}

/** The classes of `List(T)` for a number type. */
export const scalarListClasses = <T extends number | bigint>(kind: ScalarKind<T>): ListClasses<T, T> => {
  const { read, write, check } = kind;
  const where = `An element of List(${kind.name})`;

  class ScalarList extends List<T> {
    override $at(index: number): T {
      return read(this.$segment.view, this.$start + index * this.$step);
    }
  }
  class ScalarListBuilder extends ScalarList implements Writable<unknown> {
    set(index: number, value: unknown): void {
      const i = settableIndex(index, this.$length);
      write(this.$segment.view, this.$start + i * this.$step, check(value, where));
    }
  }
  return { Reader: newListClass(ScalarList), Builder: newListClass(ScalarListBuilder) };
};

class BoolList extends List<boolean> {
  override $at(index: number): boolean {
    return (((this.$segment.bytes[this.$start + (index >>> 3)] as number) >>> (index & 7)) & 1) === 1;
  }
}

class BoolListBuilder extends BoolList implements Writable<unknown> {
  set(index: number, value: unknown): void {
    const i = settableIndex(index, this.$length);
    const at = this.$start + (i >>> 3);
    const byte = this.$segment.bytes[at] as number;
    const bit = 1 << (i & 7);
    this.$segment.bytes[at] = checkBool(value, "An element of List(Bool)") ? byte | bit : byte & ~bit;
  }
}

export const boolListClasses: ListClasses<boolean, boolean> = {
  Reader: newListClass(BoolList),
  Builder: newListClass(BoolListBuilder),
};

class VoidList extends List<null> {
  override $at(): null {
    return null;
  }
}

class VoidListBuilder extends VoidList implements Writable<unknown> {
  set(index: number, value: unknown): void {
    settableIndex(index, this.$length);
    checkVoid(value, "An element of List(Void)");
  }
}

export const voidListClasses: ListClasses<null, null> = {
  Reader: newListClass(VoidList),
  Builder: newListClass(VoidListBuilder),
};
