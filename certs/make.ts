/** Development certificates: made where there are none, renewed before they expire. See README.md beside this file. */
import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, mkdir, open, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { generate } from "selfsigned";

/** Everything in PEM form. */
export interface Certificates {
  /** The local authority's certificate: what clients trust, `tls: { ca }`. */
  readonly ca: string;
  /** The server's certificate for localhost, 127.0.0.1 and ::1. */
  readonly cert: string;
  /** The server's private key. */
  readonly key: string;
}

const day = 24 * 60 * 60 * 1000;
const lifetime = 365 * day;
const renewBefore = 7 * day;
const hosts = ["localhost", "127.0.0.1", "::1"];
/** Making takes a fraction of a second; an older lock is that of a process which was killed. */
const lockLifetime = 30_000;

/**
 * The certificates in `directory` (default: the folder `certs` of this repository), made anew when they are missing, damaged, not
 * for this machine's local names, or within 7 days of their end. Two processes may call it at once: both get the same ones.
 */
export async function ensureCertificates(directory: string = defaultDirectory()): Promise<Certificates> {
  const found = await readCertificates(directory);
  if (found !== undefined) return found;
  await mkdir(directory, { recursive: true });
  const unlock = await lock(join(directory, ".lock"));
  try {
    // Another process may have made them while this one waited.
    const made = await readCertificates(directory);
    if (made !== undefined) return made;
    const certificates = await makeCertificates();
    await replace(join(directory, "server.key"), certificates.key, 0o600);
    await replace(join(directory, "server.crt"), certificates.cert, 0o644);
    await replace(join(directory, "ca.crt"), certificates.ca, 0o644);
    return certificates;
  } finally {
    await unlock();
  }
}

/** The three files where they are a usable set, checked against each other: another process may be replacing them one by one. */
async function readCertificates(directory: string): Promise<Certificates | undefined> {
  const [ca, cert, key] = await Promise.all(
    ["ca.crt", "server.crt", "server.key"].map((name) => readIfThere(join(directory, name))),
  );
  if (ca === undefined || cert === undefined || key === undefined) return undefined;
  return usable({ ca, cert, key }) ? { ca, cert, key } : undefined;
}

function usable({ ca, cert, key }: Certificates): boolean {
  try {
    const authority = new X509Certificate(ca);
    const server = new X509Certificate(cert);
    const end = Date.now() + renewBefore;
    return (
      server.checkPrivateKey(createPrivateKey(key)) &&
      server.checkIssued(authority) &&
      server.verify(authority.publicKey) &&
      Date.parse(server.validTo) > end &&
      Date.parse(authority.validTo) > end &&
      hosts.every((host) => (server.checkHost(host) ?? server.checkIP(host)) !== undefined)
    );
  } catch {
    // Not PEM, or not what it should be: new ones are made.
    return false;
  }
}

/** The authority's key is not kept: it signs this one certificate, and nobody can make it sign another. */
async function makeCertificates(): Promise<Certificates> {
  const common = {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    // A little in the past, for the clocks of containers and virtual machines.
    notBeforeDate: new Date(Date.now() - day),
    notAfterDate: new Date(Date.now() + lifetime),
  } as const;
  // The name is unique, so that nothing takes one year's authority for another's.
  const name = `Capstan development authority ${randomBytes(4).toString("hex")}`;
  const authority = await generate([{ name: "commonName", value: name }], {
    ...common,
    extensions: [
      { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: "localhost" }], {
    ...common,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true, clientAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
          { type: 7, ip: "::1" },
        ],
      },
    ],
  });
  return { ca: ended(authority.cert), cert: ended(server.cert), key: ended(server.private) };
}

function ended(pem: string): string {
  return `${pem.trimEnd()}\n`;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** A reader sees the old file or the new one, never a part. */
async function replace(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}.pem`;
  await writeFile(temporary, text, { mode });
  await chmod(temporary, mode);
  await rename(temporary, path);
}

/** Waits until this process is the only one between here and the call of what it returns. */
async function lock(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await (await open(path, "wx")).close();
      return () => unlink(path);
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
    try {
      if (Date.now() - (await stat(path)).mtimeMs > lockLifetime) await unlink(path);
    } catch (error) {
      // Whoever held it has just let it go.
      if (!hasCode(error, "ENOENT")) throw error;
    }
    await delay(20);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
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
  console.log(`${directory}: certificates for ${hosts.join(", ")} until ${new X509Certificate(cert).validTo}`);
}
