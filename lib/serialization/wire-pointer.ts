/**
 * The bits of a pointer (encoding.md). A pointer is two 32-bit halves, `low` and `high`; `low & 3` is its kind.
 */
export const structKind = 0;
export const listKind = 1;
export const farKind = 2;
export const otherKind = 3;

/** Sizes of list elements, as in the low 3 bits of a list pointer's high half. */
export const elementSize = {
  empty: 0,
  bit: 1,
  byte: 2,
  twoBytes: 3,
  fourBytes: 4,
  eightBytes: 5,
  pointer: 6,
  inlineComposite: 7,
} as const;

/** Bits of an element for each {@link elementSize}; an inline composite's come from its tag. */
export const elementBits = [0, 1, 8, 16, 32, 64, 64, 0] as const;

/** Low half of a struct or list pointer at `position` to content at `target`, both byte offsets in one segment. */
export const offsetPart = (position: number, target: number, kind: number): number =>
  ((target - position - 8) / 2) | kind;

/** High half of a struct pointer. */
export const structPart = (dataWords: number, pointerCount: number): number => dataWords | (pointerCount << 16);

/** High half of a list pointer. For inline composites `count` is words. */
export const listPart = (size: number, count: number): number => size | (count << 3);
