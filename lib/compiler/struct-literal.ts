import type { Field, StructBody, Value } from "../schema/node.ts";
import { dataLgSizes, dataLiteral, imageOf, isDataType, type LiteralValue, writeData } from "./literal-value.ts";
import type { StructImage } from "./value-image.ts";

/** Sets one field of a struct or group: the union's tag too, and data XORed with the field's default. */
export function setField(image: StructImage, struct: StructBody, field: Field, literal: LiteralValue): void {
  activate(image, struct, field);
  if (field.body.which !== "slot") return;
  const { type, offset, defaultValue } = field.body;
  if (!isDataType(type.which)) {
    if (type.which !== "void") image.pointers[offset] = imageOf(literal);
    return;
  }
  const lgSize = dataLgSizes[type.which]!;
  writeData(image.data, offset, type.which, literal);
  if (lgSize === 0) {
    if (defaultValue.which === "bool" && defaultValue.value) {
      const byte = image.data.getUint8(offset >>> 3);
      image.data.setUint8(offset >>> 3, byte ^ (1 << (offset & 7)));
    }
    return;
  }
  const mask = defaultBytes(defaultValue, lgSize);
  const start = offset * mask.length;
  for (const [i, byte] of mask.entries()) image.data.setUint8(start + i, image.data.getUint8(start + i) ^ byte);
}

function defaultBytes(value: Value, lgSize: number): Uint8Array {
  const bytes = new Uint8Array(1 << (lgSize - 3));
  if (isDataType(value.which)) writeData(new DataView(bytes.buffer), 0, value.which, dataLiteral(value));
  return bytes;
}

/** Makes `field` the active one of its union, where it is in one. */
export function activate(image: StructImage, struct: StructBody, field: Field): void {
  if (field.discriminantValue === 0xffff) return;
  image.data.setUint16(struct.discriminantOffset * 2, field.discriminantValue, true);
}

/** Puts all fields of a group back to their defaults; of a union inside it, the first member becomes active. */
export function clearGroup(image: StructImage, group: StructBody, groupOf: (field: Field) => StructBody): void {
  for (const field of group.fields) {
    if (field.discriminantValue !== 0xffff && field.discriminantValue !== 0) continue;
    activate(image, group, field);
    if (field.body.which === "group") {
      clearGroup(image, groupOf(field), groupOf);
      continue;
    }
    const { type, offset } = field.body;
    if (!isDataType(type.which)) {
      if (type.which !== "void") image.pointers[offset] = undefined;
      continue;
    }
    const lgSize = dataLgSizes[type.which]!;
    if (lgSize === 0) {
      image.data.setUint8(offset >>> 3, image.data.getUint8(offset >>> 3) & ~(1 << (offset & 7)));
    } else {
      const size = 1 << (lgSize - 3);
      for (let i = 0; i < size; i++) image.data.setUint8(offset * size + i, 0);
    }
  }
}
