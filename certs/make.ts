/** Development certificates of this repository: made where there are none, renewed before they expire. See README.md beside this file. */
import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureDevelopmentCertificates, localHosts } from "../lib/cli/development-certificates.ts";

/** Everything in PEM form. */
export interface Certificates {
  /** The local authority's certificate: what clients trust, `tls: { ca }`. */
  readonly ca: string;
  /** The server's certificate for localhost, 127.0.0.1 and ::1. */
  readonly cert: string;
  /** The server's private key. */
  readonly key: string;
  /** A client's certificate, of the same authority. */
  readonly clientCert: string;
  readonly clientKey: string;
}

/**
 * The certificates in `directory` (default: the folder `certs` of this repository), made anew when they are missing, damaged, not
 * for this machine's local names, or within 7 days of their end. Two processes may call it at once: both get the same ones.
 */
export async function ensureCertificates(directory: string = defaultDirectory()): Promise<Certificates> {
  const { ca, server, clients } = await ensureDevelopmentCertificates(directory);
  const client = clients.get("client")!;
  return { ca, cert: server.cert, key: server.key, clientCert: client.cert, clientKey: client.key };
}

/** This file also runs from `dist`, whose `certs` is not the one that is meant. */
function defaultDirectory(): string {
  let root = import.meta.dirname;
  while (!existsSync(join(root, "package.json"))) {
    if (dirname(root) === root)
      throw new Error("no package.json above this file; name the folder for the certificates");
    root = dirname(root);
  }
  return join(root, "certs");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const directory = process.argv[2] ?? defaultDirectory();
  const { cert } = await ensureCertificates(directory);
  console.log(`${directory}: certificates for ${localHosts.join(", ")} until ${new X509Certificate(cert).validTo}`);
}
