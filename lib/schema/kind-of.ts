import { CapnpError } from "../errors.ts";
import { List } from "../serialization/list.ts";
import { type PointerKind, pointerListClasses } from "../serialization/pointer-list.ts";
import {
  boolListClasses,
  type ListClasses,
  scalarListClasses,
  voidListClasses,
} from "../serialization/primitive-list.ts";
import * as scalar from "../serialization/scalar.ts";
import { defaultSegment } from "../serialization/struct.ts";
import { structListClasses } from "../serialization/struct-list.ts";
import { elementSize } from "../serialization/wire-pointer.ts";
import { anyPointerKind } from "./any-pointer.ts";
import { anyStructListClasses } from "./any-struct.ts";
import { assign } from "./assign.ts";
import { dataKind, textKind } from "./blob-kind.ts";
import { capabilityKind } from "./capability-kind.ts";
import { enumListClasses } from "./enum-list.ts";
import { type ElementLayout, listKind } from "./list-kind.ts";
import type { Value } from "./node.ts";
import type { EnumSchema, SchemaType, StructSchema } from "./schema.ts";
import { structKind } from "./struct-kind.ts";

/** How a pointer to a value of a type is handled. Types of the data section have none: CAPNP_TYPE. */
export const kindOf = (type: SchemaType, defaultValue?: Value): PointerKind => {
  const segment =
    defaultValue?.which === "struct" || defaultValue?.which === "list" ? nonNull(defaultValue.value) : undefined;
  switch (type.which) {
    case "text":
      return textKind(defaultValue?.which === "text" ? defaultValue.value : "");
    case "data":
      return dataKind(defaultValue?.which === "data" ? defaultValue.value : undefined);
    case "struct":
      return structKind(type.schema, segment);
    case "list": {
      const { classes, layout } = elementClasses(type.elementType);
      const kind = listKind(classes, layout, typeName(type), segment);
      for (const { prototype } of [classes.Reader, classes.Builder]) {
        if (!elementTypes.has(prototype)) elementTypes.set(prototype, type.elementType);
      }
      return kind;
    }
    case "interface":
      return capabilityKind(type.schema);
    case "anyPointer":
      return type.kind === "capability" ? capabilityKind(undefined) : anyPointerKind;
    default:
      throw new CapnpError("CAPNP_TYPE", `${typeName(type)} is not a pointer type.`);
  }
};

/** What the lists of each class hold, by the prototype of the class. */
const elementTypes = new WeakMap<object, SchemaType>();

/** The type of a list's elements; undefined for what is no list of a schema. */
export const elementTypeOf = (list: unknown): SchemaType | undefined =>
  list instanceof List ? elementTypes.get(Object.getPrototypeOf(list) as object) : undefined;

const nonNull = (message: Uint8Array): ReturnType<typeof defaultSegment> | undefined =>
  message.subarray(0, 8).every((byte) => byte === 0) ? undefined : defaultSegment(message);

/** A type as schemas spell it, for error texts. */
export const typeName = (type: SchemaType): string => {
  switch (type.which) {
    case "list":
      return `List(${typeName(type.elementType)})`;
    case "enum":
    case "struct":
    case "interface":
      return type.schema.name;
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
      return `UI${type.which.slice(2)}`;
    default:
      return type.which[0]?.toUpperCase() + type.which.slice(1);
  }
};

interface ElementClasses {
  readonly classes: ListClasses<unknown, unknown>;
  readonly layout: ElementLayout;
}

const ofScalars = <T extends number | bigint>(kind: scalar.ScalarKind<T>): ElementClasses => ({
  classes: scalarListClasses(kind),
  layout: { size: [0, 2, 3, 0, 4, 0, 0, 0, 5][kind.bytes] as number, dataBytes: kind.bytes, pointerCount: 0 },
});

const ofPointers = (kind: PointerKind, name: string): ElementClasses => ({
  classes: pointerListClasses(kind, name),
  layout: { size: elementSize.pointer, dataBytes: 0, pointerCount: 1 },
});

const fixed = {
  void: { classes: voidListClasses, layout: { size: elementSize.empty, dataBytes: 0, pointerCount: 0 } },
  bool: { classes: boolListClasses, layout: { size: elementSize.bit, dataBytes: 0, pointerCount: 0 } },
  int8: ofScalars(scalar.int8),
  int16: ofScalars(scalar.int16),
  int32: ofScalars(scalar.int32),
  int64: ofScalars(scalar.int64),
  uint8: ofScalars(scalar.uint8),
  uint16: ofScalars(scalar.uint16),
  uint32: ofScalars(scalar.uint32),
  uint64: ofScalars(scalar.uint64),
  float32: ofScalars(scalar.float32),
  float64: ofScalars(scalar.float64),
  text: ofPointers(textKind(), "Text"),
  data: ofPointers(dataKind(), "Data"),
} as const satisfies Record<string, ElementClasses>;

/** Structs of no known type lie in their list as others do. No schema has such lists; `listOf("AnyStruct")` reads them. */
const ofAnyStructs: ElementClasses = {
  classes: anyStructListClasses,
  layout: { size: elementSize.inlineComposite, dataBytes: 0, pointerCount: 0 },
};

const ofEnums = new WeakMap<EnumSchema, ElementClasses>();
const ofStructs = new WeakMap<StructSchema, ElementClasses>();

/** The list classes for an element type: one pair for each struct type, so that they stay monomorphic. */
const elementClasses = (type: SchemaType): ElementClasses => {
  switch (type.which) {
    case "enum": {
      const { schema } = type;
      let made = ofEnums.get(schema);
      if (made === undefined) {
        made = {
          classes: enumListClasses(schema),
          layout: { size: elementSize.twoBytes, dataBytes: 2, pointerCount: 0 },
        };
        ofEnums.set(schema, made);
      }
      return made;
    }
    case "struct": {
      const { schema } = type;
      let made = ofStructs.get(schema);
      if (made === undefined) {
        const { Reader, Builder, dataBytes, pointerCount } = schema.structClass;
        made = {
          classes: structListClasses(Reader, Builder, assign),
          layout: { size: elementSize.inlineComposite, dataBytes, pointerCount },
        };
        ofStructs.set(schema, made);
      }
      return made;
    }
    case "list":
    case "interface":
    case "anyPointer":
      if (type.which === "anyPointer" && type.kind === "struct") return ofAnyStructs;
      return ofPointers(kindOf(type), typeName(type));
    default:
      return fixed[type.which];
  }
};
