import { CapnpError } from "../errors.ts";
import { List } from "../serialization/list.ts";
import { zeroPointer } from "../serialization/pointer-builder.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import type { Writable } from "../serialization/primitive-list.ts";
import { replacePointer } from "../serialization/replace.ts";
import { resolveAnyList, resolveList, target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { Segment } from "../serialization/segment.ts";
import { emptySegment } from "../serialization/struct.ts";
import { elementSize } from "../serialization/wire-pointer.ts";
import { type AnyStructBuilder, anyStructListClasses, type AnyStructReader } from "./any-struct.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

const sizes = ["void", "bit", "byte", "twoBytes", "fourBytes", "eightBytes", "pointer", "inlineComposite"] as const;

/** How the elements of a list are encoded (encoding.md, "Lists"). */
export type ElementSize = (typeof sizes)[number];

/** What `as` of an AnyList takes: what `listOf` returns. */
export interface ListTyped {
  /** @internal */
  readonly $kind: PointerKind;
}

/** A list whose element type is not known, behind a pointer of a message that is read. */
export class AnyListReader {
  /** Where the pointer that leads to it lies. @internal */
  readonly $segment: Segment;
  /** @internal */
  readonly $position: number;
  /** @internal */
  readonly $depth: number;
  readonly length: number;
  /** How its elements lie in the message; `"void"` where the pointer is null. */
  readonly elementSize: ElementSize;

  constructor(segment: Segment, position: number, depth: number) {
    this.$segment = segment;
    this.$position = position;
    this.$depth = depth;
    const found = resolveAnyList(segment, position, depth);
    this.length = found ? target.length : 0;
    this.elementSize = found ? (sizes[target.size] as ElementSize) : "void";
  }

  /** The elements as structs, as which those of every list but one of Bool can be read. */
  get structs(): List<AnyStructReader> {
    return this.structsOf(anyStructListClasses.Reader);
  }

  /** The same list as one of a type: `as(listOf("UInt32"))`, `as(listOf(Person))`. CAPNP_POINTER_KIND where it is none. */
  as(type: ListTyped): unknown {
    return kindOfListType(type).read(this.$segment, this.$position, this.$depth);
  }

  asReader(): AnyListReader {
    return this;
  }

  /** @internal */
  protected structsOf<L>(Structs: new (...place: [Segment, number, number, number, number, number, number]) => L): L {
    const found = resolveList(this.$segment, this.$position, elementSize.inlineComposite, this.$depth);
    if (!found) return new Structs(emptySegment, 0, 0, 0, 0, 0, this.$depth);
    const { segment, start, length, stepBits, dataBytes, pointerCount } = target;
    return new Structs(segment, start, length, stepBits >>> 3, dataBytes, pointerCount, this.$depth - 1);
  }
}

/** A list whose element type is not known, behind a pointer of a message that is built. */
export class AnyListBuilder extends AnyListReader {
  constructor(segment: Segment, position: number) {
    super(segment, position, unlimitedNesting);
  }

  override get structs(): List<AnyStructBuilder> & Writable<unknown> {
    return this.structsOf(anyStructListClasses.Builder);
  }

  override as(type: ListTyped): unknown {
    return kindOfListType(type).get(this.$segment, this.$position);
  }

  override asReader(): AnyListReader {
    return new AnyListReader(this.$segment, this.$position, this.$depth);
  }
}

const kindOfListType = (type: ListTyped): PointerKind => {
  const kind = typeof type === "object" && type !== null ? type.$kind : undefined;
  if (kind === undefined) throw wrongType("An AnyList", "a list type, such as listOf(Person)", type);
  return kind;
};

/** A pointer to a list of any type. */
export const anyListKind: PointerKind = {
  read: (segment, position, depth) => new AnyListReader(segment, position, depth),
  get: (segment, position) => new AnyListBuilder(segment, position),
  set: (segment, position, value, where, fresh) => {
    if (value === null || value === undefined) zeroPointer(segment, position);
    else if (value instanceof AnyListReader) {
      replacePointer(segment, position, value.$segment, value.$position, value.$depth);
    } else {
      const kind = value instanceof List ? (value as { readonly $kind?: PointerKind }).$kind : undefined;
      if (kind === undefined) throw wrongType(where, "a list of a message", value);
      kind.set(segment, position, value, where, fresh);
    }
  },
  init: (_segment, _position, _count, where) => {
    throw new CapnpError("CAPNP_TYPE", `${where} is AnyList: init it as a list of a type, such as listOf("UInt32").`);
  },
};
