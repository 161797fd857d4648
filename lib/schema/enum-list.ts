import { List, newListClass, settableIndex } from "../serialization/list.ts";
import type { ListClasses, Writable } from "../serialization/primitive-list.ts";
import { checkEnum } from "./enum-class.ts";
import type { EnumSchema } from "./schema.ts";

/** The classes of a list of an enum: elements are names, or numbers where this schema knows none. */
export const enumListClasses = (schema: EnumSchema): ListClasses<string | number, string | number> => {
  const { names } = schema;
  const where = `An element of List(${schema.name})`;

  class EnumList extends List<string | number> {
    override _at(index: number): string | number {
      const value = this._segment.view.getUint16(this._start + index * this._step, true);
      return names[value] ?? value;
    }
  }
  class EnumListBuilder extends EnumList implements Writable<unknown> {
    set(index: number, value: unknown): void {
      const at = this._start + settableIndex(index, this._length) * this._step;
      this._segment.view.setUint16(at, checkEnum(schema, value, where), true);
    }
  }
  return { Reader: newListClass(EnumList), Builder: newListClass(EnumListBuilder) };
};
