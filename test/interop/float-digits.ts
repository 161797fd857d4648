/**
 * Whether two texts differ in numbers alone, and those in no more than half of their eighth digit: C++ prints a Float32 with 8
 * digits, by which not every one can be told from its neighbours; here such a number has 9.
 */
export const sameButDigits = (ours: string, theirs: string): boolean => {
  const [a, b] = [ours, theirs].map((text) => text.split(/([\s,()[\]]+)/)) as [string[], string[]];
  return a.length === b.length && a.every((one, i) => one === b[i] || isNear(Number(one), Number(b[i])));
};

const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= 0.51e-7 * Math.abs(b);
