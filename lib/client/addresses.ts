import { lookup, resolveSrv } from "node:dns/promises";
import { isIP } from "node:net";
import { CapnpError } from "../errors.ts";
import { formatHostPort } from "../transport/address.ts";
import { type AddressSource, addressesOf, type Endpoint, inOrder, type PickPolicy } from "./endpoint.ts";

export interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** What turns names into addresses. */
export interface Resolver {
  /** The IP addresses of a host. */
  lookup(host: string): PromiseLike<readonly string[]>;
  /** The servers of a service: `_capnp._tcp.example.com`. */
  resolveSrv(service: string): PromiseLike<readonly SrvRecord[]>;
}

export const systemResolver: Resolver = {
  lookup: async (host) => (await lookup(host, { all: true, order: "verbatim" })).map(({ address }) => address),
  resolveSrv,
};

const srvForm = /^(?:(tcp|tls)\+)?srv:\/\/([^/:?#\s]+)\/?$/i;
const hostForm = /^(?:(tcp|tls):\/\/)?([^/:[\]]+):(\d+)\/?$/i;

/** Where to connect to now, in the order in which to try. Names are resolved each time: servers move. */
export const endpoints = async (
  source: AddressSource,
  pick: PickPolicy,
  turn: number,
  resolver: Resolver,
  random: () => number,
): Promise<readonly Endpoint[]> => {
  const found: Endpoint[] = [];
  let failure: unknown;
  for (const address of await addressesOf(source)) {
    try {
      found.push(...(await expand(address, pick, resolver, random)));
    } catch (error) {
      // The others may be found.
      failure = error;
    }
  }
  if (found.length === 0) throw failure;
  return inOrder(found, pick, turn);
};

const expand = async (
  address: string,
  pick: PickPolicy,
  resolver: Resolver,
  random: () => number,
): Promise<Endpoint[]> => {
  const srv = srvForm.exec(address);
  if (srv !== null) {
    const [, transport = "tcp", service] = srv as unknown as [string, string | undefined, string];
    const records = await resolved(service, () => resolver.resolveSrv(service));
    return servers(
      `${transport.toLowerCase()}://`,
      service,
      pick === "first" ? shuffled(records, random) : sorted(records),
    );
  }
  const host = hostForm.exec(address);
  // With "first", the system's own resolution at each connection does all that is needed.
  if (pick === "first" || host === null || isIP(host[2] as string) !== 0) return [{ address }];
  const [, scheme = "tcp", name, port] = host as unknown as [string, string | undefined, string, string];
  const ips = await resolved(name, () => resolver.lookup(name));
  return [...ips].sort().map((ip) => ({
    address: `${scheme.toLowerCase()}://${formatHostPort(ip, Number(port))}`,
    servername: name,
  }));
};

/**
 * The servers of a service. Their certificates must be those of the domain that was asked for: what
 * DNS answers is not signed, and could name any host that has a certificate of its own.
 */
const servers = (scheme: string, service: string, records: readonly SrvRecord[]): Endpoint[] => {
  const servername = service.replace(/^(_[^.]+\.)+/, "");
  return records.map(({ name, port, priority }) => ({
    address: `${scheme}${formatHostPort(name.replace(/\.$/, ""), port)}`,
    servername,
    priority,
  }));
};

const resolved = async <T>(name: string, ask: () => PromiseLike<readonly T[]>): Promise<readonly T[]> => {
  let found: readonly T[];
  try {
    found = await ask();
  } catch (error) {
    throw new CapnpError("CAPNP_CONNECT", `cannot resolve ${name}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  if (found.length > 0) return found;
  throw new CapnpError("CAPNP_CONNECT", `cannot resolve ${name}: there is no such record`);
};

/** The same order each time. */
const sorted = (records: readonly SrvRecord[]): SrvRecord[] =>
  [...records].sort(
    (a, b) => a.priority - b.priority || (a.name < b.name ? -1 : Number(a.name > b.name)) || a.port - b.port,
  );

/** As RFC 2782 has it: lowest priority first; among equals at random, the heavier the more often first. */
const shuffled = (records: readonly SrvRecord[], random: () => number): SrvRecord[] => {
  const left = sorted(records);
  const ordered: SrvRecord[] = [];
  while (left.length > 0) {
    const equals = left.filter(({ priority }) => priority === left[0]?.priority);
    let point = random() * equals.reduce((sum, record) => sum + weightOf(record), 0);
    let chosen = equals[0] as SrvRecord;
    for (const record of equals) {
      chosen = record;
      point -= weightOf(record);
      if (point < 0) break;
    }
    ordered.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return ordered;
};

/** A weight of 0 has a small chance, too. */
const weightOf = ({ weight }: SrvRecord): number => Math.max(weight, 0.01);

/** Whether an address is that of a service in DNS, and not of a server. */
export const isService = (address: string): boolean => typeof address === "string" && srvForm.test(address);
