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
  | {
      /** `wss` is WebSocket over TLS. */
      readonly kind: "ws" | "wss";
      readonly host: string;
      /** 80 and 443 where the address has none. */
      readonly port: number;
      /** Path and query, beginning with a slash. */
      readonly path: string;
    }
  | {
      readonly kind: "unix";
      /** That of a file; of an abstract socket, which Linux has, its name after a NUL. */
      readonly path: string;
    };

/** An address of a WebSocket. */
export type WebSocketAddress = Extract<Address, { readonly kind: "ws" | "wss" }>;

export const isWebSocketAddress = (address: Address): address is WebSocketAddress =>
  address.kind === "ws" || address.kind === "wss";

const forms =
  "an address is host:port, *:port, [ipv6]:port, tcp://host:port, tls://host:port, ws://host:port/path, wss://host:port/path, " +
  'unix:path or unix-abstract:name (such as "localhost:60000", "[::1]:60000", "tls://example.com:60000", "unix:/run/vat.sock")';

/** Linux keeps a socket's path in 108 bytes, of which the last is zero. A longer one would be cut short silently. */
const longestUnixPath = 107;

/** Reads an address. Throws CAPNP_ADDRESS, which names the forms. */
export function parseAddress(text: string): Address {
  if (typeof text !== "string") throw wrong(String(text), "it is not a string");
  if (text.startsWith("unix-abstract:")) return parseAbstract(text);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined || scheme === "unix") {
    return text.startsWith("unix:") ? parseUnix(text) : { kind: "tcp", ...parseHostPort(text, text) };
  }
  const rest = text.slice(scheme.length + 3);
  if (scheme === "ws" || scheme === "wss") return parseWebSocket(text, scheme, rest);
  if (scheme !== "tcp" && scheme !== "tls") throw wrong(text, `"${scheme}" is not a scheme that is known here`);
  return { kind: scheme, ...parseHostPort(text, rest.replace(/\/$/, "")) };
}

/** Writes an address so that {@link parseAddress} reads it back: `host:port`, `tls://[::1]:60000`, `ws://host:port/path`, `unix:path`. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case "unix":
      return address.path.startsWith("\0") ? `unix-abstract:${address.path.slice(1)}` : `unix:${address.path}`;
    case "ws":
    case "wss":
      return `${address.kind}://${formatHostPort(address.host, address.port)}${address.path}`;
    default:
      return (address.kind === "tls" ? "tls://" : "") + formatHostPort(address.host, address.port);
  }
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

function parseWebSocket(text: string, kind: "ws" | "wss", rest: string): Address {
  const [, authority, path] = /^([^/?#]*)(.*)$/s.exec(rest)!;
  if (path!.includes("#")) throw wrong(text, "the address of a WebSocket has no fragment (#)");
  if (/[^\x21-\x7e]/.test(path!)) throw wrong(text, "the path has to be percent-encoded");
  const hasPort = authority!.replace(/^\[[^\]]*\]/, "").includes(":");
  const standard = kind === "ws" ? 80 : 443;
  const at = parseHostPort(text, hasPort || authority === "" ? authority! : `${authority}:${standard}`);
  return { kind, ...at, path: path!.startsWith("/") ? path! : `/${path}` };
}

function parseAbstract(text: string): Address {
  const name = text.slice("unix-abstract:".length);
  if (name === "" || name.includes("\0")) throw wrong(text, "the name is missing");
  checkLength(text, name, "name");
  return { kind: "unix", path: `\0${name}` };
}

function parseUnix(text: string): Address {
  // unix:path, and unix:///path as URLs have it.
  const path = text.slice("unix:".length).replace(/^\/\/(?=\/)/, "");
  if (path === "" || path.includes("\0")) throw wrong(text, "the path is missing");
  checkLength(text, path, "path");
  return { kind: "unix", path };
}

function checkLength(text: string, path: string, what: string): void {
  const bytes = new TextEncoder().encode(path).byteLength;
  if (bytes <= longestUnixPath) return;
  throw wrong(text, `the ${what} has ${bytes} bytes; the ${what} of a socket has at most ${longestUnixPath}`);
}

function wrong(text: string, why: string): CapnpError {
  return new CapnpError("CAPNP_ADDRESS", `"${text}" is not an address: ${why}; ${forms}`);
}
