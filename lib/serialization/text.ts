import { CapnpError } from "../errors.ts";
import { decodeText } from "./blob.ts";
import { resolveBytes, target } from "./resolve-pointer.ts";
import type { Segment } from "./segment.ts";

/** Reads Text; `defaultValue` where the pointer is null. */
export const readText = (segment: Segment, position: number, defaultValue: string): string => {
  if (!resolveBytes(segment, position, "Text")) return defaultValue;
  const { bytes } = target.segment;
  const end = target.start + target.length - 1;
  if (target.length === 0 || bytes[end] !== 0) {
    throw new CapnpError("CAPNP_TEXT", `Message contains text of ${target.length} bytes that is not NUL-terminated.`);
  }
  return decodeText(bytes, target.start, end);
};

/** Reads Data as a view of the message, not a copy; undefined where the pointer is null. */
export const readData = (segment: Segment, position: number): Uint8Array | undefined => {
  if (!resolveBytes(segment, position, "Data")) return undefined;
  return target.segment.expose(target.start, target.length);
};
