/** Classes of bytes that the lexer asks about. Tables, because every byte of every schema passes here. */
const identifierStart = 1;
const identifierPart = 2;
const digit = 4;
const hexDigit = 8;
const operator = 16;
const whitespace = 32;

const classes = new Uint8Array(256);
const mark = (characters: string, bits: number): void => {
  for (let i = 0; i < characters.length; i++) classes[characters.charCodeAt(i)]! |= bits;
};
const letters = "abcdefghijklmnopqrstuvwxyz";
mark(`${letters}${letters.toUpperCase()}_`, identifierStart | identifierPart);
mark("0123456789", identifierPart | digit | hexDigit);
mark("abcdefABCDEF", hexDigit);
mark("!$%&*+-./:<=>?@^|~", operator);
mark(" \f\n\r\t\v", whitespace);

export const isIdentifierStart = (byte: number): boolean => (classes[byte]! & identifierStart) !== 0;
export const isIdentifierPart = (byte: number): boolean => (classes[byte]! & identifierPart) !== 0;
export const isDigit = (byte: number): boolean => (classes[byte]! & digit) !== 0;
export const isOctalDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x37;
export const isHexDigit = (byte: number): boolean => (classes[byte]! & hexDigit) !== 0;
export const isOperator = (byte: number): boolean => (classes[byte]! & operator) !== 0;
export const isWhitespace = (byte: number): boolean => (classes[byte]! & whitespace) !== 0;

/** The value of a hexadecimal digit. */
export const hexValue = (byte: number): number => (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x61 + 10);
