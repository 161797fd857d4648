import type { Annotation } from "./node.ts";

/** Id of the annotation `name` of /capstan/typescript.capnp. */
const nameId = 0xf484c469141ff118n;

/** What a field or method is called in TypeScript and JavaScript: its own name, unless an annotation renames it. */
export const typescriptName = (name: string, annotations: readonly Annotation[]): string => {
  const value = annotations.find(({ id }) => id === nameId)?.value;
  return value?.which === "text" && value.value !== "" ? value.value : name;
};
