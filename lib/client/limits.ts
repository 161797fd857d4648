import { type Limit, readLimits } from "../limit.ts";
import type { KeepaliveOptions } from "./keepalive.ts";

/**
 * The times and limits of a client that `connect` makes, with their defaults. docs/limits.md has the same lists, and a test
 * holds them together.
 */
export const clientLimits = {
  connectTimeout: { kind: "time", default: 10_000 },
  sessionTimeout: { kind: "time", default: 1_000 },
  deadline: { kind: "time", default: 0 },
  maxConnectionAge: { kind: "time", default: 0 },
  connectionGrace: { kind: "time", default: 30_000 },
} as const satisfies Record<string, Limit>;

export const reconnectLimits = {
  minDelay: { kind: "time", default: 100 },
  maxDelay: { kind: "time", default: 30_000 },
  maxAttempts: { kind: "count", default: Number.POSITIVE_INFINITY },
  maxWaitingCalls: { kind: "rate", default: 1024 },
  waitTimeout: { kind: "time", default: 30_000 },
} as const satisfies Record<string, Limit>;

export const keepaliveLimits = {
  idle: { kind: "time", default: 20_000 },
  timeout: { kind: "time", default: 10_000 },
} as const satisfies Record<string, Limit>;

export const retryLimits = {
  attempts: { kind: "count", default: 3 },
  budget: { kind: "count", default: 100 },
  refill: { kind: "rate", default: 0.1 },
} as const satisfies Record<string, Limit>;

type Given<Name extends string> = { readonly [N in Name]?: number | undefined };
type Read<Name extends string> = Readonly<Record<Name, number>>;

/** A time that is 0 is off: as a number to compare with, never. */
const orNever = (time: number): number => (time === 0 ? Number.POSITIVE_INFINITY : time);

/** These throw CAPNP_TYPE or CAPNP_RANGE, naming the option that is wrong. Times that are off come as Infinity. */
export const readClientLimits = (given: Given<keyof typeof clientLimits>): Read<keyof typeof clientLimits> => {
  const limits = readLimits<keyof typeof clientLimits>(clientLimits, given);
  for (const name of Object.keys(clientLimits) as (keyof typeof clientLimits)[]) limits[name] = orNever(limits[name]);
  return limits;
};

/** Here a delay of 0 is no delay. */
export const readReconnectLimits = (given: Given<keyof typeof reconnectLimits>): Read<keyof typeof reconnectLimits> => {
  const limits = readLimits<keyof typeof reconnectLimits>(reconnectLimits, given, {
    of: "reconnect",
    besides: ["random"],
  });
  return { ...limits, waitTimeout: orNever(limits.waitTimeout) };
};

const readKeepaliveLimits = (given: Given<keyof typeof keepaliveLimits>): Read<keyof typeof keepaliveLimits> => {
  const { idle, timeout } = readLimits<keyof typeof keepaliveLimits>(keepaliveLimits, given, { of: "keepalive" });
  return { idle: orNever(idle), timeout: orNever(timeout) };
};

/** Those of the option `keepalive`, where it may also be turned off. */
export const keepaliveOf = ({
  keepalive = {},
}: {
  readonly keepalive?: KeepaliveOptions | false;
}): Read<keyof typeof keepaliveLimits> => readKeepaliveLimits(keepalive === false ? { idle: 0 } : keepalive);

export const readRetryLimits = (given: Given<keyof typeof retryLimits>): Read<keyof typeof retryLimits> =>
  readLimits<keyof typeof retryLimits>(retryLimits, given, { of: "retry", besides: ["methods"] });
