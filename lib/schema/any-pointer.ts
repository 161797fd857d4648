import { CapnpError } from "../errors.ts";
import { List } from "../serialization/list.ts";
import { zeroPointer } from "../serialization/pointer-builder.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import { replacePointer, replaceStruct } from "../serialization/replace.ts";
import { followPointer, target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { Segment } from "../serialization/segment.ts";
import { type MessageSize, pointerSize } from "../serialization/total-size.ts";
import { anyListKind, AnyListReader } from "./any-list.ts";
import {
  type AnyStructBuilder,
  anyStructKind,
  AnyStructReader,
  initAnyStruct,
  usePointerClasses,
} from "./any-struct.ts";
import { dataKind, textKind } from "./blob-kind.ts";
import { capabilityKind } from "./capability-kind.ts";
import { kindOfList } from "./list-kind.ts";
import { InterfaceSchema } from "./schema.ts";
import { StructBase } from "./struct-base.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

const text = textKind();
const data = dataKind();

/** What `as` and `init` take: a struct or interface class, a list type (`listOf(Person)`), or one of these names. */
export type PointerTypeArgument = "Text" | "Data" | "AnyStruct" | "AnyList" | "AnyPointer" | object;

/** How a pointer to the given type is handled. */
const kindOfArgument = (type: unknown): PointerKind => {
  if (type === "Text") return text;
  if (type === "Data") return data;
  if (type === "AnyStruct") return anyStructKind;
  if (type === "AnyList") return anyListKind;
  if (type === "AnyPointer") return anyPointerKind;
  if ((typeof type === "object" && type !== null) || typeof type === "function") {
    const { $kind, schema } = type as { readonly $kind?: PointerKind; readonly schema?: unknown };
    if ($kind !== undefined) return $kind;
    if (schema instanceof InterfaceSchema) return capabilityKind(schema);
  }
  throw wrongType("An AnyPointer", 'a struct or interface class, a list type, "Text" or "Data" as its type', type);
};

/** A pointer of any type in a message that is read. */
export class AnyPointerReader {
  /** @internal */
  readonly $segment: Segment;
  /** @internal */
  readonly $position: number;
  /** @internal */
  readonly $depth: number;

  constructor(segment: Segment, position: number, depth: number) {
    this.$segment = segment;
    this.$position = position;
    this.$depth = depth;
  }

  get isNull(): boolean {
    return !followPointer(this.$segment, this.$position);
  }

  /** What the pointer leads to, as far as its encoding tells. Text and Data are lists. */
  get kind(): "null" | "struct" | "list" | "capability" {
    if (!followPointer(this.$segment, this.$position)) return "null";
    return (["struct", "list", "null", "capability"] as const)[target.low & 3] as "struct" | "list" | "capability";
  }

  /** What the value and everything in it occupy, without the pointer itself. */
  get totalSize(): MessageSize {
    return pointerSize(this.$segment, this.$position, this.$depth);
  }

  /**
   * What the pointer leads to, as the given type: `as(Person)`, `as("Text")`, `as(listOf(Person))`, `as(Calculator)`. A
   * null pointer reads as that type's empty value. CAPNP_POINTER_KIND where something else is there.
   */
  as(type: PointerTypeArgument): unknown {
    return kindOfArgument(type).read(this.$segment, this.$position, this.$depth);
  }
}

/** A pointer of any type in a message that is built. */
export class AnyPointerBuilder extends AnyPointerReader {
  constructor(segment: Segment, position: number) {
    super(segment, position, unlimitedNesting);
  }

  /** As of a reader; a struct is allocated where the pointer is null. */
  override as(type: PointerTypeArgument): unknown {
    return kindOfArgument(type).get(this.$segment, this.$position);
  }

  /**
   * Sets the pointer to a copy of a struct, list or AnyPointer, to text, data or a capability, or to null. A plain object
   * or array says nothing of its type: pass that as the second argument.
   */
  set(value: unknown, type?: PointerTypeArgument): void {
    if (type === undefined) setAny(this.$segment, this.$position, value, "An AnyPointer");
    else kindOfArgument(type).set(this.$segment, this.$position, value, "An AnyPointer", true);
  }

  /** Replaces what is there by a new struct, or by a new list or Data of `count` elements. */
  init(type: PointerTypeArgument, count?: number): unknown {
    return kindOfArgument(type).init(this.$segment, this.$position, count, "An AnyPointer");
  }

  /** Replaces what is there by a new struct of no type, of so many words of data and pointers. */
  initAnyStruct(dataWords: number, pointerCount: number): AnyStructBuilder {
    return initAnyStruct(this.$segment, this.$position, { dataWords, pointerCount });
  }

  /** A reader of the same place. */
  asReader(): AnyPointerReader {
    return new AnyPointerReader(this.$segment, this.$position, this.$depth);
  }

  /** Makes the pointer null. */
  clear(): void {
    zeroPointer(this.$segment, this.$position);
  }
}

usePointerClasses({ Reader: AnyPointerReader, Builder: AnyPointerBuilder });

const setAny = (segment: Segment, position: number, value: unknown, where: string): void => {
  if (value === null || value === undefined) zeroPointer(segment, position);
  else if (typeof value === "string") text.set(segment, position, value, where, true);
  else if (value instanceof AnyPointerReader) {
    replacePointer(segment, position, value.$segment, value.$position, value.$depth);
  } else if (value instanceof StructBase) {
    if (value.$schema.isGroup) {
      throw new CapnpError(
        "CAPNP_TYPE",
        `${where} cannot hold the group ${value.$schema.path}: it is part of a struct.`,
      );
    }
    replaceStruct(segment, position, value);
  } else if (value instanceof AnyStructReader) replaceStruct(segment, position, value);
  else if (value instanceof AnyListReader) anyListKind.set(segment, position, value, where, true);
  else if (value instanceof List) {
    const kind = kindOfList(value as List<unknown>);
    if (kind === undefined) throw wrongType(where, "a list whose type is known", value);
    kind.set(segment, position, value, where, true);
  } else if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) data.set(segment, position, value, where, true);
  else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${where} cannot tell the type of a plain object or array: set(value, Type) on the pointer says it, or init(Type).`,
    );
  } else capabilityKind(undefined).set(segment, position, value, where, true);
};

/** A field of the type AnyPointer. */
export const anyPointerKind: PointerKind = {
  read: (segment, position, depth) => new AnyPointerReader(segment, position, depth),
  get: (segment, position) => new AnyPointerBuilder(segment, position),
  set: setAny,
  init: (segment, position) => {
    zeroPointer(segment, position);
    return new AnyPointerBuilder(segment, position);
  },
};
