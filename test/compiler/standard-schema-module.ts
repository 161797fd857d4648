import { readFileSync } from "node:fs";
import { join } from "node:path";
import { schemasIn, standardFolder } from "./golden.ts";

const escapeTemplate = (text: string): string => text.replace(/[\\`]|\$\{/g, "\\$&").replaceAll("\n", "\\n");

/** What lib/std/schema-texts.ts must say, made from the .capnp files beside it. */
export function standardSchemaModule(): string {
  const entries = schemasIn(standardFolder).map((file) => {
    const text = readFileSync(join(standardFolder, file), "utf8");
    return `  "/${file}": \`${escapeTemplate(text)}\`,\n`;
  });
  return `// Made from the .capnp files in this folder by test/compiler/regenerate.ts; a test holds the two equal.

/** The text of each standard schema, by the path that it is imported under. */
export const schemaTexts: Readonly<Record<string, string>> = {
${entries.join("")}};
`;
}
