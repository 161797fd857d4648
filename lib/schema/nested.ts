import type { Schema, StructSchema } from "./schema.ts";

const complete = new WeakSet<object>();

/**
 * Defines what is declared within a file, struct or interface as properties of the object that stands for it. Each value
 * is made when it is first read. Calling it again for the same object does nothing.
 */
export const defineNested = <T extends object>(target: T, schema: Schema): T => {
  if (complete.has(target)) return target;
  complete.add(target);
  for (const { name } of schema.node.nestedNodes) {
    // Ours win here, unlike in readers and builders: Person.Reader stays what it is, Person.Reader_ is the other.
    const key = name in target ? `${name}_` : name;
    Object.defineProperty(target, key, {
      enumerable: true,
      configurable: true,
      get() {
        const nested = schema.nested(name);
        const value = nested === undefined ? undefined : schema.universe.declare(nested);
        Object.defineProperty(target, key, { value, enumerable: true, configurable: true });
        return value;
      },
    });
  }
  if (schema.which === "struct") defineUnions(target, schema);
  return target;
};

const nameGroup = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1);

/**
 * The members of a struct's unions by their names, as an enum has its enumerants: `Person.Employment.school` is "school", for
 * `init`, `is` and `which`. `Union` has those of the unnamed union. What is declared in the schema under such a name wins.
 */
const defineUnions = (target: object, schema: StructSchema): void => {
  const define = (key: string, union: () => StructSchema): void => {
    if (key in target) return;
    Object.defineProperty(target, key, {
      configurable: true,
      get() {
        const value = memberNames(union());
        Object.defineProperty(target, key, { value, configurable: true });
        return value;
      },
    });
  };
  if (schema.body.discriminantCount > 0) define("Union", () => schema);
  for (const field of schema.fields) {
    if (!field.isGroup) continue;
    define(nameGroup(field.name), () => (field.type as { readonly schema: StructSchema }).schema);
  }
};

const memberNames = (union: StructSchema): Readonly<Record<string, string>> => {
  const names = Object.create(null) as Record<string, string>;
  for (const { name } of union.unionFields) Object.defineProperty(names, name, { value: name, enumerable: true });
  return Object.freeze(names);
};
