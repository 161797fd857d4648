import type { ErrorKind } from "../errors.ts";
import { initStructList, setData, setText } from "../serialization/pointer-builder.ts";
import { resolveBytes, target } from "../serialization/resolve-pointer.ts";
import { pointerPosition, Struct } from "../serialization/struct.ts";
import { type Exception, mostDetails, shortenDetails } from "./exception.ts";
import { forEachStruct, setU16, setU64, sizes, text, u16, u64 } from "./wire.ts";

const kinds: readonly ErrorKind[] = ["failed", "overloaded", "disconnected", "unimplemented"];

const readData = (detail: Struct): Uint8Array | undefined => {
  if (detail.$pointerCount === 0 || !resolveBytes(detail.$segment, pointerPosition(detail, 0), "Data"))
    return undefined;
  const { segment, start, length } = target;
  return segment.bytes.subarray(start, start + length);
};

/** A list that is longer than details could be is not looked at beyond them. */
const readDetails = (s: Struct, limit: number): Map<bigint, Uint8Array> => {
  const details = new Map<bigint, Uint8Array>();
  let room = mostDetails(limit);
  forEachStruct(s, 2, (detail) => {
    if (room-- <= 0) return false;
    const data = readData(detail);
    if (data !== undefined) details.set(u64(detail, 0), data);
    return true;
  });
  const kept = shortenDetails(details, limit);
  // Copies, which keep no more than they hold, and do not change when the message is used again.
  for (const [id, data] of kept) kept.set(id, data.slice());
  return kept;
};

/** @param limit Bytes that are read of each text, and of all details together. */
export const readException = (s: Struct, limit: number): Exception => {
  const trace = text(s, 1, limit);
  const details = s.$pointerCount > 2 ? readDetails(s, limit) : undefined;
  return {
    kind: kinds[u16(s, 4)] ?? "failed",
    reason: text(s, 0, limit),
    ...(trace === "" ? {} : { trace }),
    ...(details === undefined || details.size === 0 ? {} : { details }),
  };
};

export const writeException = (s: Struct, { kind, reason, trace, details }: Exception): void => {
  setText(s.$segment, pointerPosition(s, 0), reason);
  setU16(s, 4, kinds.indexOf(kind));
  if (trace !== undefined) setText(s.$segment, pointerPosition(s, 1), trace);
  if (details === undefined || details.size === 0) return;
  const { data, pointers } = sizes.exceptionDetail;
  initStructList(s.$segment, pointerPosition(s, 2), details.size, data, pointers);
  const { segment, start } = target;
  let at = start;
  for (const [id, bytes] of details) {
    const detail = new Struct(segment, at, data, pointers, 0);
    setU64(detail, 0, id);
    setData(detail.$segment, pointerPosition(detail, 0), bytes);
    at += data + pointers * 8;
  }
};
