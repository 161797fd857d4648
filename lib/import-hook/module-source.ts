import { CapnpError } from "../errors.ts";
import { embedNodes } from "../schema/embedded-nodes.ts";
import type { CompiledSchema } from "../schema/node.ts";

const isIdentifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** A name as it stands after `as` in an export: any identifier, reserved or not, as it is, else as a string. */
const exportName = (name: string): string => (isIdentifier.test(name) ? name : JSON.stringify(name));

/**
 * The JavaScript module that stands for a schema file: an export for each declaration, and by default an object with all
 * of them. `runtime` is the specifier of the door of generated modules, capstan/generated/v1.
 *
 * A constant called `default` is only to be found in that object.
 */
export function moduleSource({ nodes, requestedFiles }: CompiledSchema, runtime: string): string {
  const file = nodes.find(({ id }) => id === requestedFiles[0]?.id);
  if (file === undefined) throw new CapnpError("CAPNP_SCHEMA", "The compiler returned no file.");
  const names = file.nestedNodes.map(({ name }) => name).filter((name) => name !== "default");
  const lines = [
    `import { load } from ${JSON.stringify(runtime)};`,
    `const file = load(0x${file.id.toString(16)}n, "${embedNodes(nodes)}");`,
    ...names.map((name, index) => `const _${index} = file[${JSON.stringify(name)}];`),
    ...names.map((name, index) => `export { _${index} as ${exportName(name)} };`),
    "export default file;",
  ];
  return `${lines.join("\n")}\n`;
}
