import { CapnpError } from "../errors.ts";
import { isNull, setText, zeroPointer } from "../serialization/pointer-builder.ts";
import { readText } from "../serialization/text.ts";
import type { FieldAccess, Getter, Setter } from "./field-access.ts";
import type { FieldSchema } from "./schema.ts";

/**
 * Access to a Text field. It could be a `pointerAccess` of `textKind`; but that calls functions which differ from field to
 * field, and V8 keeps such calls inline only where the caller has room for it. Text is most of what messages hold: here
 * all calls are of functions that V8 knows (measured: a fifth of the time to build, a tenth of the time to read).
 */
export const textAccess = (field: FieldSchema, index: number, defaultValue: string): FieldAccess => {
  const offset = index * 8;
  const where = field.path;
  const get: Getter = function () {
    return index < this.$pointerCount
      ? readText(this.$segment, this.$data + this.$dataBytes + offset, defaultValue)
      : defaultValue;
  };
  const set: Setter = function (value) {
    setText(this.$segment, this.$data + this.$dataBytes + offset, value, where);
  };
  return {
    schema: field,
    read: get,
    get,
    set,
    setFresh: set,
    init() {
      throw new CapnpError(
        "CAPNP_TYPE",
        `${where} is Text, which is not initialised but assigned: set it to a string.`,
      );
    },
    has() {
      return index < this.$pointerCount && !isNull(this.$segment, this.$data + this.$dataBytes + offset);
    },
    clear() {
      zeroPointer(this.$segment, this.$data + this.$dataBytes + offset);
    },
  };
};
