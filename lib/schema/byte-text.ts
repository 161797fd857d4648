/**
 * Bytes as text. All of it in pieces: a character at a time leaves a chain of strings that takes 35 to 80 times the bytes, which
 * for Data of 64 MiB is more memory than a process has.
 */

/** Bytes per piece: a whole number of base64's groups of three, and few enough to be the arguments of one call. */
const pieceBytes = 3 * 4096;

const inPieces = (bytes: Uint8Array, textOf: (piece: Uint8Array) => string): string => {
  const pieces: string[] = [];
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    pieces.push(textOf(bytes.subarray(start, start + pieceBytes)));
  }
  return pieces.join("");
};

export const base64 = (bytes: Uint8Array): string => inPieces(bytes, (piece) => btoa(String.fromCharCode(...piece)));

/** The text of bytes of which each has a text of its own: `texts[byte]`. */
export const textOfEach = (bytes: Uint8Array, texts: readonly string[]): string =>
  inPieces(bytes, (piece) => Array.from(piece, (byte) => texts[byte]).join(""));

const hexTexts: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export const hex = (bytes: Uint8Array): string => textOfEach(bytes, hexTexts);

/** Undefined where the text is not base64. */
export const fromBase64 = (text: string): Uint8Array | undefined => {
  let characters: string;
  try {
    characters = atob(text);
  } catch {
    return undefined;
  }
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
};

/** Undefined where the text is not pairs of hexadecimal digits. */
export const fromHex = (text: string): Uint8Array | undefined => {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = digitValue(text.charCodeAt(i * 2));
    const low = digitValue(text.charCodeAt(i * 2 + 1));
    if (high < 0 || low < 0) return undefined;
    bytes[i] = high * 16 + low;
  }
  return bytes;
};

/** -1 for what is no hexadecimal digit. */
const digitValue = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
};
