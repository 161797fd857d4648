import type { Take } from "./byte-source.ts";

/** What is needed of the `FileHandle` of Node's fs/promises. */
export interface FileHandleLike {
  readonly fd: number;
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: null,
  ): Promise<{ readonly bytesRead: number; readonly buffer: Uint8Array }>;
  write(buffer: Uint8Array, offset: number, length: number, position: null): Promise<{ readonly bytesWritten: number }>;
  readv(...rest: never[]): unknown;
  writev(...rest: never[]): unknown;
}

/** Told from streams, which have the other methods too, by its vectored ones. */
export const isFileHandle = (value: object): value is FileHandleLike =>
  "fd" in value && "readv" in value && "writev" in value;

const pieceBytes = 64 * 1024;

/** Reads the next piece from where the file stands. False at its end. */
export const readPiece = async (
  file: FileHandleLike,
  take: Take,
  keep: (unused: Uint8Array | undefined) => void,
): Promise<boolean> => {
  const { bytesRead, buffer } = await file.read(new Uint8Array(pieceBytes), 0, pieceBytes, null);
  if (bytesRead === 0) return false;
  keep(take(buffer.subarray(0, bytesRead)));
  return true;
};

/** Writes all of `bytes` to where the file stands, in as many pieces as it takes. */
export const writeAll = async (file: FileHandleLike, bytes: Uint8Array): Promise<void> => {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, null);
    written += bytesWritten;
  }
};
