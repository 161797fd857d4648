import type { Struct } from "../serialization/struct.ts";
import { assign } from "./assign.ts";
import type { FieldAccess } from "./field-access.ts";
import type { FieldSchema, StructSchema } from "./schema.ts";
import type { StructBase, StructBuilder } from "./struct-base.ts";

/** Access to a group or a union with a name: an accessor object at the same place as its struct. */
export const groupAccess = (field: FieldSchema, group: StructSchema): FieldAccess => {
  const { Reader, Builder } = group.structClass;
  const builderOf = (struct: Struct): StructBuilder =>
    new Builder(struct.$segment, struct.$data, struct.$dataBytes, struct.$pointerCount, struct.$depth);
  return {
    schema: field,
    read() {
      return new Reader(this.$segment, this.$data, this.$dataBytes, this.$pointerCount, this.$depth);
    },
    get() {
      return new Builder(this.$segment, this.$data, this.$dataBytes, this.$pointerCount, this.$depth);
    },
    set(value) {
      assign(builderOf(this), value);
    },
    setFresh(value) {
      const builder = builderOf(this);
      clearFields(builder);
      assign(builder, value);
    },
    init() {
      const builder = builderOf(this);
      clearFields(builder);
      return builder;
    },
    has: () => true,
    clear() {
      clearFields(builderOf(this));
    },
  };
};

/** Clears every field's place, union tags included. */
const clearFields = (struct: StructBase): void => {
  for (const access of struct.$fields.values()) access.clear.call(struct);
  if (struct.$tag >= 0) struct.$segment.view.setUint16(struct.$data + struct.$tag, 0, true);
};
