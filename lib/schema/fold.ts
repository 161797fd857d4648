import type { Arena } from "../serialization/arena.ts";
import { nestingLimitExceeded } from "../serialization/read-limiter.ts";
import {
  followPointer,
  resolveCapability,
  resolveList,
  resolveStruct,
  target,
} from "../serialization/resolve-pointer.ts";
import {
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  type ScalarKind,
  uint16,
  uint32,
  uint64,
  uint8,
} from "../serialization/scalar.ts";
import { Segment } from "../serialization/segment.ts";
import { Struct } from "../serialization/struct.ts";
import { readData, readText } from "../serialization/text.ts";
import { elementSize, otherKind } from "../serialization/wire-pointer.ts";
import {
  chargeBytes,
  chargeElements,
  chargeStruct,
  chargeWords,
  defaultsPayer,
  printedValuesPerWord,
} from "./conversion-cost.ts";
import type { PrimitiveTypeName, Value } from "./node.ts";
import type { EnumSchema, FieldSchema, SchemaType, StructSchema } from "./schema.ts";

/**
 * What becomes of each kind of value when a message is turned into something else, such as text or JSON, after its schema.
 * The message may be hostile: it is read with its limits, and as every level of values is one of pointers or of groups, the
 * depth of the recursion is limited with them.
 */
export interface Fold<T> {
  void(): T;
  bool(value: boolean): T;
  integer(value: number | bigint): T;
  float(value: number, type: "float32" | "float64"): T;
  text(value: string): T;
  /** @param value A view of the message. */
  data(value: Uint8Array): T;
  /** @param ordinal May be one that the schema does not know. */
  enumerant(schema: EnumSchema, ordinal: number): T;
  list(elements: T[]): T;
  struct(members: readonly Member[], schema: StructSchema): T;
  capability(isNull: boolean): T;
  anyPointer(isNull: boolean): T;
}

/** A field of one struct that has something to say there. */
export interface Member {
  readonly field: FieldSchema;
  /** True for a pointer that is null: what is read is the default value. */
  readonly isNull: boolean;
  fold<T>(fold: Fold<T>): T;
}

/**
 * Folds a struct. Its members are all fields but null pointers, in order of ordinals. Of the unnamed union that is the active
 * member only, which is given even where it is null.
 */
export const foldStruct = <T>(struct: Struct, schema: StructSchema, fold: Fold<T>): T =>
  fold.struct(membersOf(struct, schema), schema);

/** The active member of the struct's unnamed union; undefined where it has none, or a newer schema's member is active. */
const activeMember = (struct: Struct, schema: StructSchema): FieldSchema | undefined => {
  const { discriminantCount, discriminantOffset } = schema.body;
  if (discriminantCount === 0) return undefined;
  const at = discriminantOffset * 2;
  const tag = at + 2 <= struct.$dataBytes ? struct.$segment.view.getUint16(struct.$data + at, true) : 0;
  return schema.fields.find((field) => field.discriminantValue === tag);
};

const membersOf = (struct: Struct, schema: StructSchema): Member[] => {
  const { $dataBytes: dataBytes, $pointerCount: pointerCount } = struct;
  const { arena } = struct.$segment;
  if (schema.isGroup) chargeStruct(arena, schema.fields.length, 0, 0, printedValuesPerWord);
  else chargeStruct(arena, schema.fields.length, dataBytes, pointerCount, printedValuesPerWord);
  const active = activeMember(struct, schema);
  const members: Member[] = [];
  for (const field of schema.fields) {
    if (field.isUnionMember && field !== active) continue;
    const isNull = isNullPointer(struct, field);
    if (isNull && field !== active) continue;
    members.push({ field, isNull, fold: (fold) => foldField(struct, field, fold) });
  }
  return members;
};

const isNullPointer = (struct: Struct, field: FieldSchema): boolean => {
  const { offset, type } = field;
  if (offset === undefined || !isPointer(type)) return false;
  const position = pointerAt(struct, offset);
  return position < 0 || !followPointer(struct.$segment, position);
};

const isPointer = ({ which }: SchemaType): boolean =>
  which === "text" ||
  which === "data" ||
  which === "list" ||
  which === "struct" ||
  which === "interface" ||
  which === "anyPointer";

/** -1 where the struct has no such pointer: it was written with an older schema. */
const pointerAt = (struct: Struct, offset: number): number =>
  offset < struct.$pointerCount ? struct.$data + struct.$dataBytes + offset * 8 : -1;

const foldField = <T>(struct: Struct, field: FieldSchema, fold: Fold<T>): T => {
  const { offset, type, defaultValue } = field;
  if (offset === undefined) {
    // A group lies where its struct lies.
    return foldStruct(struct, (type as { schema: StructSchema }).schema, fold);
  }
  if (isPointer(type)) {
    const position = pointerAt(struct, offset);
    if (position >= 0 && followPointer(struct.$segment, position)) {
      return foldPointer(struct.$segment, position, type, struct.$depth, fold);
    }
    return foldDefault(struct, type, defaultValue, fold);
  }
  return foldScalar(struct, offset, type, defaultValue, fold);
};

const nothing = new Uint8Array(0);

const scalars: Readonly<Partial<Record<PrimitiveTypeName, ScalarKind<number> | ScalarKind<bigint>>>> = {
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
};

const foldScalar = <T>(
  struct: Struct,
  offset: number,
  type: SchemaType,
  defaultValue: Value | undefined,
  fold: Fold<T>,
): T => {
  const start = struct.$data;
  const { bytes, view } = struct.$segment;
  const initial = defaultValue !== undefined && "value" in defaultValue ? defaultValue.value : undefined;
  switch (type.which) {
    case "void":
      return fold.void();
    case "bool": {
      const bit =
        offset < struct.$dataBytes * 8 && (((bytes[start + (offset >>> 3)] as number) >>> (offset & 7)) & 1) === 1;
      return fold.bool(bit !== (initial === true));
    }
    case "enum": {
      const mask = typeof initial === "number" ? initial : 0;
      const stored = (offset + 1) * 2 <= struct.$dataBytes ? view.getUint16(start + offset * 2, true) : 0;
      return fold.enumerant(type.schema, stored ^ mask);
    }
    default: {
      const kind = scalars[type.which as PrimitiveTypeName] as ScalarKind<number | bigint>;
      const mask = typeof initial === "number" || typeof initial === "bigint" ? initial : kind.zero;
      const at = offset * kind.bytes;
      const value = at + kind.bytes <= struct.$dataBytes ? kind.readMasked(view, start + at, mask) : mask;
      return foldNumber(value, type.which, fold);
    }
  }
};

const foldNumber = <T>(value: number | bigint, which: SchemaType["which"], fold: Fold<T>): T =>
  which === "float32" || which === "float64" ? fold.float(value as number, which) : fold.integer(value);

/** The budget that default values are folded with: that of the message with the struct, where it has one. */
const payerOf = ({ $segment: { arena } }: Struct): Arena =>
  Number.isFinite(arena.traversalLeft) ? arena : defaultsPayer();

/** Folds what a null pointer of a struct reads as. */
const foldDefault = <T>(struct: Struct, type: SchemaType, defaultValue: Value | undefined, fold: Fold<T>): T => {
  const payer = payerOf(struct);
  const depth = payer === struct.$segment.arena ? struct.$depth : payer.nestingLimit;
  switch (type.which) {
    case "text": {
      const value = defaultValue?.which === "text" ? defaultValue.value : "";
      chargeBytes(payer, value.length, true);
      return fold.text(value);
    }
    case "data": {
      const value = defaultValue?.which === "data" ? defaultValue.value : nothing;
      chargeBytes(payer, value.length, true);
      return fold.data(value);
    }
    case "interface":
      return fold.capability(true);
    default: {
      if (defaultValue !== undefined && "value" in defaultValue && defaultValue.value instanceof Uint8Array) {
        const segment = new Segment(payer, 0, defaultValue.value, defaultValue.value.length);
        if (segment.end >= 8 && followPointer(segment, 0)) return foldPointer(segment, 0, type, depth, fold);
      }
      return foldNull(payer, type, depth, fold);
    }
  }
};

const foldNull = <T>(payer: Arena, type: SchemaType, depth: number, fold: Fold<T>): T => {
  switch (type.which) {
    case "text":
      return fold.text("");
    case "data":
      return fold.data(new Uint8Array(0));
    case "list":
      return fold.list([]);
    case "struct":
      // A struct may have a member of its own type; its null pointer is folded only where it must be, as above.
      if (depth <= 0) throw nestingLimitExceeded();
      return foldStruct(new Struct(new Segment(payer, 0, nothing, 0), 0, 0, 0, depth - 1), type.schema, fold);
    case "interface":
      return fold.capability(true);
    default:
      return fold.anyPointer(true);
  }
};

/** Folds what the pointer at `position` leads to; an empty value where it is null. */
const foldPointer = <T>(segment: Segment, position: number, type: SchemaType, depth: number, fold: Fold<T>): T => {
  switch (type.which) {
    case "text": {
      const value = readText(segment, position, "");
      chargeBytes(segment.arena, value.length, false);
      return fold.text(value);
    }
    case "data": {
      const value = readData(segment, position) ?? nothing;
      chargeBytes(segment.arena, value.length, false);
      return fold.data(value);
    }
    case "list":
      return foldList(segment, position, type.elementType, depth, fold);
    case "struct":
      if (!resolveStruct(segment, position, depth)) return foldNull(segment.arena, type, depth, fold);
      return foldStruct(
        new Struct(target.segment, target.start, target.dataBytes, target.pointerCount, depth - 1),
        type.schema,
        fold,
      );
    case "interface":
      return fold.capability(resolveCapability(segment, position) < 0);
    case "anyPointer":
      if (!followPointer(segment, position)) return fold.anyPointer(true);
      if ((target.low & 3) === otherKind) resolveCapability(segment, position);
      return fold.anyPointer(false);
    default:
      return fold.void();
  }
};

const foldList = <T>(segment: Segment, position: number, type: SchemaType, depth: number, fold: Fold<T>): T => {
  if (!resolveList(segment, position, encodingOf(type), depth)) return fold.list([]);
  return foldElements(target, type, depth, fold);
};

/** Where the elements of a list lie. */
export interface Elements {
  readonly segment: Segment;
  readonly start: number;
  readonly length: number;
  readonly stepBits: number;
  readonly dataBytes: number;
  readonly pointerCount: number;
}

/** Folds a list. `depth` is that of the pointer to it. */
export const foldElements = <T>(list: Elements, type: SchemaType, depth: number, fold: Fold<T>): T => {
  const elements: T[] = [];
  const { segment: content, start, length, stepBits, dataBytes, pointerCount } = list;
  const step = stepBits / 8;
  chargeElements(content.arena, length, length * stepBits, printedValuesPerWord);
  switch (type.which) {
    case "void":
      for (let i = 0; i < length; i++) elements.push(fold.void());
      break;
    case "bool":
      for (let i = 0; i < length; i++) {
        elements.push(fold.bool((((content.bytes[start + (i >>> 3)] as number) >>> (i & 7)) & 1) === 1));
      }
      break;
    case "enum":
      for (let i = 0; i < length; i++) {
        elements.push(fold.enumerant(type.schema, content.view.getUint16(start + i * step, true)));
      }
      break;
    case "struct":
      if (step === 0 && length > 0) {
        const { arena } = content;
        const before = arena.traversalLeft;
        const element = foldStruct(new Struct(content, start, 0, 0, depth - 1), type.schema, fold);
        // All are alike, and each is written: what one has cost, the others cost again.
        if (Number.isFinite(before)) chargeWords(arena, (length - 1) * (before - arena.traversalLeft));
        for (let i = 0; i < length; i++) elements.push(element);
        break;
      }
      for (let i = 0; i < length; i++) {
        const element = new Struct(content, start + i * step, dataBytes, pointerCount, depth - 1);
        elements.push(foldStruct(element, type.schema, fold));
      }
      break;
    default: {
      const kind = scalars[type.which as PrimitiveTypeName] as ScalarKind<number | bigint> | undefined;
      for (let i = 0; i < length; i++) {
        const at = start + i * step;
        elements.push(
          kind === undefined
            ? foldPointer(content, at, type, depth - 1, fold)
            : foldNumber(kind.read(content.view, at), type.which, fold),
        );
      }
    }
  }
  return fold.list(elements);
};

const encodingOf = (type: SchemaType): number => {
  switch (type.which) {
    case "void":
      return elementSize.empty;
    case "bool":
      return elementSize.bit;
    case "int8":
    case "uint8":
      return elementSize.byte;
    case "int16":
    case "uint16":
    case "enum":
      return elementSize.twoBytes;
    case "int32":
    case "uint32":
    case "float32":
      return elementSize.fourBytes;
    case "int64":
    case "uint64":
    case "float64":
      return elementSize.eightBytes;
    case "struct":
      return elementSize.inlineComposite;
    default:
      return elementSize.pointer;
  }
};
