import type { InterfaceSchema } from "./schema.ts";

/** Interfaces whose classes were defined, for as long as anybody else needs them. */
const defined = new Map<bigint, WeakRef<InterfaceSchema>>();

/** Makes the names of an interface's methods known. Of several versions of one interface the last counts. */
export const knowMethods = (schema: InterfaceSchema): void => {
  defined.set(schema.id, new WeakRef(schema));
};

/** The schema of an interface whose class was defined; undefined for others. */
export const schemaOf = (interfaceId: bigint): InterfaceSchema | undefined => defined.get(interfaceId)?.deref();

/** What people call a method, by its ids: `Calculator.evaluate`. Undefined where no class of the interface was defined. */
export const methodName = (interfaceId: bigint, methodId: number): string | undefined => {
  const schema = schemaOf(interfaceId);
  const method = schema?.methods[methodId];
  return schema === undefined || method === undefined ? undefined : `${schema.name}.${method.name}`;
};
