import type { Schema } from "./schema.ts";

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
  return target;
};
