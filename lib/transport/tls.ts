import { isIP } from "node:net";
import { type ConnectionOptions, checkServerIdentity, createServer, type Server, type TlsOptions } from "node:tls";
import { CapnpError } from "../errors.ts";
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
>;

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
>;

const oldestVersion = "TLSv1.2";

/**
 * A client's options, completed. The server is verified against the host that is connected to: a name is also sent (SNI), an IP
 * address must be in the certificate's alternative names and is never sent.
 */
export function clientTls(tls: ClientTlsOptions, host: string | undefined): ConnectionOptions {
  const check = tls.checkServerIdentity ?? checkServerIdentity;
  const servername = tls.servername ?? (host === undefined || isIP(host) !== 0 ? undefined : host.replace(/\.$/, ""));
  return {
    minVersion: oldestVersion,
    ...tls,
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
  if (tls.pfx === undefined && tls.secureContext === undefined && tls.SNICallback === undefined) {
    if (tls.key === undefined || tls.cert === undefined) {
      const text = "a TLS server needs its key and certificate in PEM form: tls: { key, cert }";
      throw new CapnpError("CAPNP_TLS", text, { kind: "failed" });
    }
  }
  const { SNICallback: chooseContext, ...rest } = tls;
  const options: TlsOptions = {
    handshakeTimeout: 10_000,
    minVersion: oldestVersion,
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
  return createServer(options);
}
