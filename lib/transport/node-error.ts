/** The border at which Node's errors become {@link CapnpError}s: what failed, where, and what to do about it. */
import { CapnpError, type ErrorCode } from "../errors.ts";

/** What was being done: `open` makes a connection, `listen` makes a server, `stream` uses a connection that stands. */
export type SocketOperation = "open" | "listen" | "stream";

/** Translates anything that a socket, stream or file system call threw or emitted. A CapnpError comes back as it is. */
export function translateNodeError(error: unknown, operation: SocketOperation, address: string): CapnpError {
  if (error instanceof CapnpError) return error;
  const code = codeOf(error);
  const tls = tlsAdvice(code, error);
  if (tls !== undefined) {
    // A wrong key or certificate of our own is no lost connection.
    const kind = operation === "listen" || code?.startsWith("ERR_OSSL_") ? "failed" : "disconnected";
    const where = operation === "listen" ? `on ${address}` : `with ${address}`;
    return new CapnpError("CAPNP_TLS", `TLS ${where} failed: ${tls}`, { kind, cause: error });
  }
  const reason = code === undefined ? undefined : reasons[code];
  const text = `${prefixes[operation]} ${address}: ${reason ?? messageOf(error)}`;
  return new CapnpError(codes[operation], text, { cause: error });
}

const codes: Record<SocketOperation, ErrorCode> = {
  open: "CAPNP_CONNECT",
  listen: "CAPNP_LISTEN",
  stream: "CAPNP_DISCONNECTED",
};

const prefixes: Record<SocketOperation, string> = {
  open: "cannot connect to",
  listen: "cannot listen on",
  stream: "lost the connection with",
};

/** By `error.code`. A Map is not needed: the codes are Node's, never a peer's. */
const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (ECONNREFUSED); is the server running, and is the port right?",
  ECONNRESET: "the peer reset the connection (ECONNRESET); it crashed, or refused what it was sent",
  ECONNABORTED: "the connection was aborted (ECONNABORTED)",
  EPIPE: "the peer has closed its end (EPIPE)",
  ETIMEDOUT: "the peer does not answer (ETIMEDOUT)",
  EHOSTUNREACH: "no route leads to the host (EHOSTUNREACH)",
  ENETUNREACH: "the network cannot be reached (ENETUNREACH)",
  ENOTFOUND: "no such host name (ENOTFOUND)",
  EAI_AGAIN: "the name server does not answer (EAI_AGAIN)",
  EADDRINUSE: "the address is in use (EADDRINUSE); another server has it",
  EADDRNOTAVAIL: "this machine does not have that address (EADDRNOTAVAIL)",
  EACCES: "permission denied (EACCES); ports below 1024 and some folders need more rights",
  EPERM: "not permitted (EPERM)",
  ENOENT: "no such file or folder (ENOENT)",
  ENOTDIR: "a part of the path is not a folder (ENOTDIR)",
  EMFILE: "this process has no file descriptors left (EMFILE); raise the limit or hold fewer connections",
  ENFILE: "this machine has no file descriptors left (ENFILE)",
  ENOTSOCK: "that file is not a socket (ENOTSOCK)",
};

/** OpenSSL's verdicts and alerts, and Node's own TLS codes. Undefined where the error has nothing to do with TLS. */
function tlsAdvice(code: string | undefined, error: unknown): string | undefined {
  switch (code) {
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return (
        `no trusted authority signed the peer's certificate (${code}); pass the authority's certificate in PEM form: ` +
        'tls: { ca: readFileSync("ca.crt") }'
      );
    case "CERT_SIGNATURE_FAILURE":
      return `the peer's certificate was not signed by the authority in tls.ca (${code}); is that file up to date?`;
    case "CERT_HAS_EXPIRED":
      return `the peer's certificate has expired (${code}); renew it there`;
    case "CERT_NOT_YET_VALID":
      return `the peer's certificate is not valid yet (${code}); are both clocks right?`;
    case "CERT_REVOKED":
      return `the peer's certificate has been revoked (${code})`;
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return (
        `the peer's certificate is for other names (${messageOf(error)}); connect by a name that it lists, or name the one to ` +
        "check: tls: { servername }"
      );
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
    case "ERR_SSL_HTTP_REQUEST":
      return `the peer does not speak TLS (${code}); use tcp:// or start it with a certificate`;
    case "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL":
    case "ERR_SSL_NO_APPLICATION_PROTOCOL":
      return `the two sides have no protocol in common (${code}); see tls.ALPNProtocols on both`;
    case "ERR_SSL_UNSUPPORTED_PROTOCOL":
    case "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION":
    case "ERR_SSL_NO_SHARED_CIPHER":
      return `the two sides have no TLS version or cipher in common (${code}); at least TLS 1.2 is needed`;
    case "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA":
    case "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE":
    case "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN":
      return `the peer does not accept our certificate (${code}); its tls.ca must hold the authority that signed ours`;
    case "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED":
    case "ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED": // BoringSSL, which Bun has, names it so.
    case "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE":
      return `the peer asks for a client certificate (${code}); pass tls: { cert, key }`;
    case "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE":
      return `the client sent no certificate (${code}); this server asks for one (tls.requestCert)`;
    case "ERR_TLS_HANDSHAKE_TIMEOUT":
      return "the handshake took too long (ERR_TLS_HANDSHAKE_TIMEOUT)";
    case "ERR_OSSL_X509_KEY_VALUES_MISMATCH":
    case "ERR_OSSL_PEM_NO_START_LINE":
      return `tls.key and tls.cert must be a pair, in PEM form (${code})`;
    default:
      break;
  }
  if (code === "ECONNRESET" && /before secure TLS connection/.test(messageOf(error))) {
    return "the peer hung up during the handshake; does it speak TLS, and does it accept us?";
  }
  // Deno's has no code.
  if (messageOf(error) === "TLS handshake timeout") return "the handshake took too long";
  if (code !== undefined && (/^ERR_(SSL|TLS|OSSL)_/.test(code) || code === "EPROTO")) {
    return `${messageOf(error)} (${code})`;
  }
  return undefined;
}

/** Node gives one error for each address that was tried in an AggregateError, whose `code` is that of the first. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  // OpenSSL ends its texts with a line break.
  return (error instanceof Error ? error.message : String(error)).trimEnd();
}

/** `error.code`, where there is one. */
export function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}
