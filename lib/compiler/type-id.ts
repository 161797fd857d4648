import { md5Prefix } from "./md5.ts";

/** Every id of the schema language has this bit set. */
export const idFlag = 1n << 63n;

const encoder = new TextEncoder();

function derive(parentId: bigint, suffix: Uint8Array): bigint {
  const bytes = new Uint8Array(8 + suffix.length);
  new DataView(bytes.buffer).setBigUint64(0, parentId, true);
  bytes.set(suffix, 8);
  return md5Prefix(bytes) | idFlag;
}

/** The id of a declaration that states none: from its parent's id and its own name. */
export function childId(parentId: bigint, name: string): bigint {
  return derive(parentId, encoder.encode(name));
}

/** The id of a group or named union: from its parent's id and its index among the parent's fields. */
export function groupId(parentId: bigint, index: number): bigint {
  return derive(parentId, Uint8Array.of(index & 0xff, (index >>> 8) & 0xff));
}

/** The id of the struct behind a method's inline parameters or results. */
export function methodStructId(interfaceId: bigint, ordinal: number, isResults: boolean): bigint {
  return derive(interfaceId, Uint8Array.of(ordinal & 0xff, (ordinal >>> 8) & 0xff, isResults ? 1 : 0));
}
