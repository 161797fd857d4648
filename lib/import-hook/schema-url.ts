import { fileURLToPath } from "node:url";

/** The path of the schema file that a module's URL names; undefined where it names something else. */
export function schemaPathOf(url: string): string | undefined {
  if (!url.startsWith("file:")) return undefined;
  const { protocol, pathname } = new URL(url);
  return pathname.endsWith(".capnp") ? fileURLToPath(`${protocol}//${pathname}`) : undefined;
}

/** The module of this library that the text of an imported schema calls: the door of all generated modules. */
export const runtimeUrl = new URL("../generated/v1.js", import.meta.url).href;
