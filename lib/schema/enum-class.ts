import { CapnpError } from "../errors.ts";
import { wrongType } from "../serialization/scalar.ts";
import { nearestName } from "./nearest-name.ts";
import type { EnumSchema } from "./schema.ts";

/** An enum at run time: its names by themselves, so that `Type.mobile` is "mobile". It has no other properties. */
export type EnumClass = Readonly<Record<string, string>>;

const classes = new WeakMap<EnumSchema, EnumClass>();
const schemas = new WeakMap<object, EnumSchema>();

export const enumClassOf = (schema: EnumSchema): EnumClass => {
  let made = classes.get(schema);
  if (made === undefined) {
    const names = Object.create(null) as Record<string, string>;
    for (const name of schema.names) Object.defineProperty(names, name, { value: name, enumerable: true });
    made = Object.freeze(names);
    classes.set(schema, made);
    schemas.set(made, schema);
  }
  return made;
};

/** The schema behind what {@link enumClassOf} made; undefined for other values. */
export const enumSchemaOf = (value: unknown): EnumSchema | undefined =>
  typeof value === "object" && value !== null ? schemas.get(value) : undefined;

/** The number of an enumerant given by name, or by number where the schema may be older than the value. */
export const checkEnum = (schema: EnumSchema, value: unknown, where: string): number => {
  if (typeof value === "string") {
    const ordinal = schema.ordinal(value);
    if (ordinal !== undefined) return ordinal;
    const nearest = nearestName(value, schema.names);
    const hint = nearest === undefined ? "" : ` Did you mean ${JSON.stringify(nearest)}?`;
    throw new CapnpError(
      "CAPNP_NO_SUCH_ENUMERANT",
      `${where}: the enum ${schema.path} has no enumerant ${JSON.stringify(value)}.${hint}`,
    );
  }
  if (typeof value !== "number") throw wrongType(where, `the name of an enumerant of ${schema.path}`, value);
  if (!Number.isInteger(value) || value < 0 || value > 0xffff) {
    throw new CapnpError("CAPNP_RANGE", `${where}: enumerants are numbered from 0 to 65535; ${value} is none of them.`);
  }
  return value;
};
