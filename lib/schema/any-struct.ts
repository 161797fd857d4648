import { CapnpError } from "../errors.ts";
import { initStruct, zeroPointer } from "../serialization/pointer-builder.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import type { ListClasses } from "../serialization/primitive-list.ts";
import { overwriteStruct, replaceStruct } from "../serialization/replace.ts";
import { target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { Segment } from "../serialization/segment.ts";
import { readStruct, Struct, type StructConstructor } from "../serialization/struct.ts";
import { structListClasses } from "../serialization/struct-list.ts";
import { type MessageSize, structSize } from "../serialization/total-size.ts";
import { getStruct } from "../serialization/upgrade.ts";
import { StructBuilder, type StructReader } from "./struct-base.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

/** What is needed of a struct class to see a struct as one of it. */
export interface StructTyped {
  readonly schema: { readonly path: string; readonly isGroup: boolean };
  readonly Reader: StructConstructor<StructReader>;
  readonly Builder: StructConstructor<StructBuilder>;
  readonly dataBytes: number;
  readonly pointerCount: number;
}

type PointerConstructor<P> = new (segment: Segment, position: number, depth: number) => P;

/** Set by any-pointer.ts, which knows this file: pointers lead to structs, and structs hold pointers. */
let pointers:
  | { readonly Reader: PointerConstructor<unknown>; readonly Builder: PointerConstructor<unknown> }
  | undefined;

export const usePointerClasses = (classes: NonNullable<typeof pointers>): void => {
  pointers = classes;
};

/** A struct whose type is not known, in a message that is read: its two sections as they lie there. */
export class AnyStructReader extends Struct {
  /** The data section: a view of the message. Shorter or longer than a schema says where another version wrote it. */
  get dataSection(): Uint8Array {
    return this.$segment.expose(this.$data, this.$dataBytes);
  }

  /** The pointers, each as an AnyPointer. */
  get pointerSection(): readonly unknown[] {
    return pointersOf(this, pointers?.Reader as PointerConstructor<unknown>);
  }

  /** The same struct, seen as one of a type. What is missing there has its default value. */
  as(type: StructTyped): unknown {
    const { Reader } = checkStructType(type);
    return new Reader(this.$segment, this.$data, this.$dataBytes, this.$pointerCount, this.$depth);
  }

  asReader(): AnyStructReader {
    return this;
  }

  get totalSize(): MessageSize {
    return structSize(this.$segment, this.$data, this.$dataBytes, this.$pointerCount, this.$depth);
  }
}

/** A struct whose type is not known, in a message that is built. What is written to its data section is in the message. */
export class AnyStructBuilder extends AnyStructReader {
  override get pointerSection(): readonly unknown[] {
    return pointersOf(this, pointers?.Builder as PointerConstructor<unknown>);
  }

  /**
   * The same struct, seen as one of a type. CAPNP_TYPE where it is smaller than that type: `as` of the pointer that leads to it
   * makes room.
   */
  override as(type: StructTyped): unknown {
    const { Builder, dataBytes, pointerCount, schema } = checkStructType(type);
    if (this.$dataBytes < dataBytes || this.$pointerCount < pointerCount) {
      throw new CapnpError(
        "CAPNP_TYPE",
        `A ${schema.path} has ${dataBytes} bytes of data and ${pointerCount} pointers; this struct has ${this.$dataBytes} and ` +
          `${this.$pointerCount}. Ask the pointer that leads to it, which makes room: pointer.as(${schema.path}).`,
      );
    }
    return new Builder(this.$segment, this.$data, this.$dataBytes, this.$pointerCount, this.$depth);
  }

  override asReader(): AnyStructReader {
    return new AnyStructReader(this.$segment, this.$data, this.$dataBytes, this.$pointerCount, this.$depth);
  }
}

const pointersOf = <P>(struct: Struct, Pointer: PointerConstructor<P>): P[] =>
  Array.from(
    { length: struct.$pointerCount },
    (_, i) => new Pointer(struct.$segment, struct.$data + struct.$dataBytes + i * 8, struct.$depth),
  );

const checkStructType = (type: StructTyped): StructTyped => {
  if (typeof type !== "object" || type === null || !("Reader" in type) || type.schema.isGroup) {
    throw wrongType("An AnyStruct", "a struct class as its type", type);
  }
  return type;
};

/** Lists whose elements are structs of no known type. */
export const anyStructListClasses: ListClasses<AnyStructReader, AnyStructBuilder> = structListClasses(
  AnyStructReader,
  AnyStructBuilder,
  (element, value) => {
    if (!(value instanceof Struct)) throw wrongType("An element of List(AnyStruct)", "a struct", value);
    overwriteStruct(element, value);
  },
);

/** How `init` says how large a new struct is to be. */
export interface AnyStructSize {
  readonly dataWords: number;
  readonly pointerCount: number;
}

export const initAnyStruct = (segment: Segment, position: number, size: AnyStructSize): AnyStructBuilder => {
  const { dataWords, pointerCount } = size;
  for (const count of [dataWords, pointerCount]) {
    if (!Number.isInteger(count) || count < 0 || count > 0xffff) {
      throw new CapnpError("CAPNP_RANGE", `A struct has 0 to 65535 words of data and as many pointers; not ${count}.`);
    }
  }
  initStruct(segment, position, dataWords * 8, pointerCount);
  return new AnyStructBuilder(target.segment, target.start, dataWords * 8, pointerCount, unlimitedNesting);
};

/** A pointer to a struct of any type. */
export const anyStructKind: PointerKind = {
  read: (segment, position, depth) => readStruct(AnyStructReader, segment, position, depth),
  get: (segment, position) => {
    getStruct(segment, position, 0, 0);
    return new AnyStructBuilder(target.segment, target.start, target.dataBytes, target.pointerCount, unlimitedNesting);
  },
  set: (segment, position, value, where) => {
    if (value === null || value === undefined) zeroPointer(segment, position);
    else if (value instanceof Struct) replaceStruct(segment, position, value);
    else throw wrongType(where, "a struct", value);
  },
  init: (_segment, _position, _count, where) => {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${where} is AnyStruct: initAnyStruct(dataWords, pointerCount) says how large it is.`,
    );
  },
};

/** A struct as one whose type is not known, at the same place. */
export const toAnyStruct = (struct: StructReader | StructBuilder): AnyStructReader => {
  if (struct.$schema.isGroup) {
    throw new CapnpError(
      "CAPNP_TYPE",
      `${struct.$schema.path} is a group: it has no sections apart from its struct's.`,
    );
  }
  const Any = struct instanceof StructBuilder ? AnyStructBuilder : AnyStructReader;
  return new Any(struct.$segment, struct.$data, struct.$dataBytes, struct.$pointerCount, struct.$depth);
};
