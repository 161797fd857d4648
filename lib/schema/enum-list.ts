import { List, newListClass, settableIndex } from "../serialization/list.ts";
import type { ListClasses, Writable } from "../serialization/primitive-list.ts";
import { checkEnum } from "./enum-class.ts";
import type { EnumSchema } from "./schema.ts";

/** The classes of a list of an enum: elements are names, or numbers where this schema knows none. */
export const enumListClasses = (schema: EnumSchema): ListClasses<string | number, string | number> => {
  const { names } = schema;
  const where = `An element of List(${schema.name})`;

  class EnumList extends List<string | number> {
    override $at(index: number): string | number {
      const value = this.$segment.view.getUint16(this.$start + index * this.$step, true);
      return names[value] ?? value;
    }
  }
  class EnumListBuilder extends EnumList implements Writable<unknown> {
    set(index: number, value: unknown): void {
      const at = this.$start + settableIndex(index, this.$length) * this.$step;
      this.$segment.view.setUint16(at, checkEnum(schema, value, where), true);
    }
  }
  return { Reader: newListClass(EnumList), Builder: newListClass(EnumListBuilder) };
};
