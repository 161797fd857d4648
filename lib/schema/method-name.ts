import type { InterfaceSchema } from "./schema.ts";

/** Interfaces whose classes were defined, for as long as anybody else needs them. */
const defined = new Map<bigint, WeakRef<InterfaceSchema>>();

/** Makes the names of an interface's methods known. Of several versions of one interface the last counts. */
export const knowMethods = (schema: InterfaceSchema): void => {
  defined.set(schema.id, new WeakRef(schema));
};

/** What people call a method, by its ids: `Calculator.evaluate`. Undefined where no class of the interface was defined. */
export const methodName = (interfaceId: bigint, methodId: number): string | undefined => {
  const schema = defined.get(interfaceId)?.deref();
  const method = schema?.methods[methodId];
  return schema === undefined || method === undefined ? undefined : `${schema.name}.${method.name}`;
};
