import { CapnpError } from "../errors.ts";
import { shortAscii, shortAsciiLimit } from "./short-ascii.ts";

/** Node's fast decoders, where this runs on Node; a browser has none and takes the standard ones. */
interface FastDecoders {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
}
const fast = (globalThis as { Buffer?: { prototype: FastDecoders } }).Buffer?.prototype;

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Above this many bytes the native decoder is faster than {@link asciiText}. Measured on V8 of Node 20. */
const shortLimit = 40;

const decodeStrictly = (bytes: Uint8Array, start: number, end: number): string => {
  try {
    return strictDecoder.decode(bytes.subarray(start, end));
  } catch (cause) {
    throw new CapnpError(
      "CAPNP_TEXT",
      `Text of ${end - start} bytes is not valid UTF-8. Declare the field as Data to read its bytes.`,
      { cause },
    );
  }
};

/** Text of at most {@link shortLimit} bytes that is ASCII; undefined where a byte is above 0x7f. */
const asciiText = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  if (end - start <= shortAsciiLimit) return shortAscii(bytes, start, end);
  const middle = start + shortAsciiLimit;
  const first = shortAscii(bytes, start, middle);
  const second = shortAscii(bytes, middle, end);
  return first === undefined || second === undefined ? undefined : first + second;
};

/** Decodes UTF-8. Throws CAPNP_TEXT where it is invalid: text that cannot be written back as it was is never returned. */
export const decodeText = (bytes: Uint8Array, start: number, end: number): string => {
  if (end - start <= shortLimit) {
    const text = asciiText(bytes, start, end);
    if (text !== undefined) return text;
  }
  if (fast === undefined) return decodeStrictly(bytes, start, end);
  const text = fast.utf8Slice.call(bytes, start, end);
  // The native decoder replaces what is invalid. The replacement character may also stand there in its own right.
  return text.includes("\ufffd") ? decodeStrictly(bytes, start, end) : text;
};

/** Bytes of `text` in UTF-8; a lone surrogate counts as the replacement character that is written for it. */
export const utf8Length = (text: string): number => {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 0x7f) continue;
    if (code <= 0x7ff) bytes += 1;
    else {
      bytes += 2;
      if (code >= 0xd800 && code <= 0xdbff) {
        const next = text.charCodeAt(i + 1);
        // A pair takes 4 bytes and was counted as 2 characters, of which this one brings 2.
        if (next >= 0xdc00 && next <= 0xdfff) i++;
      }
    }
  }
  return bytes;
};

/** Writes `text`, whose length in UTF-8 is `length`. */
export const encodeText = (text: string, length: number, bytes: Uint8Array, start: number): void => {
  if (length === text.length && length <= shortLimit) {
    for (let i = 0; i < length; i++) bytes[start + i] = text.charCodeAt(i);
  } else if (fast !== undefined) fast.utf8Write.call(bytes, text, start, length);
  else encoder.encodeInto(text, bytes.subarray(start, start + length));
};
