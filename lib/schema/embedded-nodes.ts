import { pack, unpack } from "../serialization/packed.ts";
import type { Node } from "./node.ts";
import { decodeCompiledSchema, encodeCompiledSchema } from "./node-codec.ts";

/** Nodes as text, for generated code: a packed CodeGeneratorRequest in base64. */
export const embedNodes = (nodes: readonly Node[]): string => {
  const bytes = pack(encodeCompiledSchema({ nodes, sourceInfo: [], requestedFiles: [] }));
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
};

/** The inverse. White space in the text does not count. */
export const embeddedNodes = (text: string): readonly Node[] => {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  return decodeCompiledSchema(unpack(bytes)).nodes;
};
