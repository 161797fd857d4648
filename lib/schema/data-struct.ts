import { CapnpError } from "../errors.ts";
import { readerArena } from "../serialization/arena.ts";
import { wrongType } from "../serialization/scalar.ts";
import { Segment } from "../serialization/segment.ts";
import type { Readable } from "./message-root.ts";
import { StructBase, type StructReader } from "./struct-base.ts";

/**
 * A struct without pointers as its data section alone: no message, no framing, no pointer. For values that are kept in other
 * formats, such as keys of a database; C++'s `writeDataStruct` gives the same bytes.
 *
 * Throws CAPNP_TYPE where a pointer of the struct is set, which has no place there.
 */
export const writeDataStruct = (struct: StructBase): Uint8Array => {
  if (!(struct instanceof StructBase)) throw wrongType("writeDataStruct", "a struct", struct);
  const { $segment: segment, $data: start, $dataBytes: length, $pointerCount: pointerCount } = struct;
  const pointers = segment.bytes.subarray(start + length, start + length + pointerCount * 8);
  if (pointers.some((byte) => byte !== 0)) {
    throw new CapnpError(
      "CAPNP_TYPE",
      `This ${struct.$schema.path} has pointers that are set, which its data section does not hold. toBytes() writes them too.`,
    );
  }
  return segment.bytes.slice(start, start + length);
};

/** Reads what {@link writeDataStruct} wrote, in place. All pointers are null; fields beyond the bytes have their default values. */
export const readDataStruct = <R extends StructReader>(type: Readable<R>, bytes: Uint8Array): R => {
  const arena = readerArena([]);
  return new type.Reader(new Segment(arena, 0, bytes, bytes.length), 0, bytes.length, 0, arena.nestingLimit);
};
