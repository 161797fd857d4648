import {
  followPointer,
  resolveAnyList,
  resolveCapability,
  resolveStruct,
  target,
} from "../../lib/serialization/resolve-pointer.ts";
import type { Segment } from "../../lib/serialization/segment.ts";
import { elementBits, elementSize, listKind, structKind } from "../../lib/serialization/wire-pointer.ts";
import { AnyPointerReader } from "../../lib/schema/any-pointer.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import type { SchemaType, StructSchema } from "../../lib/schema/schema.ts";
import type { StructBase } from "../../lib/schema/struct-base.ts";

/**
 * Plain objects as text, as test/interop/cpp/message-dump.h writes the same values from C++'s dynamic API. The notation is
 * told there.
 */
export const dumpOf = (struct: StructBase): string => dumpStruct(toObject(struct) as Plain, struct.$schema);

type Plain = Readonly<Record<string, unknown>>;

const dumpStruct = (object: Plain, schema: StructSchema): string => {
  let out = "(";
  for (const { name, index, type } of schema.fields) {
    if (Object.hasOwn(object, name)) out += `${index}=${dumpValue(object[name], type)};`;
  }
  return `${out})`;
};

const bits = new DataView(new ArrayBuffer(8));

const dumpFloat = (value: number, bytes: 4 | 8): string => {
  if (Number.isNaN(value)) return "nan";
  if (bytes === 4) bits.setFloat32(0, value);
  else bits.setFloat64(0, value);
  return (bytes === 4 ? bits.getUint32(0) : bits.getBigUint64(0)).toString(16).padStart(bytes * 2, "0");
};

const dumpValue = (value: unknown, type: SchemaType): string => {
  if (value === null) return type.which === "void" ? "v" : "null";
  switch (type.which) {
    case "bool":
      return value === true ? "t" : "f";
    case "float32":
      return dumpFloat(value as number, 4);
    case "float64":
      return dumpFloat(value as number, 8);
    case "enum":
      return String(typeof value === "string" ? type.schema.ordinal(value) : value);
    case "text":
      return `T${Buffer.byteLength(value as string)}:${value}`;
    case "data":
      return `D${hex(value as Uint8Array)}`;
    case "list": {
      let out = "[";
      for (const element of value as unknown[]) out += `${dumpValue(element, type.elementType)},`;
      return `${out}]`;
    }
    case "struct":
      return dumpStruct(value as Plain, type.schema);
    case "interface":
      return "cap";
    case "anyPointer": {
      if (!(value instanceof AnyPointerReader)) return "cap";
      return dumpUntyped(value.$segment, value.$position, value.$depth);
    }
    default:
      return String(value);
  }
};

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");

/** What a pointer of no known type leads to. */
const dumpUntyped = (segment: Segment, position: number, depth: number): string => {
  if (!followPointer(segment, position)) return "null";
  switch (target.low & 3) {
    case structKind: {
      resolveStruct(segment, position, depth);
      return dumpPlace(target.segment, target.start, target.dataBytes, target.pointerCount, depth - 1);
    }
    case listKind:
      resolveAnyList(segment, position, depth);
      return dumpTargetList(depth - 1);
    default:
      resolveCapability(segment, position);
      return "cap";
  }
};

const dumpPlace = (segment: Segment, start: number, dataBytes: number, pointerCount: number, depth: number): string => {
  let out = `S${hex(segment.bytes.subarray(start, start + dataBytes))}|`;
  for (let i = 0; i < pointerCount; i++) out += `${dumpUntyped(segment, start + dataBytes + i * 8, depth)},`;
  return `${out};`;
};

const dumpTargetList = (depth: number): string => {
  const { segment, start, length, size, stepBits, dataBytes, pointerCount } = target;
  let out = `L${size}:${length}:`;
  switch (size) {
    case elementSize.empty:
      break;
    case elementSize.bit:
      for (let i = 0; i < length; i++) {
        out += ((segment.bytes[start + (i >>> 3)] as number) >>> (i & 7)) & 1 ? "t" : "f";
      }
      break;
    case elementSize.pointer:
      for (let i = 0; i < length; i++) out += `${dumpUntyped(segment, start + i * 8, depth)},`;
      break;
    case elementSize.inlineComposite:
      for (let i = 0; i < length; i++) {
        out += dumpPlace(segment, start + (i * stepBits) / 8, dataBytes, pointerCount, depth);
      }
      break;
    default:
      out += hex(segment.bytes.subarray(start, start + (length * (elementBits[size] as number)) / 8));
  }
  return `${out};`;
};
