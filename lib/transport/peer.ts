import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { formatHostPort } from "./address.ts";
import { plainFingerprint, splitNames } from "./certificate-names.ts";
import { isSocket, isTlsSocket, peerCertificate } from "./node-sockets.ts";
import type { PeerCertificate, PeerInfo } from "./transport.ts";

/**
 * What a stream itself tells of its peer. A stream that is no socket tells nothing: its address is `stream`.
 *
 * @param isPinned Its certificate was compared with one that is known, whoever signed it.
 */
export function peerOf(stream: object, isPinned = false): PeerInfo {
  if (!isSocket(stream)) return { address: "stream", encrypted: false, authenticated: false };
  const address = addressOf(stream);
  if (!isTlsSocket(stream)) return { address, encrypted: false, authenticated: false };
  const certificate = certificateOf(stream);
  const tlsProtocol = stream.getProtocol();
  const authenticated = certificate !== undefined && (stream.authorized || isPinned);
  const alpn = stream.alpnProtocol;
  const peer = {
    address,
    encrypted: true,
    authenticated,
    ...(tlsProtocol === null ? {} : { tlsProtocol }),
    ...(typeof alpn === "string" ? { alpnProtocol: alpn } : {}),
  };
  return certificate === undefined ? peer : { ...peer, certificate };
}

/** The remote host as the per-host limit counts it, undefined for a Unix socket. An IPv4 address is never in its IPv6 disguise. */
export function remoteHost(socket: Socket): string | undefined {
  return socket.remoteAddress?.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

/** `host:port`; for a Unix socket, whose clients have no name, `unix:`; `unknown` when the peer has gone already. */
export function addressOf(socket: Socket): string {
  const host = remoteHost(socket);
  if (host !== undefined && socket.remotePort !== undefined) return formatHostPort(host, socket.remotePort);
  return socket.remoteFamily === undefined && !socket.destroyed ? "unix:" : "unknown";
}

function certificateOf(socket: TLSSocket): PeerCertificate | undefined {
  const certificate = peerCertificate(socket);
  if (certificate === undefined) return undefined;
  return {
    raw: new Uint8Array(certificate.raw),
    subject: certificate.subject,
    issuer: certificate.issuer,
    subjectAltName: certificate.subjectAltName ?? "",
    alternativeNames: splitNames(certificate.subjectAltName ?? ""),
    fingerprint256: plainFingerprint(certificate.fingerprint256),
    validFrom: new Date(certificate.validFrom),
    validTo: new Date(certificate.validTo),
  };
}
