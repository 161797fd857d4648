import { CapnpError } from "./errors.ts";
import { Client } from "./rpc/capability/client.ts";
import { Server } from "./rpc/capability/server.ts";

/** What `connect` and `listen` are told of a vat, before it is known to be that. */
interface GivenOptions {
  readonly bootstrap?: unknown;
  readonly restorer?: unknown;
  readonly logger?: unknown;
  readonly signal?: unknown;
}

const has = (value: unknown, method: string): boolean =>
  typeof value === "object" && value !== null && typeof (value as Record<string, unknown>)[method] === "function";

const isExposed = (value: unknown): boolean =>
  value instanceof Client || value instanceof Server || typeof value === "function" || has(value, "then");

const isLogger = (value: unknown): boolean =>
  ["trace", "debug", "info", "warn", "error"].every((level) => has(value, level));

/**
 * Throws CAPNP_TYPE for options with which every peer would be refused, or nothing be logged, later on and far from here. Null is
 * as good as nothing.
 */
export const checkVatOptions = (caller: "connect" | "listen", options: unknown): void => {
  if (typeof options !== "object" || options === null) {
    const example =
      caller === "listen" ? "listen(address, { bootstrap: new Impl() })" : "connect(address, { tls: { ca } })";
    throw new CapnpError("CAPNP_TYPE", `${caller} takes an address and an object with options: ${example}.`);
  }
  const { bootstrap, restorer, logger, signal }: GivenOptions = options;
  if (isGiven(bootstrap) && !isExposed(bootstrap)) {
    const wanted = "a server object, a class of them, a client, a promise of either, or a function that gives one";
    throw new CapnpError("CAPNP_TYPE", `bootstrap must be ${wanted}, not ${what(bootstrap)}.`);
  }
  if (isGiven(restorer) && typeof restorer !== "function" && !has(restorer, "restore")) {
    const wanted = "a function, or an object with a method `restore`";
    throw new CapnpError("CAPNP_TYPE", `restorer must be ${wanted}, not ${what(restorer)}.`);
  }
  if (isGiven(logger) && !isLogger(logger)) {
    const wanted = "an object with the methods trace, debug, info, warn and error, such as a pino logger";
    throw new CapnpError("CAPNP_TYPE", `logger must be ${wanted}, not ${what(logger)}.`);
  }
  if (isGiven(signal) && !has(signal, "addEventListener")) {
    throw new CapnpError("CAPNP_TYPE", `signal must be an AbortSignal, not ${what(signal)}.`);
  }
};

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

const what = (value: unknown): string => (typeof value === "object" ? "another object" : `a ${typeof value}`);
