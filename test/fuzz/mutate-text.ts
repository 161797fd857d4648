import type { Random } from "../support/random-schema/random.ts";

const token = /\s+|#[^\n]*|"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\d[\w.]*|[^\s\w]/g;
const words = [
  ...["struct", "enum", "interface", "const", "annotation", "using", "import", "embed", "union", "group", "extends"],
  ...["List", "Text", "Data", "AnyPointer", "AnyList", "Void", "Bool", "Int8", "UInt64", "Float32", "stream", "void"],
  ...[
    "->",
    ":",
    ";",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "=",
    ".",
    ",",
    "$",
    "@",
    "!",
    "*",
    "-",
    "@0",
    "@1",
    "@65535",
    "@65536",
  ],
  ...[
    "0x",
    '0x""',
    '"\\x',
    '"',
    "#",
    "inf",
    "nan",
    "null",
    "true",
    "/capnp/c++.capnp",
    '"a.capnp"',
    "T",
    "(T)",
    "A",
    "a",
  ],
];
const numbers = [
  ...["0", "1", "255", "256", "65535", "65536", "4294967296", "18446744073709551615", "18446744073709551616"],
  ...["99999999999999999999999999", "0x8000000000000000", "1e308", "1e99999", "1e-99999", "0777", "08", "0x"],
];
const oddBytes = [
  "\x00",
  "\xff\xfe",
  "\xef\xbb\xbf",
  "\xc3",
  "\xed\xa0\x80",
  "\xf4\x90\x80\x80",
  "\u007f",
  "\r",
  "\v",
  "\x80",
];
const brackets = ["(", "[", "{", "struct A {", "List(", "a.", "-", "$a(", "(a = ", "[(", "union {", "a @0 :group {"];

/** Changes a schema file at a few places, as tokens, statements or bytes; text holds one byte in each character. */
export function mutateText(text: string, other: string, random: Random): string {
  let tokens: readonly string[] = text.match(token) ?? [];
  for (let edits = random.between(1, 5); edits > 0; edits--) tokens = edit(tokens, other, random);
  return tokens.join("").slice(0, 200_000);
}

function edit(tokens: readonly string[], other: string, random: Random): string[] {
  const at = random.below(tokens.length + 1);
  const length = random.below(8);
  const before = tokens.slice(0, at);
  const after = tokens.slice(at);
  switch (random.below(13)) {
    case 0:
      return [...before, ...after.slice(length + 1)];
    case 1:
      return [...before, random.pick(words), ...after];
    case 2:
      return [...before, random.pick(words), ...after.slice(1)];
    case 3:
      return [...before, random.tryPick(tokens) ?? "", ...after.slice(1)];
    case 4: {
      const end = after.findIndex((one) => one === ";" || one === "}") + 1;
      return [...before, ...after.slice(0, end), ...after];
    }
    case 5: {
      const theirs = other.match(token) ?? [];
      const from = random.below(theirs.length + 1);
      return [...before, ...theirs.slice(from, from + random.between(1, 60)), ...after];
    }
    case 6:
      return [...before, random.pick(numbers), ...after.slice(1)];
    case 7:
      return [...before, random.pick(oddBytes), ...after];
    case 8: {
      const depth = random.pick([3, 30, 260, 5000]);
      const open = random.pick(brackets);
      const close = random.chance(0.5) ? "" : open.endsWith("{") ? "}" : open.endsWith("[") ? "]" : ")";
      return [...before, open.repeat(depth), ...after.slice(0, length), close.repeat(depth), ...after.slice(length)];
    }
    case 9: {
      const repeated = after.slice(0, random.between(1, 40));
      const times = random.pick([2, 10, 100]);
      return [...before, ...Array.from({ length: times }, () => repeated).flat(), ...after];
    }
    case 10: {
      const target = random.below(tokens.length + 1);
      return [...before, ...tokens.slice(target, target + length), ...after.slice(length)];
    }
    case 11:
      return random.chance(0.5) ? before : after;
    default: {
      const byte = String.fromCharCode(random.below(256));
      const one = after[0] ?? "";
      const split = random.below(one.length + 1);
      return [...before, one.slice(0, split) + byte + one.slice(split + random.below(2)), ...after.slice(1)];
    }
  }
}
