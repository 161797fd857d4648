import { isNull, zeroPointer } from "../serialization/pointer-builder.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { defaultSegment } from "../serialization/struct.ts";
import type { FieldAccess } from "./field-access.ts";
import type { FieldSchema } from "./schema.ts";

/** A null pointer, for pointers beyond the end of an older struct. */
const nullSegment = defaultSegment(new Uint8Array(8));

/** Access to a field that is a pointer, at an index of the pointer section. */
export const pointerAccess = (field: FieldSchema, index: number, kind: PointerKind): FieldAccess => {
  const { read, get, set, init } = kind;
  const offset = index * 8;
  const where = field.path;
  return {
    schema: field,
    read() {
      return index < this.$pointerCount
        ? read(this.$segment, this.$data + this.$dataBytes + offset, this.$depth)
        : read(nullSegment, 0, this.$depth);
    },
    get() {
      return get(this.$segment, this.$data + this.$dataBytes + offset);
    },
    set(value) {
      set(this.$segment, this.$data + this.$dataBytes + offset, value, where, false);
    },
    setFresh(value) {
      set(this.$segment, this.$data + this.$dataBytes + offset, value, where, true);
    },
    init(count) {
      return init(this.$segment, this.$data + this.$dataBytes + offset, count, where);
    },
    has() {
      return index < this.$pointerCount && !isNull(this.$segment, this.$data + this.$dataBytes + offset);
    },
    clear() {
      zeroPointer(this.$segment, this.$data + this.$dataBytes + offset);
    },
  };
};
