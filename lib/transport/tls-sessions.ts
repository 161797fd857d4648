import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { peerCertificate } from "./node-sockets.ts";

/** A session that may be taken up again. */
export interface KeptSession {
  readonly session: Buffer;
  /** Who the server was: it does not show its certificate again. */
  readonly certificate: X509Certificate | undefined;
}

/**
 * Sessions by the options under which they were made and by what was connected to. Only the very same object of options finds them: a
 * session is not verified anew, so that it must not outlive a change of whom to trust.
 */
const sessions = new WeakMap<object, Map<string, KeptSession>>();

/** Most addresses of which one object of options keeps a session. */
const mostAddresses = 64;

export const sessionFor = (options: object, address: string): KeptSession | undefined =>
  sessions.get(options)?.get(address);

/** Keeps the sessions that a server offers; the newest counts, since some serve once only. */
export const keepSessions = (socket: TLSSocket, options: object, address: string): void => {
  socket.on("session", (session: Buffer) => {
    const kept = sessions.get(options) ?? new Map<string, KeptSession>();
    sessions.set(options, kept);
    kept.delete(address);
    kept.set(address, { session, certificate: peerCertificate(socket) });
    if (kept.size > mostAddresses) kept.delete(kept.keys().next().value!);
  });
};
