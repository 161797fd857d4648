import { hexValue, isDigit, isHexDigit, isIdentifierStart, isOctalDigit, isWhitespace } from "./characters.ts";

/** A literal read from `source`, or how far into it the reader came before it met a byte that cannot be. */
export type Literal<T> =
  | { readonly ok: true; readonly end: number; readonly value: T }
  | { readonly ok: false; readonly reach: number };

const escapes = new Map([
  [0x61, 0x07], // a
  [0x62, 0x08], // b
  [0x66, 0x0c], // f
  [0x6e, 0x0a], // n
  [0x72, 0x0d], // r
  [0x74, 0x09], // t
  [0x76, 0x0b], // v
  [0x27, 0x27], // '
  [0x22, 0x22], // "
  [0x5c, 0x5c], // backslash
  [0x3f, 0x3f], // ?
]);

/** `"..."` at `start`: its bytes, since escapes may spell bytes that are no UTF-8. */
export function readString(source: Uint8Array, start: number): Literal<Uint8Array> {
  let at = start + 1;
  while (at < source.length && source[at] !== 0x22 && source[at] !== 0x5c && source[at] !== 0x0a) at++;
  if (source[at] === 0x22) return { ok: true, end: at + 1, value: source.subarray(start + 1, at) };

  const bytes = Array.from(source.subarray(start + 1, at));
  for (;;) {
    const byte = source[at];
    if (byte === undefined || byte === 0x0a) return { ok: false, reach: at };
    if (byte === 0x22) return { ok: true, end: at + 1, value: Uint8Array.from(bytes) };
    at++;
    if (byte !== 0x5c) {
      bytes.push(byte);
      continue;
    }
    const letter = source[at] ?? 0;
    const plain = escapes.get(letter);
    if (plain !== undefined) {
      bytes.push(plain);
      at++;
    } else if (letter === 0x78) {
      const high = source[at + 1] ?? 0;
      const low = source[at + 2] ?? 0;
      if (!isHexDigit(high)) return { ok: false, reach: at + 1 };
      if (!isHexDigit(low)) return { ok: false, reach: at + 2 };
      bytes.push(hexValue(high) * 16 + hexValue(low));
      at += 3;
    } else if (isOctalDigit(letter)) {
      let value = 0;
      for (let digits = 0; digits < 3 && isOctalDigit(source[at] ?? 0); digits++)
        value = value * 8 + source[at++]! - 0x30;
      bytes.push(value & 0xff);
    } else {
      return { ok: false, reach: at };
    }
  }
}

/** `0x"..."` at `start`. */
export function readBinary(source: Uint8Array, start: number): Literal<Uint8Array> {
  const bytes: number[] = [];
  let at = start + 3;
  for (;;) {
    while (isWhitespace(source[at] ?? 0)) at++;
    const high = source[at] ?? 0;
    if (!isHexDigit(high)) break;
    const low = source[at + 1] ?? 0;
    if (!isHexDigit(low)) return { ok: false, reach: at + 1 };
    bytes.push(hexValue(high) * 16 + hexValue(low));
    at += 2;
  }
  if (source[at] !== 0x22 || bytes.length === 0) return { ok: false, reach: at };
  return { ok: true, end: at + 1, value: Uint8Array.from(bytes) };
}

/** A literal ends where nothing follows that would make it another word or number. */
const mayFollow = (byte: number): boolean => !isIdentifierStart(byte) && byte !== 0x2e;

/** The value of digits, modulo 2^64. In halves of 32 bits: a bigint of a million digits takes time that grows with their square. */
const wrapped = (source: Uint8Array, start: number, end: number, base: 8 | 10 | 16): bigint => {
  let high = 0;
  let low = 0;
  for (let at = start; at < end; at++) {
    const sum = low * base + hexValue(source[at]!);
    low = sum >>> 0;
    high = (high * base + Math.floor(sum / 2 ** 32)) >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
};

/** An integer at `start`: hexadecimal after `0x`, octal after `0`, else decimal. Wraps at 64 bits, as in C++. */
export function readInteger(source: Uint8Array, start: number): Literal<bigint> {
  let at = start;
  let value: bigint;
  if (source[at] === 0x30 && source[at + 1] === 0x78 && isHexDigit(source[at + 2] ?? 0)) {
    at += 2;
    while (isHexDigit(source[at] ?? 0)) at++;
    value = wrapped(source, start + 2, at, 16);
  } else if (source[at] === 0x30) {
    at++;
    while (isOctalDigit(source[at] ?? 0)) at++;
    value = wrapped(source, start + 1, at, 8);
  } else {
    while (isDigit(source[at] ?? 0)) at++;
    value = wrapped(source, start, at, 10);
  }
  if (!mayFollow(source[at] ?? 0)) {
    return { ok: false, reach: source[start] === 0x30 && source[start + 1] === 0x78 ? Math.max(at, start + 2) : at };
  }
  return { ok: true, end: at, value };
}

const decoder = new TextDecoder();

/** Digits with a fraction, an exponent or both. */
export function readFloat(source: Uint8Array, start: number): Literal<number> {
  let at = start;
  const digits = (): void => {
    while (isDigit(source[at] ?? 0)) at++;
  };
  digits();
  if (source[at] === 0x2e) {
    at++;
    digits();
  }
  let text = decoder.decode(source.subarray(start, at));
  if (((source[at] ?? 0) | 0x20) === 0x65) {
    const exponent = at++;
    if (source[at] === 0x2b || source[at] === 0x2d) at++;
    const first = at;
    digits();
    if (at === first) return { ok: false, reach: at };
    text += decoder.decode(source.subarray(exponent, at));
  }
  if (!mayFollow(source[at] ?? 0)) return { ok: false, reach: at };
  return { ok: true, end: at, value: Number(text) };
}
