import type { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { crypto, isNode, net, tls } from "./node-modules.ts";

/** Whether it is a socket of Node: TCP, TLS, Unix, or a pipe to another process. */
export const isSocket = (stream: object): stream is Socket => isNode && stream instanceof net().Socket;

/** `encrypted` is what Node gives each of them to be known by: without it none need be loaded to tell. */
export const isTlsSocket = (stream: object): stream is TLSSocket =>
  isNode && "encrypted" in stream && stream instanceof tls().TLSSocket;

/** Of sockets that take a session up again: who the peer was when the session was made. */
const known = new WeakMap<TLSSocket, X509Certificate>();

/** Says who the peer is if the socket takes its session up again: a server does not show its certificate then. */
export function rememberPeer(socket: TLSSocket, certificate: X509Certificate): void {
  known.set(socket, certificate);
}

/**
 * The certificate that the peer has shown. Not by `getPeerX509Certificate`, which takes it out of the chain at a client: the next who
 * asks is given the certificate after it, or none.
 */
export function peerCertificate(socket: TLSSocket): X509Certificate | undefined {
  // Node gives an empty object where there is none, Deno null.
  const raw = (socket.getPeerCertificate() as PeerCertificate | null)?.raw;
  if (raw !== undefined) return new (crypto().X509Certificate)(raw);
  return socket.isSessionReused() ? known.get(socket) : undefined;
}
