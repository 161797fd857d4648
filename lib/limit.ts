import { CapnpError } from "./errors.ts";

/**
 * What a limit may be set to.
 *
 * - `count`: a whole number of things or bytes, 1 or more; Infinity for no limit.
 * - `time`: milliseconds; 0 or Infinity turns it off.
 * - `rate`: so many in a second, 0 or more; Infinity for no limit.
 */
export type LimitKind = "count" | "time" | "rate";

/** A limit as it is declared: what it counts, and what it is where nothing is said. */
export interface Limit {
  readonly kind: LimitKind;
  readonly default: number;
}

const wanted: Readonly<Record<LimitKind, string>> = {
  count: "a whole number of 1 or more, or Infinity for no limit",
  time: "a number of milliseconds, 0 or Infinity for no limit",
  rate: "a number of 0 or more, or Infinity for no limit",
};

const fits = (kind: LimitKind, value: number): boolean => {
  if (kind !== "count") return value >= 0;
  return value === Number.POSITIVE_INFINITY || (Number.isInteger(value) && value >= 1);
};

/**
 * Every limit of a declared set: as given, or its default. What else stands in `given` is left alone, unless `only` says
 * what else may, and whose limits they are. Throws CAPNP_TYPE or CAPNP_RANGE, naming the option: a limit that was mistyped would be no limit.
 */
export const readLimits = <Name extends string>(
  declared: Readonly<Record<Name, Limit>>,
  given: Partial<Readonly<Record<Name, number | undefined>>> = {},
  only?: { readonly of: string; readonly besides?: readonly string[] },
): Record<Name, number> => {
  const limits: Partial<Record<Name, number>> = {};
  for (const name of Object.keys(declared) as Name[]) {
    const { kind, default: standard } = declared[name];
    const value: unknown = given[name];
    if (value !== undefined && typeof value !== "number") {
      throw new CapnpError("CAPNP_TYPE", `${name} must be ${wanted[kind]}, not a ${typeof value}.`);
    }
    if (value !== undefined && !fits(kind, value)) {
      throw new CapnpError("CAPNP_RANGE", `${name} must be ${wanted[kind]}, not ${value}.`);
    }
    limits[name] = value ?? standard;
  }
  if (only !== undefined) {
    const known = [...Object.keys(declared), ...(only.besides ?? [])];
    for (const name of Object.keys(given)) {
      if (known.includes(name)) continue;
      throw new CapnpError("CAPNP_TYPE", `${name} is no limit of ${only.of}; those are ${known.join(", ")}.`);
    }
  }
  return limits as Record<Name, number>;
};
