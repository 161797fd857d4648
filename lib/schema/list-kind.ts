import { CapnpError } from "../errors.ts";
import { copyPointer } from "../serialization/copy.ts";
import { List } from "../serialization/list.ts";
import { initList, initStructList, zeroPointer } from "../serialization/pointer-builder.ts";
import type { PointerKind } from "../serialization/pointer-list.ts";
import type { ListClasses, Writable } from "../serialization/primitive-list.ts";
import { withSnapshot } from "../serialization/replace.ts";
import { resolveList, target } from "../serialization/resolve-pointer.ts";
import { wrongType } from "../serialization/scalar.ts";
import type { Segment } from "../serialization/segment.ts";
import { emptySegment } from "../serialization/struct.ts";
import type { Fillable } from "../serialization/struct-list.ts";
import { getList, getStructList } from "../serialization/upgrade.ts";
import { checkGrowth } from "../serialization/upgrade-limit.ts";
import { elementSize } from "../serialization/wire-pointer.ts";
import { padToWord } from "../serialization/word.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

/** Size of a list's elements: an `elementSize`, and for structs what each has. */
export interface ElementLayout {
  readonly size: number;
  readonly dataBytes: number;
  readonly pointerCount: number;
}

/** What a list class knows of its own type, for those that meet it as a value. */
interface TypedList {
  /** @internal */
  $kind?: PointerKind;
}

/** How a list, wherever it came from, is set; undefined for a list of no schema. */
export const kindOfList = (list: List<unknown>): PointerKind | undefined => (list as TypedList).$kind;

/** A pointer to a list. `name` is the type as schemas spell it. */
export const listKind = (
  classes: ListClasses<unknown, unknown>,
  layout: ElementLayout,
  name: string,
  defaultValue?: Segment,
): PointerKind => {
  const { Reader, Builder } = classes;
  const { size, dataBytes, pointerCount } = layout;
  const ofStructs = size === elementSize.inlineComposite;

  // Spelled out: through a function that takes the class, V8 does not keep the construction inline.
  const read = (segment: Segment, position: number, depth: number): List<unknown> => {
    if (!resolveList(segment, position, size, depth)) {
      if (defaultValue === undefined || !resolveList(defaultValue, 0, size, depth)) {
        return new Reader(emptySegment, 0, 0, 0, 0, 0, depth);
      }
    }
    const { segment: content, start, length, stepBits, dataBytes, pointerCount } = target;
    return new Reader(content, start, length, stepBits >>> 3, dataBytes, pointerCount, depth - 1);
  };

  const get = (segment: Segment, position: number): List<unknown> & Writable<unknown> => {
    const found = ofStructs
      ? getStructList(segment, position, dataBytes, pointerCount, defaultValue)
      : getList(segment, position, size, defaultValue);
    if (!found) return new Builder(emptySegment, 0, 0, 0, 0, 0, unlimitedNesting);
    const { segment: content, start, length, stepBits, dataBytes: data, pointerCount: pointers } = target;
    return new Builder(content, start, length, stepBits >>> 3, data, pointers, unlimitedNesting);
  };

  /** A new list; elements that are structs may be larger than their schema says. */
  const create = (
    segment: Segment,
    position: number,
    count: number,
    elementDataBytes = dataBytes,
    elementPointerCount = pointerCount,
  ): List<unknown> & Writable<unknown> => {
    if (ofStructs) initStructList(segment, position, count, elementDataBytes, elementPointerCount);
    else initList(segment, position, size, count);
    const step = elementDataBytes + elementPointerCount * 8;
    return new Builder(
      target.segment,
      target.start,
      count,
      step,
      elementDataBytes,
      elementPointerCount,
      unlimitedNesting,
    );
  };

  const fill = (segment: Segment, position: number, values: List<unknown> | readonly unknown[]): void => {
    if (values instanceof List) {
      const source = values as List<unknown>;
      // Elements of a newer schema may be larger: what is unknown here travels along.
      const elementDataBytes = Math.max(dataBytes, padToWord(source.$dataBytes));
      const elementPointerCount = Math.max(pointerCount, source.$pointerCount);
      if (ofStructs) checkGrowth(source.$length, source.$step, elementDataBytes + elementPointerCount * 8);
      const list = ofStructs
        ? create(segment, position, source.$length, elementDataBytes, elementPointerCount)
        : create(segment, position, source.$length);
      // By pointers, without a client for each capability, which the source would hold from then on.
      if (size === elementSize.pointer && kindOfList(source) === kindOfList(list)) {
        const { $segment, $start, $step, $depth } = source;
        for (let i = 0; i < source.$length; i++) {
          copyPointer(list.$segment, list.$start + i * list.$step, $segment, $start + i * $step, $depth);
        }
        return;
      }
      for (let i = 0; i < source.$length; i++) list.set(i, source.$at(i));
      return;
    }
    const list = create(segment, position, values.length);
    if (ofStructs) (list as unknown as Fillable).$setAll(values);
    else for (let i = 0; i < values.length; i++) list.set(i, values[i]);
  };

  const kind: PointerKind = {
    read,
    get,
    set: (segment, position, value, where) => {
      if (value === null || value === undefined) {
        zeroPointer(segment, position);
        return;
      }
      const values = sequence(value);
      if (values === undefined) throw wrongType(where, `an iterable (${name})`, value);
      if (!mayShare(values, segment)) {
        fill(segment, position, values);
        return;
      }
      withSnapshot(
        (copy, at) => fill(copy, at, values),
        (copy, at) => copyPointer(segment, position, copy, at, unlimitedNesting),
      );
    },
    init: (segment, position, count, where) => {
      if (count === undefined) {
        throw new CapnpError("CAPNP_TYPE", `${where} is ${name}: init needs the number of its elements.`);
      }
      return create(segment, position, count);
    },
  };
  const plain = defaultValue === undefined ? kind : undefined;
  for (const { prototype } of [Reader, Builder]) {
    (prototype as TypedList).$kind ??= plain ?? listKind(classes, layout, name);
  }
  return kind;
};

/** Whether the values are part of the message that they are written to, or hold parts of it. */
const mayShare = (values: List<unknown> | readonly unknown[], segment: Segment): boolean => {
  if (!Array.isArray(values)) return sharesArena(values, segment);
  for (let i = 0; i < values.length; i++) if (sharesArena(values[i], segment)) return true;
  return false;
};

const sharesArena = (value: unknown, segment: Segment): boolean =>
  typeof value === "object" &&
  value !== null &&
  (value as { readonly $segment?: Segment }).$segment?.arena === segment.arena;

const sequence = (value: unknown): List<unknown> | readonly unknown[] | undefined => {
  if (Array.isArray(value) || value instanceof List) return value;
  return typeof value === "object" && value !== null && Symbol.iterator in value
    ? [...(value as Iterable<unknown>)]
    : undefined;
};
