import { initStruct, zeroPointer } from "../serialization/pointer-builder.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { replaceStruct } from "../serialization/replace.ts";
import { target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { Segment } from "../serialization/segment.ts";
import { readStruct } from "../serialization/struct.ts";
import { getStruct } from "../serialization/upgrade.ts";
import { assertSameType, assign, isFieldsObject } from "./assign.ts";
import type { StructSchema } from "./schema.ts";
import { StructBase, type StructBuilder } from "./struct-base.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

/** A pointer to a struct. `defaultValue` is a segment whose word 0 points to it. */
export const structKind = (schema: StructSchema, defaultValue?: Segment): PointerKind => {
  const { Reader, Builder, dataBytes, pointerCount } = schema.structClass;
  const init = (segment: Segment, position: number): StructBuilder => {
    initStruct(segment, position, dataBytes, pointerCount);
    return new Builder(target.segment, target.start, dataBytes, pointerCount, unlimitedNesting);
  };
  const get = (segment: Segment, position: number): StructBuilder => {
    getStruct(segment, position, dataBytes, pointerCount, defaultValue);
    return new Builder(target.segment, target.start, target.dataBytes, target.pointerCount, unlimitedNesting);
  };
  return {
    read: (segment, position, depth) => readStruct(Reader, segment, position, depth, defaultValue),
    get,
    set: (segment, position, value, where, fresh) => {
      if (value instanceof StructBase) {
        assertSameType({ $schema: schema }, value);
        replaceStruct(segment, position, value);
      } else if (isFieldsObject(value)) {
        assign(fresh ? init(segment, position) : get(segment, position), value);
      } else if (value === null || value === undefined) zeroPointer(segment, position);
      else throw wrongType(where, `an object with the fields of ${schema.path}, or a reader or builder of it`, value);
    },
    init,
  };
};
