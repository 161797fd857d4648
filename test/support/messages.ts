import type { StructClass } from "../../lib/schema/struct-class.ts";
import { MessageReader } from "../../lib/serialization/message.ts";
import type { ReaderOptions } from "../../lib/serialization/read-limiter.ts";
import type { Struct } from "../../lib/serialization/struct.ts";
import type { Loose } from "./loose.ts";

/** Copies of the used parts of the segments of the message that a builder is in. */
export const segmentsOf = (builder: Struct): Uint8Array[] =>
  builder.$segment.arena.segments.map((segment) => segment.bytes.slice(0, segment.end));

/** The same as one stream of bytes, with the segment table. */
export const framed = (builder: Struct): Buffer => {
  const segments = segmentsOf(builder);
  const table = new Uint32Array(((segments.length + 2) >> 1) * 2);
  table[0] = segments.length - 1;
  for (const [i, segment] of segments.entries()) table[i + 1] = segment.length / 8;
  return Buffer.concat([Buffer.from(table.buffer), ...segments]);
};

/** The segments of one framed message. */
export const unframed = (bytes: Buffer): Uint8Array[] => {
  const count = bytes.readUInt32LE(0) + 1;
  let start = ((count + 2) >> 1) * 8;
  const segments: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const end = start + bytes.readUInt32LE(4 + i * 4) * 8;
    segments.push(bytes.subarray(start, end));
    start = end;
  }
  return segments;
};

/** The root of a message, read as the given type. */
export const readAs = (type: StructClass, segments: readonly Uint8Array[], options?: ReaderOptions): Loose =>
  new MessageReader(segments, options).root(type.Reader);

/** What arrives where a builder's message is sent. */
export const received = (builder: Struct & { readonly $class: StructClass }): Loose =>
  readAs(builder.$class, segmentsOf(builder));

/** A segment of words, each given as its low and high half. */
export const words = (...halves: readonly (readonly [number, number])[]): Uint8Array => {
  const bytes = new Uint8Array(halves.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, [low, high]] of halves.entries()) {
    view.setUint32(i * 8, low >>> 0, true);
    view.setUint32(i * 8 + 4, high >>> 0, true);
  }
  return bytes;
};
