/** A number as C's `%.{digits}g` prints it, but with no plus sign in the exponent, as C++'s Cap'n Proto leaves it out. */
const general = (value: number, digits: number): string => {
  const [mantissa, exponent] = scientific(Math.abs(value), digits);
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const significant = mantissa.replace(/0+$/, "") || "0";
  if (exponent < -4 || exponent >= digits) {
    const fraction = significant.length > 1 ? `.${significant.slice(1)}` : "";
    const places = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${significant[0]}${fraction}e${exponent < 0 ? "-" : ""}${places}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${significant}`;
  const whole = significant.padEnd(exponent + 1, "0");
  const fraction = whole.slice(exponent + 1);
  return `${sign}${whole.slice(0, exponent + 1)}${fraction === "" ? "" : `.${fraction}`}`;
};

/** The significant digits, rounded as C does it: of two that are equally near, the even one. JavaScript takes the greater. */
const scientific = (value: number, digits: number): [mantissa: string, exponent: number] => {
  const exact = value.toExponential(Math.min(100, digits + 60));
  const split = exact.indexOf("e");
  const all = exact[0] + exact.slice(2, split);
  if (/^50*$/.test(all.slice(digits)) && Number(all[digits - 1]) % 2 === 0) {
    return [all.slice(0, digits), Number(exact.slice(split + 1))];
  }
  const rounded = value.toExponential(digits - 1);
  const at = rounded.indexOf("e");
  return [rounded.slice(0, at).replace(".", ""), Number(rounded.slice(at + 1))];
};

const special = (value: number): string | undefined => {
  if (Number.isNaN(value)) return "nan";
  if (value === Number.POSITIVE_INFINITY) return "inf";
  if (value === Number.NEGATIVE_INFINITY) return "-inf";
  return undefined;
};

/** A Float64 as C++ prints it: with 15 digits where they tell it from all others, else with 17. */
export const formatFloat64 = (value: number): string => {
  const name = special(value);
  if (name !== undefined) return name;
  const short = general(value, 15);
  return Number(short) === value ? short : general(value, 17);
};

/** Below it, Float32 has fewer digits. C++ does not trust the short form of these. */
const smallestNormalFloat32 = 2 ** -126;

/**
 * A Float32 as C++ prints it: with 6 digits, or with 8 where they are not enough. Where 8 are not either, C++ prints them all
 * the same and loses the last bit; here such a number gets 9.
 */
export const formatFloat32 = (value: number): string => {
  const name = special(value);
  if (name !== undefined) return name;
  const isSubnormal = value !== 0 && Math.abs(value) < smallestNormalFloat32;
  for (const digits of isSubnormal ? [8] : [6, 8]) {
    const short = general(value, digits);
    if (Math.fround(Number(short)) === value) return short;
  }
  return general(value, 9);
};
