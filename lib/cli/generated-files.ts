import { type GeneratedFile, type GeneratedForm, generate } from "../codegen/generate.ts";
import type { CompiledSchema } from "../schema/node.ts";
import { packageVersion } from "./version.ts";

/** The forms of generated code that the command line knows: TypeScript, JavaScript, or types only. */
export type Form = "ts" | "js" | "dts";

const parts: Readonly<Record<Form, readonly GeneratedForm[]>> = { ts: ["ts"], js: ["js"], dts: ["dts", "hook"] };

/** The generated files of all requested files. */
export function generatedFiles(schema: CompiledSchema, forms: readonly Form[]): GeneratedFile[] {
  const generator = `capstan ${packageVersion()}`;
  return forms.flatMap((form) => parts[form]).flatMap((form) => generate(schema, { form, generator }));
}
