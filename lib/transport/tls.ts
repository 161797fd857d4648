import type { ConnectionOptions, Server, TLSSocket, TlsOptions } from "node:tls";
import { CapnpError } from "../errors.ts";
import type { CertificateFiles } from "./certificate-files.ts";
import { plainFingerprint } from "./certificate-names.ts";
import * as node from "./node-modules.ts";
import { peerCertificate } from "./node-sockets.ts";
import { socketSettings } from "./tcp.ts";

/** TLS of a client, in Node's own words (`tls.connect`). Without `ca`, the authorities that Node trusts are trusted. */
export type ClientTlsOptions = Pick<
  ConnectionOptions,
  | "ca"
  | "cert"
  | "key"
  | "passphrase"
  | "pfx"
  | "crl"
  | "servername"
  | "rejectUnauthorized"
  | "checkServerIdentity"
  | "minVersion"
  | "maxVersion"
  | "ciphers"
  | "ecdhCurve"
  | "sigalgs"
  | "secureContext"
  | "session"
  | "ALPNProtocols"
> & {
  /**
   * SHA-256 of the certificate that the server must show, or of several of which it must show one; hex, with or without colons.
   * Without `ca` nothing else is asked of the certificate: it may be self-signed, for any name, and expired. With `ca` all of it is.
   */
  readonly fingerprint256?: string | readonly string[];
  /**
   * Whether a session is taken up again when the same options (the same object) connect to the same address, which saves a part of the
   * handshake. Default true.
   */
  readonly resume?: boolean;
};

/**
 * TLS of a server, in Node's own words (`tls.createServer`). `key` and `cert` (or `pfx`, or `SNICallback`) are needed. Clients are
 * not asked for a certificate unless `requestCert` is set; then only those that `ca` signed get in, unless `rejectUnauthorized` is
 * false. `handshakeTimeout` is 10 s by default.
 */
export type ServerTlsOptions = Pick<
  TlsOptions,
  | "ca"
  | "cert"
  | "key"
  | "passphrase"
  | "pfx"
  | "crl"
  | "dhparam"
  | "requestCert"
  | "rejectUnauthorized"
  | "SNICallback"
  | "minVersion"
  | "maxVersion"
  | "ciphers"
  | "honorCipherOrder"
  | "ecdhCurve"
  | "sigalgs"
  | "secureContext"
  | "handshakeTimeout"
  | "sessionTimeout"
  | "ticketKeys"
  | "ALPNProtocols"
  | "ALPNCallback"
> & {
  /**
   * SHA-256 of the certificates of the clients that get in; hex, with or without colons. They are asked for one then. Without `ca`
   * nothing else is asked of it: it may be self-signed and expired. With `ca` all of it is.
   */
  readonly fingerprint256?: string | readonly string[];
  /** The files that hold `key`, `cert`, `ca` and `crl`. They are read again and again: new connections get what is there now. */
  readonly files?: CertificateFiles;
  /** Milliseconds between two readings of `files`. Default: 5 s. */
  readonly reloadInterval?: number;
};

/** What may be replaced while a server goes on: its certificate, whose clients it accepts, and what belongs to that. */
export type ServerCertificates = Omit<
  ServerTlsOptions,
  | "SNICallback"
  | "ALPNProtocols"
  | "ALPNCallback"
  | "fingerprint256"
  | "secureContext"
  | "requestCert"
  | "rejectUnauthorized"
  | "handshakeTimeout"
  | "files"
  | "reloadInterval"
>;

const oldestVersion = "TLSv1.2";

/**
 * A client's options, completed. The server is verified against the host that is connected to: a name is also sent (SNI), an IP
 * address must be in the certificate's alternative names and is never sent.
 */
export function clientTls(tls: ClientTlsOptions, host: string | undefined): ConnectionOptions {
  const check = tls.checkServerIdentity ?? node.tls().checkServerIdentity;
  const servername =
    tls.servername ?? (host === undefined || node.net().isIP(host) !== 0 ? undefined : host.replace(/\.$/, ""));
  const { fingerprint256, resume: _resume, ...rest } = tls;
  return {
    minVersion: oldestVersion,
    // The fingerprint decides alone where no authority is named.
    ...(fingerprint256 === undefined || tls.ca !== undefined ? {} : { rejectUnauthorized: false }),
    ...rest,
    ...(servername === undefined ? {} : { servername }),
    // What a user's function throws would otherwise be thrown at the process.
    checkServerIdentity: (name, certificate) => {
      try {
        return check(name, certificate);
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
      }
    },
  };
}

/**
 * The TLS half of a server. It does not listen: connections are handed to it (its `connection` event), after the limits that must
 * cost an attacker's connection before it costs us a handshake. Throws CAPNP_TLS when there is nothing to show to clients.
 */
export function createTlsServer(tls: ServerTlsOptions): Server {
  requireKey(tls);
  const {
    SNICallback: chooseContext,
    ALPNCallback: chooseProtocol,
    fingerprint256,
    files: _files,
    reloadInterval: _interval,
    ...rest
  } = tls;
  const options: TlsOptions = {
    handshakeTimeout: 10_000,
    minVersion: oldestVersion,
    ...(fingerprint256 === undefined ? {} : { requestCert: true, rejectUnauthorized: tls.ca !== undefined }),
    ...rest,
    allowHalfOpen: socketSettings.allowHalfOpen,
  };
  if (chooseContext !== undefined) {
    // What a user's function throws would otherwise be thrown at the process (CVE-2026-21637).
    options.SNICallback = (name, done) => {
      try {
        chooseContext(name, done);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
      }
    };
  }
  if (chooseProtocol !== undefined) {
    options.ALPNCallback = (offer) => {
      try {
        return chooseProtocol(offer);
      } catch {
        // No protocol is chosen, which the client is told by an alert.
        return undefined;
      }
    };
  }
  return node.tls().createServer(options);
}

/** The fingerprints that a peer may show, in the form that they are compared in. Throws CAPNP_TLS for what is none. */
export function pinsOf(fingerprints: string | readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (fingerprints === undefined) return undefined;
  const pins = (typeof fingerprints === "string" ? [fingerprints] : fingerprints).map(plainFingerprint);
  const wrong = pins.find((pin) => !/^[0-9a-f]{64}$/.test(pin));
  if (wrong === undefined && pins.length > 0) return new Set(pins);
  const what = wrong === undefined ? "an empty list" : `"${wrong}"`;
  const text = `tls.fingerprint256: ${what} is no SHA-256 fingerprint, which has 64 hexadecimal digits`;
  throw new CapnpError("CAPNP_TLS", text, { kind: "failed" });
}

/** What is wrong with a peer whose certificate must be one of those pinned; undefined where nothing is. */
export function pinError(socket: TLSSocket, pins: ReadonlySet<string>, peer: string): CapnpError | undefined {
  const certificate = peerCertificate(socket);
  const shown = certificate === undefined ? undefined : plainFingerprint(certificate.fingerprint256);
  if (shown !== undefined && pins.has(shown)) return undefined;
  const what =
    shown === undefined ? "it sent no certificate" : `the SHA-256 fingerprint of its certificate is ${shown}`;
  const text = `TLS with ${peer} failed: ${what}, and tls.fingerprint256 asks for ${[...pins].join(" or ")}`;
  return new CapnpError("CAPNP_TLS", text);
}

/**
 * Gives a server other certificates: for connections from now on, while those that stand go on. Sessions of before are not resumed.
 * Throws CAPNP_TLS, and changes nothing, where they cannot be used.
 */
export function replaceCertificates(server: Server, certificates: ServerCertificates): void {
  requireKey(certificates);
  const options = { minVersion: oldestVersion, ...certificates } as const;
  try {
    // Node sets what it can before it finds the key to be of another certificate: try it elsewhere first.
    node.tls().createSecureContext(options);
    server.setSecureContext(options);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CapnpError("CAPNP_TLS", `the new key and certificate cannot be used: ${why}`, {
      kind: "failed",
      cause: error,
    });
  }
}

function requireKey(tls: ServerTlsOptions): void {
  if (tls.pfx !== undefined || tls.secureContext !== undefined || tls.SNICallback !== undefined) return;
  if (tls.key !== undefined && tls.cert !== undefined) return;
  const text =
    "a TLS server needs its key and certificate in PEM form: tls: { key, cert }, or tls: { files: { key, cert } }";
  throw new CapnpError("CAPNP_TLS", text, { kind: "failed" });
}
