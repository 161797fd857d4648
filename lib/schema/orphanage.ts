import { CapnpError } from "../errors.ts";
import type { BuilderArena } from "../serialization/arena.ts";
import { copyPointer } from "../serialization/copy.ts";
import { List } from "../serialization/list.ts";
import { externalPointer, newPointer } from "../serialization/orphan.ts";
import { initStructList } from "../serialization/pointer-builder.ts";
import type { Writable } from "../serialization/primitive-list.ts";
import { describeValue } from "../serialization/scalar.ts";
import type { Segment } from "../serialization/segment.ts";
import { padToWord } from "../serialization/word.ts";
import { AnyPointerBuilder } from "./any-pointer.ts";
import { kindOf, typeName } from "./kind-of.ts";
import { initValue, Orphan } from "./orphan.ts";
import { isPointerType, type SchemaType } from "./schema.ts";
import { StructBase, StructBuilder } from "./struct-base.ts";
import { typeOfArgument } from "./type-argument.ts";

const arenaOf = (value: unknown, operation: string): BuilderArena => {
  const isBuilder =
    value instanceof StructBuilder || value instanceof AnyPointerBuilder || (value instanceof List && "set" in value);
  if (isBuilder) return (value as unknown as { readonly $segment: { readonly arena: BuilderArena } }).$segment.arena;
  const what = value instanceof StructBase ? `a reader of ${value.$schema.path}` : describeValue(value);
  throw new CapnpError(
    "CAPNP_TYPE",
    `${operation} makes something in a message that is built: it takes a builder that is part of it, not ${what}.`,
  );
};

/**
 * A new value in a message that no pointer leads to yet: a struct (`newOrphan(book, Person)`), or a list, Text or Data of
 * `count` elements or bytes. The message is given by any builder in it.
 */
export const newOrphan = (message: unknown, type: unknown, count?: number): Orphan => {
  const arena = arenaOf(message, "newOrphan");
  const schemaType = typeOfArgument(type);
  const holder = newPointer(arena, (segment, position) => {
    // Of a type with a length, nothing but its absence says that there shall be none.
    if (count !== undefined || !hasLength(schemaType)) initValue(segment, position, schemaType, count);
  });
  return new Orphan(arena, holder, schemaType);
};

const hasLength = ({ which }: SchemaType): boolean => which === "list" || which === "text" || which === "data";

/** A copy of a value in a message that no pointer leads to yet. */
export const newOrphanCopy = (message: unknown, type: unknown, value: unknown): Orphan => {
  const arena = arenaOf(message, "newOrphanCopy");
  const schemaType = typeOfArgument(type);
  const holder = newPointer(arena, (segment, position) => {
    kindOf(schemaType).set(segment, position, value, "A new orphan", true);
  });
  return new Orphan(arena, holder, schemaType);
};

/**
 * A list of a type (`listOf(Person)`) with copies of all elements of several lists of that type. Its structs are as large as the
 * largest among theirs, so that fields which only some of them have survive; a list of values that a newer schema made structs
 * of may be among them.
 */
export const newOrphanConcat = (message: unknown, type: unknown, lists: Iterable<unknown>): Orphan => {
  const arena = arenaOf(message, "newOrphanConcat");
  const schemaType = typeOfArgument(type);
  if (schemaType.which !== "list") {
    throw new CapnpError("CAPNP_TYPE", `newOrphanConcat makes a list, not ${typeName(schemaType)}: pass listOf(...).`);
  }
  const sources = [...lists].map((one) => {
    if (one instanceof List) return one as List<unknown>;
    throw new CapnpError("CAPNP_TYPE", `newOrphanConcat takes lists of messages, not ${describeValue(one)}.`);
  });
  const holder = newPointer(arena, (segment, position) => {
    concat(segment, position, schemaType, sources);
  });
  return new Orphan(arena, holder, schemaType);
};

const concat = (
  segment: Segment,
  position: number,
  type: SchemaType & { readonly which: "list" },
  sources: readonly List<unknown>[],
): void => {
  const { elementType } = type;
  const count = sources.reduce((sum, list) => sum + list.$length, 0);
  const kind = kindOf(type);
  if (elementType.which === "struct") {
    const { dataBytes, pointerCount } = elementType.schema;
    initStructList(
      segment,
      position,
      count,
      sources.reduce((most, list) => Math.max(most, padToWord(list.$dataBytes)), dataBytes),
      sources.reduce((most, list) => Math.max(most, list.$pointerCount), pointerCount),
    );
  } else kind.init(segment, position, count, "A new orphan");
  const made = kind.get(segment, position) as List<unknown> & Writable<unknown>;
  let next = 0;
  for (const list of sources) {
    for (let i = 0; i < list.$length; i++, next++) {
      if (elementType.which === "struct" || !isPointerType(elementType)) made.set(next, list.$at(i));
      else {
        const from = list.$start + i * list.$step;
        copyPointer(made.$segment, made.$start + next * 8, list.$segment, from, list.$depth);
      }
    }
  }
};

/**
 * Data that lies in memory of yours, which becomes a segment of the message as it is: for large contents that are not to be
 * copied. The message never writes to it and never zeroes it; it must not change while the message is in use.
 *
 * Segments are whole words: where `bytes` is not, it is taken as it is only if the bytes behind it in its buffer are zero up to
 * the next whole word, and copied otherwise.
 */
export const referenceExternalData = (message: unknown, bytes: Uint8Array): Orphan => {
  const arena = arenaOf(message, "referenceExternalData");
  return new Orphan(arena, externalPointer(arena, bytes), { which: "data" });
};
