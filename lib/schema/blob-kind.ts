import { CapnpError } from "../errors.ts";
import { initData, setText, zeroPointer } from "../serialization/pointer-builder.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { replaceData } from "../serialization/replace.ts";
import { target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import { readData, readText } from "../serialization/text.ts";

/** Text: a string. */
export const textKind = (defaultValue = ""): PointerKind => ({
  read: (segment, position) => readText(segment, position, defaultValue),
  get: (segment, position) => readText(segment, position, defaultValue),
  set: setText,
  init: (_segment, _position, _count, where) => {
    throw new CapnpError("CAPNP_TYPE", `${where} is Text, which is not initialised but assigned: set it to a string.`);
  },
});

/** Bytes as a caller may pass them. */
const toBytes = (value: unknown): Uint8Array | undefined => {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return undefined;
};

/** Data: a Uint8Array, which is a view of the message where it is read. */
export const dataKind = (defaultValue?: Uint8Array): PointerKind => {
  // A copy each time: the caller may write to what it gets.
  const fallback = () => (defaultValue === undefined ? new Uint8Array(0) : defaultValue.slice());
  return {
    read: (segment, position) => readData(segment, position) ?? fallback(),
    get: (segment, position) => readData(segment, position) ?? fallback(),
    set: (segment, position, value, where) => {
      const bytes = toBytes(value);
      if (bytes !== undefined) replaceData(segment, position, bytes);
      else if (value === null || value === undefined) zeroPointer(segment, position);
      else throw wrongType(where, "a Uint8Array (Data)", value);
    },
    init: (segment, position, count, where) => {
      if (count === undefined) throw new CapnpError("CAPNP_TYPE", `${where} is Data: init needs its length in bytes.`);
      initData(segment, position, count);
      return target.segment.expose(target.start, count);
    },
  };
};
