import { CapnpError } from "../errors.ts";
import type { BuilderArena } from "../serialization/arena.ts";
import * as serialization from "../serialization/orphan.ts";
import { resizeList, resizeText } from "../serialization/orphan-resize.ts";
import { setText } from "../serialization/pointer-builder.ts";
import type { Segment } from "../serialization/segment.ts";
import { kindOf, typeName } from "./kind-of.ts";
import { isPointerType, type SchemaType } from "./schema.ts";
import { typeOfArgument } from "./type-argument.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

/** Makes a null pointer lead to a new value; of `count` elements, or bytes of zero where it is Text or Data. */
export const initValue = (segment: Segment, position: number, type: SchemaType, count: number | undefined): unknown => {
  if (type.which === "text" && count !== undefined) {
    setText(segment, position, "\0".repeat(count));
    return kindOf(type).get(segment, position);
  }
  return kindOf(type).init(segment, position, count, "A new orphan");
};

/**
 * A value of a message to which no pointer leads: what `disown` took out, or `newOrphan` made. It is adopted by a field, an
 * element or an AnyPointer of the same message, which copies nothing, or released, which zeroes it. See {@link serialization.Orphan}
 * for why releasing what is not wanted any more matters.
 */
export class Orphan extends serialization.Orphan {
  /** @internal */
  readonly $type: SchemaType;
  /** What lies in the data section of its struct has no place of its own in the message: the value itself. */
  readonly #scalar: unknown;

  /** @internal */
  constructor(arena: BuilderArena, holder: Segment, type: SchemaType, scalar?: unknown) {
    super(arena, holder);
    this.$type = type;
    this.#scalar = scalar;
  }

  /**
   * The value to change it: a builder, or a string, bytes, client or number. A struct is allocated where there is none, as in a
   * field. A view of bytes that {@link referenceExternalData} only refers to must not be written to.
   */
  get(): unknown {
    return isPointerType(this.$type) ? kindOf(this.$type).get(this.hold(), 0) : this.#held();
  }

  /** The value to read it; where there is none, an empty one, and nothing is allocated. */
  getReader(): unknown {
    return isPointerType(this.$type) ? kindOf(this.$type).read(this.hold(), 0, unlimitedNesting) : this.#held();
  }

  /**
   * The same orphan as another type, as what came out of an AnyPointer needs; this one is spent. CAPNP_POINTER_KIND where something
   * else is there, and it is as it was.
   */
  as(type: unknown): Orphan {
    const other = typeOfArgument(type);
    const holder = this.hold();
    if (!isPointerType(this.$type)) {
      throw new CapnpError("CAPNP_TYPE", `An orphan of type ${typeName(this.$type)} cannot be anything else.`);
    }
    kindOf(other).read(holder, 0, unlimitedNesting);
    return new Orphan(this.arena, this.handOver(), other);
  }

  /**
   * Cuts a list, Data (in bytes) or Text (in bytes, without its NUL) to a length, or extends it by zeros. What is cut off is zeroed,
   * and its room given back where the value ends its segment; only a value that does not is moved when it is extended. Lists
   * and views of it that were handed out before are of the old length and must not be used any more.
   */
  truncate(size: number): void {
    const holder = this.hold();
    if (this.isNull) {
      if (size > 0) initValue(holder, 0, this.$type, size);
    } else if (this.$type.which === "text") resizeText(holder, 0, size);
    else resizeList(holder, 0, size);
  }

  #held(): unknown {
    this.hold();
    return this.#scalar;
  }
}
