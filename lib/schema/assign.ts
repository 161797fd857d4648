import { CapnpError } from "../errors.ts";
import { overwriteStruct } from "../serialization/replace.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { FieldAccess } from "./field-access.ts";
import { noSuchField } from "./schema.ts";
import { StructBase, type StructBuilder, StructReader } from "./struct-base.ts";

/** Whether a value can be merged into a struct field by field: an object with names, not a sequence, not bytes. */
export const isFieldsObject = (value: unknown): value is Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) return false;
  // The common case; looking a symbol up in objects of many shapes is slow.
  if (Object.getPrototypeOf(value) === Object.prototype) return true;
  return !(value instanceof StructBase) && !ArrayBuffer.isView(value) && !(Symbol.iterator in value);
};

/**
 * Merges a plain object into a builder, or copies a reader or builder of the same type over it. A member that is undefined
 * is left out, except of type Void.
 */
export const assign = (builder: StructBuilder, value: unknown): void => {
  if (isFieldsObject(value)) assignFields(builder, value);
  else if (value instanceof StructBase) {
    assertSameType(builder, value);
    if (builder.$schema.isGroup) copyFields(builder, value);
    else overwriteStruct(builder, value);
  } else throw wrongType(builder.$schema.path, "an object with its fields, or a reader or builder of it", value);
};

const { hasOwnProperty: isOwn } = Object.prototype;

/**
 * Objects of one type tend to have the same members in the same order: what stood at each place last time is tried before the
 * name is looked up. `for...in`, as V8 then reads the member by its place, too; that is also why `value[name]` is not
 * taken out of the loop.
 */
const assignFields = (builder: StructBuilder, value: Readonly<Record<string, unknown>>): void => {
  const { $fields: fields, $order: order } = builder;
  let place = 0;
  for (const name in value) {
    if (!isOwn.call(value, name)) continue;
    const member = value[name];
    let access = order[place];
    if (access === undefined || access.schema.name !== name) {
      access = fields.get(name);
      if (access === undefined) throw noSuchField(builder.$schema, name);
      order[place] = access;
    }
    if (member !== undefined || access.schema.type.which === "void") access.set.call(builder, member);
    place++;
  }
};

export const assertSameType = (to: { readonly $schema: StructBase["$schema"] }, from: StructBase): void => {
  const [wanted, given] = [to.$schema, from.$schema];
  if (wanted === given || (wanted.id === given.id && wanted.universe === given.universe)) return;
  const why = wanted.id === given.id ? " of another parser or loader: load the schema once, and use one of them" : "";
  throw new CapnpError("CAPNP_TYPE", `${wanted.path} cannot be set to a ${given.path}${why}.`);
};

/** A group shares its struct's sections with other fields, so that only its own fields can be copied, one by one. */
const copyFields = (to: StructBuilder, from: StructBase): void => {
  if (to.$segment === from.$segment && to.$data === from.$data) return;
  const active = activeMember(from);
  for (const access of from.$fields.values()) {
    if (access.schema.isUnionMember && access !== active) continue;
    const target = to.$fields.get(access.schema.name) as FieldAccess;
    const set = access.has.call(from);
    if (set) target.set.call(to, (from instanceof StructReader ? access.read : access.get).call(from));
    else if (access.schema.isUnionMember) target.set.call(to, null);
    else target.clear.call(to);
  }
};

/** The value of a union's tag; 0 where the message is too old to have one. */
export const discriminantOf = (struct: StructBase): number => {
  const tag = struct.$tag;
  return tag + 2 <= struct.$dataBytes ? struct.$segment.view.getUint16(struct.$data + tag, true) : 0;
};

/** The active member of a struct's unnamed union; undefined where there is no union. */
const activeMember = (struct: StructBase): FieldAccess | undefined => {
  if (struct.$tag < 0) return undefined;
  const discriminant = discriminantOf(struct);
  const active = struct.$union[discriminant];
  if (active === undefined) {
    throw new CapnpError(
      "CAPNP_UNION_MEMBER",
      `The union of ${struct.$schema.path} holds member ${discriminant}, which this schema does not know: it cannot be copied by itself.`,
    );
  }
  return active;
};
