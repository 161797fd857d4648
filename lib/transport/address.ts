import { CapnpError } from "../errors.ts";

/** Where a vat listens. */
export type Address =
  | {
      readonly kind: "tcp" | "tls";
      /** A host name or IP address, IPv6 without its brackets; `*` for every interface of this machine. */
      readonly host: string;
      /** 0 lets the system choose, for listening only. */
      readonly port: number;
    }
  | { readonly kind: "unix"; readonly path: string };

const forms =
  "an address is host:port, *:port, [ipv6]:port, tcp://host:port, tls://host:port or unix:path " +
  '(such as "localhost:60000", "[::1]:60000", "tls://example.com:60000", "unix:/run/vat.sock")';

/** Linux keeps a socket's path in 108 bytes, of which the last is zero. A longer one would be cut short silently. */
const longestUnixPath = 107;

/** Reads an address. Throws CAPNP_ADDRESS, which names the forms; of kind `unimplemented` for a scheme that has no transport here. */
export function parseAddress(text: string): Address {
  if (typeof text !== "string") throw wrong(String(text), "it is not a string");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "unix") {
    return text.startsWith("unix:") ? parseUnix(text) : { kind: "tcp", ...parseHostPort(text, text) };
  }
  if (scheme === "ws" || scheme === "wss") {
    throw new CapnpError("CAPNP_ADDRESS", `"${text}": WebSocket addresses are not reached this way; ${forms}`, {
      kind: "unimplemented",
    });
  }
  if (scheme !== "tcp" && scheme !== "tls") throw wrong(text, `"${scheme}" is not a scheme that is known here`);
  return { kind: scheme, ...parseHostPort(text, text.slice(scheme.length + 3).replace(/\/$/, "")) };
}

/** Writes an address so that {@link parseAddress} reads it back: `host:port`, `tls://[::1]:60000`, `unix:path`. */
export function formatAddress(address: Address): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  return (address.kind === "tls" ? "tls://" : "") + formatHostPort(address.host, address.port);
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseHostPort(text: string, hostPort: string): { host: string; port: number } {
  const parts = /^(?:\[([^\]]*)\]|([^:]*)):([^:]*)$/.exec(hostPort);
  if (parts === null) {
    if (/^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(hostPort)) {
      throw wrong(text, "an IPv6 address stands in brackets, before the port");
    }
    throw wrong(text, hostPort.includes(":") ? "host and port cannot be told apart" : "the port is missing");
  }
  const [, ipv6, name, digits] = parts;
  const host = ipv6 ?? name!;
  if (ipv6 !== undefined ? !/^[0-9a-f:.]*:[0-9a-f:.]*(%[\w.-]+)?$/i.test(ipv6) : !/^(\*|[^\s/@?#*[\]]+)$/.test(host)) {
    throw wrong(text, host === "" ? "the host is missing" : `"${host}" is not a host`);
  }
  if (!/^\d{1,5}$/.test(digits!) || Number(digits) > 65535) {
    throw wrong(text, digits === "" ? "the port is missing" : `"${digits}" is not a port from 0 to 65535`);
  }
  return { host, port: Number(digits) };
}

function parseUnix(text: string): Address {
  // unix:path, and unix:///path as URLs have it.
  const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
  if (path === "" || path.includes("\0")) throw wrong(text, "the path is missing");
  const bytes = new TextEncoder().encode(path).byteLength;
  if (bytes > longestUnixPath) {
    throw wrong(text, `the path has ${bytes} bytes; the path of a socket has at most ${longestUnixPath}`);
  }
  return { kind: "unix", path };
}

function wrong(text: string, why: string): CapnpError {
  return new CapnpError("CAPNP_ADDRESS", `"${text}" is not an address: ${why}; ${forms}`);
}
