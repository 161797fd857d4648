import { CapnpError } from "../errors.ts";

/** Node's fast decoders, where this runs on Node; a browser has none and takes the standard ones. */
interface FastDecoders {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  utf8Slice(this: Uint8Array, start: number, end: number): string;
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number;
}
const fast = (globalThis as { Buffer?: { prototype: FastDecoders } }).Buffer?.prototype;

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Above this many bytes the native decoder is faster than {@link shortText}. Measured on V8 of Node 20. */
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

/** ASCII text in groups of 8 and 4 characters; undefined as soon as a byte above 0x7f turns up. */
const shortText = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  let text = "";
  let i = start;
  for (; i + 8 <= end; i += 8) {
    const a = bytes[i] as number;
    const b = bytes[i + 1] as number;
    const c = bytes[i + 2] as number;
    const d = bytes[i + 3] as number;
    const e = bytes[i + 4] as number;
    const f = bytes[i + 5] as number;
    const g = bytes[i + 6] as number;
    const h = bytes[i + 7] as number;
    if ((a | b | c | d | e | f | g | h) > 0x7f) return undefined;
    text += String.fromCharCode(a, b, c, d, e, f, g, h);
  }
  if (i + 4 <= end) {
    const a = bytes[i] as number;
    const b = bytes[i + 1] as number;
    const c = bytes[i + 2] as number;
    const d = bytes[i + 3] as number;
    if ((a | b | c | d) > 0x7f) return undefined;
    text += String.fromCharCode(a, b, c, d);
    i += 4;
  }
  switch (end - i) {
    case 0:
      return text;
    case 1: {
      const a = bytes[i] as number;
      return a > 0x7f ? undefined : text + String.fromCharCode(a);
    }
    case 2: {
      const a = bytes[i] as number;
      const b = bytes[i + 1] as number;
      return (a | b) > 0x7f ? undefined : text + String.fromCharCode(a, b);
    }
    default: {
      const a = bytes[i] as number;
      const b = bytes[i + 1] as number;
      const c = bytes[i + 2] as number;
      return (a | b | c) > 0x7f ? undefined : text + String.fromCharCode(a, b, c);
    }
  }
};

/** Decodes UTF-8. Throws CAPNP_TEXT where it is invalid: text that cannot be written back as it was is never returned. */
export const decodeText = (bytes: Uint8Array, start: number, end: number): string => {
  const length = end - start;
  if (length <= shortLimit) {
    const text = shortText(bytes, start, end);
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
