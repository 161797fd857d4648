import { CapnpError } from "../errors.ts";

/** Where a server may be found: one address, several, or a function that is asked before each connection. */
export type AddressSource =
  | string
  | readonly string[]
  | (() => string | readonly string[] | PromiseLike<string | readonly string[]>);

/** How one of several servers is chosen: `first` that can be reached, or each in turn. */
export type PickPolicy = "first" | "round-robin";

/** Something that can be connected to. */
export interface Endpoint {
  readonly address: string;
  /** The name that the server's certificate must have, where it is not the host of the address. */
  readonly servername?: string;
  /** Those of a higher number are there for when the others are not. */
  readonly priority?: number;
}

/** Throws CAPNP_RANGE for a policy that is none. */
export const readPick = (pick: PickPolicy = "first"): PickPolicy => {
  if (pick === "first" || pick === "round-robin") return pick;
  throw new CapnpError("CAPNP_RANGE", `pick is "first" or "round-robin", not ${JSON.stringify(pick)}.`);
};

/** Throws CAPNP_ADDRESS for what can hold no address, and calls `check` with those that can be known before connecting. */
export const checkAddresses = (source: AddressSource, check: (address: string) => void): void => {
  if (typeof source === "function") return;
  if (typeof source !== "string" && !Array.isArray(source)) {
    throw new CapnpError("CAPNP_ADDRESS", `An address is a string, or an array of strings; not ${typeof source}.`);
  }
  for (const one of typeof source === "string" ? [source] : (source as readonly string[])) check(one);
};

/** The addresses now, one at the least. */
export const addressesOf = async (source: AddressSource): Promise<readonly string[]> => {
  const given = typeof source === "function" ? await source() : source;
  const list = typeof given === "string" ? [given] : given;
  if (list.length === 0) throw new CapnpError("CAPNP_ADDRESS", "There is no address to connect to: the list is empty.");
  return list;
};

const priorityOf = ({ priority = 0 }: Endpoint): number => priority;

/** In the order in which to try. `round-robin` begins with another one at each turn; those of a higher number stay behind. */
export const inOrder = (found: readonly Endpoint[], pick: PickPolicy, turn: number): readonly Endpoint[] => {
  if (pick === "first") return found;
  const lowest = Math.min(...found.map(priorityOf));
  const [usual, spare] = [
    found.filter((one) => priorityOf(one) === lowest),
    found.filter((one) => priorityOf(one) > lowest),
  ];
  const start = turn % usual.length;
  return [...usual.slice(start), ...usual.slice(0, start), ...spare];
};

/** What an address source is called in what people read. */
export const addressText = (source: AddressSource): string =>
  typeof source === "function" ? "(resolved at each connection)" : String(source);
