import { decodeFrame } from "../serialization/framing.ts";
import { MessageReader } from "../serialization/message.ts";
import { followPointer, resolveAnyList, resolveStruct, target } from "../serialization/resolve-pointer.ts";
import type { Segment } from "../serialization/segment.ts";
import { elementSize, listKind, structKind } from "../serialization/wire-pointer.ts";
import { StructImage, type ValueImage } from "./value-image.ts";

/** The root struct of a framed message, copied; undefined where the bytes are not such a message. */
export function readEmbeddedMessage(bytes: Uint8Array): StructImage | undefined {
  try {
    const { segments } = decodeFrame(bytes);
    const words = segments.reduce((sum, segment) => sum + segment.length / 8, 0);
    // enough for any message that shares nothing
    const { rootSegment, arena } = new MessageReader(segments, { traversalLimitInWords: 2 * words + 64 });
    return readStruct(rootSegment, 0, arena.nestingLimit);
  } catch {
    // the caller reports it, at the place of the embed
    return undefined;
  }
}

function readStruct(segment: Segment, position: number, depth: number): StructImage {
  if (!resolveStruct(segment, position, depth)) return new StructImage(0, 0);
  return copyStruct(target.segment, target.start, target.dataBytes, target.pointerCount, depth - 1);
}

function copyStruct(
  segment: Segment,
  start: number,
  dataBytes: number,
  pointerCount: number,
  depth: number,
): StructImage {
  const image = new StructImage(dataBytes / 8, pointerCount);
  new Uint8Array(image.data.buffer).set(segment.bytes.subarray(start, start + dataBytes));
  for (let i = 0; i < pointerCount; i++) image.pointers[i] = readPointer(segment, start + dataBytes + i * 8, depth);
  return image;
}

/** Capabilities, which a constant cannot hold, become null. */
function readPointer(segment: Segment, position: number, depth: number): ValueImage | undefined {
  if (!followPointer(segment, position)) return undefined;
  const kind = target.low & 3;
  if (kind === structKind) return readStruct(segment, position, depth);
  if (kind !== listKind || !resolveAnyList(segment, position, depth)) return undefined;
  const { segment: content, start, length, stepBits, size, dataBytes, pointerCount } = target;
  if (size === elementSize.inlineComposite) {
    const elements = Array.from({ length }, (_, i) =>
      copyStruct(content, start + (i * stepBits) / 8, dataBytes, pointerCount, depth - 1),
    );
    return { which: "structs", elements, dataWordCount: dataBytes / 8, pointerCount };
  }
  if (size === elementSize.pointer) {
    const elements = Array.from({ length }, (_, i) => readPointer(content, start + i * 8, depth - 1));
    return { which: "pointers", elements };
  }
  const bytes = content.bytes.slice(start, start + Math.ceil((length * stepBits) / 8));
  return { which: "data", size, count: length, bytes };
}
