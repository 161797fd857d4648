import { CapnpError } from "../../lib/errors.ts";
import type { SchemaLoader } from "../../lib/schema/loader.ts";
import { get } from "../../lib/schema/operations.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import type { FieldSchema, InterfaceSchema, Schema, StructSchema } from "../../lib/schema/schema.ts";
import { toText } from "../../lib/schema/text.ts";
import type { Loose } from "./loose.ts";
import { readAs, segmentsOf } from "./messages.ts";

/** Runs what may fail with a CapnpError, and with nothing else; true where it did not fail. */
export const attempt = (action: () => unknown): boolean => {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof CapnpError) return false;
    throw error;
  }
};

const useAnnotations = (of: { annotations: Schema["annotations"]; annotation(id: bigint): unknown }): void => {
  for (const { id } of of.annotations) attempt(() => of.annotation(id));
};

const useField = (struct: Loose, field: FieldSchema): void => {
  attempt(() => field.type);
  attempt(() => get(struct, field));
  useAnnotations(field);
};

const useStruct = (schema: StructSchema): void => {
  const made = schema.structClass.newMessage() as Loose;
  for (const field of schema.fields) {
    useField(made, field);
    attempt(() => made.init(field.name, 1));
    attempt(() => made.set(field.name, get(made, field)));
  }
  // As it arrives: with a reader's limits.
  const arrived = readAs(schema.structClass, segmentsOf(schema.structClass.newMessage()));
  attempt(() => toObject(arrived, { defaults: true }));
  attempt(() => toText(arrived));
  attempt(() => JSON.stringify(arrived));
};

const useInterface = (schema: InterfaceSchema): void => {
  attempt(() => schema.interfaceClass);
  for (const method of [...schema.allMethods.values()].slice(0, 100)) {
    attempt(() => method.params.structClass);
    attempt(() => method.results.structClass);
    useAnnotations(method);
  }
};

/** Does with everything that is loaded what a program may do with it, as one that trusts no schema. */
export const useSchemas = (loader: SchemaLoader): void => {
  for (const { id } of loader.nodes()) {
    attempt(() => {
      const schema = loader.get(id);
      useAnnotations(schema);
      if (schema.which === "struct") useStruct(schema);
      else if (schema.which === "interface") useInterface(schema);
      const declared = loader.declare(schema);
      if (typeof declared === "object" && declared !== null && schema.which === "file") {
        for (const name of Object.keys(declared)) attempt(() => (declared as Loose)[name]);
      }
      schema.nodeReader().toString();
    });
  }
};
