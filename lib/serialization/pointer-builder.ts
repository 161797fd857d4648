import type { BuilderArena } from "./arena.ts";
import { encodeText, utf8Length } from "./blob.ts";
import type { Capability } from "./cap-table.ts";
import { CapnpError } from "../errors.ts";
import { followPointer, target } from "./resolve-pointer.ts";
import { wrongType } from "./scalar.ts";
import type { Segment } from "./segment.ts";
import {
  elementBits,
  elementSize,
  farKind,
  listKind,
  listPart,
  offsetPart,
  otherKind,
  structKind,
  structPart,
} from "./wire-pointer.ts";
import { maxListElements, padToWord } from "./word.ts";

/**
 * Writing pointers. Every function here takes the segment and byte offset of a pointer in a message that is being built,
 * and leaves where the content begins in `target.segment` and `target.start` (resolve-pointer.ts).
 */
const write = (segment: Segment, position: number, low: number, high: number): void => {
  segment.view.setInt32(position, low, true);
  segment.view.setInt32(position + 4, high, true);
};

export const isNull = (segment: Segment, position: number): boolean =>
  segment.view.getInt32(position, true) === 0 && segment.view.getInt32(position + 4, true) === 0;

/** Whether a pointer is that of an orphan, which lies outside of its message (`BuilderArena.holdLoosePointer`). */
const isLoose = (segment: Segment): boolean => segment.end > segment.bytes.length;

/** Points from outside of the message: through the landing pad behind the pointer, which costs the message nothing. */
const pointFromOutside = (loose: Segment, content: Segment, start: number, kind: number, high: number): void => {
  write(loose, 0, 8 | 4 | farKind, loose.id);
  write(loose, 8, start | farKind, content.id);
  write(loose, 16, kind, high);
};

/** Allocates `bytes` (whole words), zeroed, and points to them; a far pointer where this segment is full. */
const allocateObject = (segment: Segment, position: number, bytes: number, kind: number, high: number): void => {
  if (!isNull(segment, position)) zeroPointer(segment, position);
  const start = segment.allocate(bytes);
  if (start >= 0) {
    write(segment, position, bytes === 0 && kind === structKind ? -4 : offsetPart(position, start, kind), high);
    target.segment = segment;
    target.start = start;
    return;
  }
  if (isLoose(segment)) {
    const content = (segment.arena as BuilderArena).roomFor(bytes);
    target.segment = content;
    target.start = content.allocate(bytes);
    pointFromOutside(segment, content, target.start, kind, high);
    return;
  }
  const other = (segment.arena as BuilderArena).roomFor(bytes + 8);
  const pad = other.allocate(bytes + 8);
  write(segment, position, pad | farKind, other.id);
  write(other, pad, kind, high);
  target.segment = other;
  target.start = pad + 8;
};

export const initStruct = (segment: Segment, position: number, dataBytes: number, pointerCount: number): void =>
  allocateObject(segment, position, dataBytes + pointerCount * 8, structKind, structPart(dataBytes / 8, pointerCount));

const checkCount = (count: number, what: string): void => {
  if (!Number.isInteger(count) || count < 0 || count > maxListElements) {
    throw new CapnpError("CAPNP_RANGE", `A ${what} cannot have ${count} elements; the limit is ${maxListElements}.`);
  }
};

/** A list of anything but structs. */
export const initList = (segment: Segment, position: number, size: number, count: number): void => {
  checkCount(count, "list");
  const bytes = Math.ceil((count * (elementBits[size] as number)) / 64) * 8;
  allocateObject(segment, position, bytes, listKind, listPart(size, count));
};

/** A list of structs; `target.start` is the first element, behind the tag. */
export const initStructList = (
  segment: Segment,
  position: number,
  count: number,
  dataBytes: number,
  pointerCount: number,
): void => {
  checkCount(count, "list");
  const words = (count * (dataBytes + pointerCount * 8)) / 8;
  checkCount(words, "list of structs (in words)");
  allocateObject(segment, position, words * 8 + 8, listKind, listPart(elementSize.inlineComposite, words));
  write(target.segment, target.start, count << 2, structPart(dataBytes / 8, pointerCount));
  target.start += 8;
};

/** Texts up to this length are written as ASCII, in the hope that they are; the native encoder is faster beyond it. */
const shortText = 40;

/**
 * Points to a copy of a string in UTF-8; a lone surrogate becomes the replacement character. Null and undefined make the
 * pointer null; CAPNP_TYPE, naming `where`, for anything else. Where the content begins is not told.
 *
 * Building spends most of its time here. A short text is written in one pass, four characters at a time, without finding out
 * its length in UTF-8 first; where it turns out not to be ASCII, nothing has been allocated, and what was written is zeroed
 * again. That is spelled out in one function, too large for V8 to copy into its callers: it copies the accessors instead, which
 * then know whose fields they read.
 */
export const setText = (segment: Segment, position: number, text: unknown, where = "Text"): void => {
  if (typeof text !== "string") {
    if (text !== null && text !== undefined) throw wrongType(where, "a string (Text)", text);
    zeroPointer(segment, position);
    return;
  }
  const { view, end } = segment;
  const { length } = text;
  const next = end + padToWord(length + 1);
  if (length > shortText || next > view.byteLength || !isNull(segment, position)) {
    setAnyText(segment, position, text);
    return;
  }
  let all = 0;
  let i = 0;
  let at = end;
  for (; i + 8 <= length; i += 8) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    const e = text.charCodeAt(i + 4);
    const f = text.charCodeAt(i + 5);
    const g = text.charCodeAt(i + 6);
    const h = text.charCodeAt(i + 7);
    all |= a | b | c | d | e | f | g | h;
    view.setInt32(at, a | (b << 8) | (c << 16) | (d << 24), true);
    view.setInt32(at + 4, e | (f << 8) | (g << 16) | (h << 24), true);
    at += 8;
  }
  if (i + 4 <= length) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    all |= a | b | c | d;
    view.setInt32(at, a | (b << 8) | (c << 16) | (d << 24), true);
    i += 4;
    at += 4;
  }
  if (i < length) {
    const a = text.charCodeAt(i);
    const b = i + 1 < length ? text.charCodeAt(i + 1) : 0;
    const c = i + 2 < length ? text.charCodeAt(i + 2) : 0;
    all |= a | b | c;
    view.setInt32(at, a | (b << 8) | (c << 16), true);
  }
  if (all > 0x7f) {
    segment.bytes.fill(0, end, next);
    setAnyText(segment, position, text);
    return;
  }
  segment.end = next;
  view.setInt32(position, offsetPart(position, end, listKind), true);
  view.setInt32(position + 4, listPart(elementSize.byte, length + 1), true);
};

const setAnyText = (segment: Segment, position: number, text: string): void => {
  const length = utf8Length(text);
  checkCount(length + 1, "Text (in bytes)");
  allocateObject(segment, position, padToWord(length + 1), listKind, listPart(elementSize.byte, length + 1));
  encodeText(text, length, target.segment.bytes, target.start);
};

/** Allocates Data; its bytes are at `target.start`. */
export const initData = (segment: Segment, position: number, length: number): void => {
  checkCount(length, "Data (in bytes)");
  allocateObject(segment, position, padToWord(length), listKind, listPart(elementSize.byte, length));
};

export const setData = (segment: Segment, position: number, data: Uint8Array): void => {
  initData(segment, position, data.length);
  target.segment.bytes.set(data, target.start);
};

/** Takes over a reference to a capability; null writes a null pointer. */
export const setCapability = (segment: Segment, position: number, capability: Capability | null): void => {
  zeroPointer(segment, position);
  if (capability !== null) write(segment, position, otherKind, segment.arena.capTable.add(capability));
};

/** Writes a capability pointer to an entry that the table has already. */
export const setCapabilityIndex = (segment: Segment, position: number, index: number): void => {
  zeroPointer(segment, position);
  write(segment, position, otherKind, index);
};

/**
 * Makes a pointer null and zeroes what it led to, so that a value that was replaced does not travel with the message.
 * Capabilities it held are released. The space is not used again.
 */
export const zeroPointer = (segment: Segment, position: number): void => {
  const low = segment.view.getInt32(position, true);
  const high = segment.view.getInt32(position + 4, true);
  if (low === 0 && high === 0) return;
  if (low === otherKind) segment.arena.capTable.drop(high >>> 0);
  else if (followPointer(segment, position)) zeroContent(target.segment, target.start, target.low, target.high);
  if ((low & 3) === farKind) {
    const pad = segment.arena.segment(high >>> 0);
    const start = (low >>> 3) * 8;
    pad.bytes.fill(0, start, start + ((low & 4) === 0 ? 8 : 16));
  }
  write(segment, position, 0, 0);
};

const zeroContent = (segment: Segment, start: number, low: number, high: number): void => {
  if (segment.external) return;
  if ((low & 3) === structKind) {
    zeroStruct(segment, start, (high & 0xffff) * 8, high >>> 16);
    return;
  }
  const size = high & 7;
  const count = high >>> 3;
  if (size === elementSize.inlineComposite) {
    const length = segment.view.getInt32(start, true) >>> 2;
    const tag = segment.view.getInt32(start + 4, true);
    const dataBytes = (tag & 0xffff) * 8;
    const pointerCount = tag >>> 16;
    const step = dataBytes + pointerCount * 8;
    for (let i = 0; i < length && pointerCount > 0; i++) {
      zeroStruct(segment, start + 8 + i * step, dataBytes, pointerCount);
    }
    segment.bytes.fill(0, start, start + 8 + count * 8);
  } else if (size === elementSize.pointer) {
    for (let i = 0; i < count; i++) zeroPointer(segment, start + i * 8);
  } else {
    segment.bytes.fill(0, start, start + Math.ceil((count * (elementBits[size] as number)) / 64) * 8);
  }
};

const zeroStruct = (segment: Segment, start: number, dataBytes: number, pointerCount: number): void => {
  for (let i = 0; i < pointerCount; i++) zeroPointer(segment, start + dataBytes + i * 8);
  segment.bytes.fill(0, start, start + dataBytes);
};

/**
 * Moves what a pointer leads to under another pointer of the same message: the content stays where it is. The old
 * pointer is left null, the new one must be null before.
 */
export const transferPointer = (to: Segment, toPosition: number, from: Segment, fromPosition: number): void => {
  const low = from.view.getInt32(fromPosition, true);
  const high = from.view.getInt32(fromPosition + 4, true);
  write(from, fromPosition, 0, 0);
  const kind = low & 3;
  if (kind === farKind || kind === otherKind || (low === 0 && high === 0)) {
    // These do not depend on where they stand.
    write(to, toPosition, low, high);
    return;
  }
  pointTo(to, toPosition, from, fromPosition + 8 + (low & ~3) * 2, kind, high);
};

/** Points to content that lies in any segment of the message, through a landing pad where it is another one. */
export const pointTo = (
  segment: Segment,
  position: number,
  content: Segment,
  start: number,
  kind: number,
  high: number,
): void => {
  if (kind === structKind && high === 0) {
    write(segment, position, -4, 0);
    return;
  }
  if (segment === content) {
    write(segment, position, offsetPart(position, start, kind), high);
    return;
  }
  if (isLoose(segment)) {
    pointFromOutside(segment, content, start, kind, high);
    return;
  }
  const pad = content.allocate(8);
  if (pad >= 0) {
    write(content, pad, offsetPart(pad, start, kind), high);
    write(segment, position, pad | farKind, content.id);
    return;
  }
  const other = (segment.arena as BuilderArena).roomFor(16);
  const doublePad = other.allocate(16);
  write(other, doublePad, start | farKind, content.id);
  write(other, doublePad + 8, kind, high);
  write(segment, position, doublePad | 4 | farKind, other.id);
};
