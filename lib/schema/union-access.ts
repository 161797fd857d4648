import { CapnpError } from "../errors.ts";
import type { Struct } from "../serialization/struct.ts";
import type { FieldAccess } from "./field-access.ts";
import type { FieldSchema } from "./schema.ts";

/** Access to a member of an unnamed union: reading checks the tag, writing sets it. `tag` is the tag's byte offset. */
export const unionMemberAccess = (inner: FieldAccess, tag: number): FieldAccess => {
  const { schema: field, read, get, set, setFresh, init, has, clear } = inner;
  const discriminant = field.discriminantValue;
  const tagEnd = tag + 2;

  const activate = (struct: Struct): void => struct.$segment.view.setUint16(struct.$data + tag, discriminant, true);

  return {
    schema: field,
    read() {
      const active = tagEnd <= this.$dataBytes ? this.$segment.view.getUint16(this.$data + tag, true) : 0;
      if (active !== discriminant) throw inactive(field, active);
      return read.call(this);
    },
    get() {
      const active = this.$segment.view.getUint16(this.$data + tag, true);
      if (active !== discriminant) throw inactive(field, active);
      return get.call(this);
    },
    set(value) {
      if (this.$segment.view.getUint16(this.$data + tag, true) === discriminant) set.call(this, value);
      else {
        setFresh.call(this, value);
        activate(this);
      }
    },
    setFresh(value) {
      setFresh.call(this, value);
      activate(this);
    },
    init(count) {
      const made = init.call(this, count);
      activate(this);
      return made;
    },
    has() {
      const active = tagEnd <= this.$dataBytes ? this.$segment.view.getUint16(this.$data + tag, true) : 0;
      return active === discriminant && has.call(this);
    },
    clear,
  };
};

const inactive = (field: FieldSchema, discriminant: number): CapnpError => {
  const active = field.struct.unionFields[discriminant]?.name;
  const instead = active === undefined ? `member ${discriminant}, which this schema does not know` : active;
  return new CapnpError(
    "CAPNP_UNION_MEMBER",
    `${field.path} is not the active member of its union: that is ${instead}. Ask which() before, or set or init ${field.name}.`,
  );
};
