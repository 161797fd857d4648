import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { CapnpError } from "../errors.ts";
import { splitNames } from "../transport/certificate-names.ts";
import { lockFile, readIfThere, replaceFile } from "./certificate-files.ts";

/** A certificate and its private key, in PEM form. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What was found or made. */
export interface DevelopmentCertificates {
  /** Of the authority that has signed all others: what both sides trust, `tls: { ca }`. */
  readonly ca: string;
  readonly server: KeyPair;
  readonly clients: ReadonlyMap<string, KeyPair>;
  /** The names of the files that are new. */
  readonly made: readonly string[];
}

export interface CertificateOptions {
  /** Names and IP addresses of the server, besides this machine's own and those that its certificate has already. */
  readonly hosts?: readonly string[];
  /** A certificate for each of these clients. Default: one, `client`. */
  readonly clients?: readonly string[];
  /** How long new ones are valid. Default: 365. */
  readonly days?: number;
  /** Makes new ones though the old ones are good; the authority stays. */
  readonly renew?: boolean;
}

export const localHosts = ["localhost", "127.0.0.1", "::1"] as const;

const day = 24 * 60 * 60 * 1000;
const renewBefore = 7 * day;

type Generate = typeof import("selfsigned")["generate"];

/**
 * Certificates for development in a folder: an authority (`ca.crt`, `ca.key`), a server (`server.crt`, `server.key`) and clients
 * (`NAME.crt`, `NAME.key`). What is missing, damaged, for other names, or within 7 days of its end is made anew; the rest stays, so
 * that whoever trusts the authority goes on doing so. Two processes may call it at once: both get the same ones.
 *
 * The authority's key is kept beside them, readable by its owner only. It can sign for any name: nothing but the programs that one
 * develops should trust it.
 */
export async function ensureDevelopmentCertificates(
  directory: string,
  options: CertificateOptions = {},
): Promise<DevelopmentCertificates> {
  const { clients = ["client"], renew = false } = options;
  for (const name of clients) {
    if (!/^[\w.@-]+$/.test(name) || name.startsWith(".") || name === "ca" || name === "server") {
      const text = `"${name}" cannot be the name of a client: it becomes the name of a file; use letters, digits and . _ - @`;
      throw new CapnpError("CAPNP_TYPE", text);
    }
  }
  await mkdir(directory, { recursive: true });
  const unlock = await lockFile(join(directory, ".lock"));
  try {
    const folder = new CertificateFolder(directory, options.days ?? 365);
    const authority = await folder.authority();
    const hosts = [...new Set([...(await folder.hostsOf("server")), ...(options.hosts ?? [])])];
    const server = await folder.leaf("server", authority, hosts, "server", renew);
    const pairs = new Map<string, KeyPair>();
    for (const name of clients) pairs.set(name, await folder.leaf(name, authority, [name], "client", renew));
    return { ca: authority.cert, server, clients: pairs, made: folder.made };
  } finally {
    await unlock();
  }
}

class CertificateFolder {
  readonly made: string[] = [];
  readonly #directory: string;
  readonly #days: number;
  #generate: Generate | undefined;

  constructor(directory: string, days: number) {
    this.#directory = directory;
    this.#days = days;
  }

  async authority(): Promise<KeyPair> {
    const found = await this.#read("ca");
    if (found !== undefined && isAuthority(found)) return found;
    // The name is unique, so that nothing takes one authority for another.
    const name = `Capstan development authority ${randomBytes(4).toString("hex")}`;
    return this.#make("ca", name, undefined, [
      { name: "basicConstraints", cA: true, pathLenConstraint: 0, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ]);
  }

  /** The names in a certificate that is there, and this machine's. */
  async hostsOf(name: string): Promise<string[]> {
    const found = await this.#read(name);
    if (found === undefined) return [...localHosts];
    try {
      return [...new Set([...localHosts, ...certifiedNames(new X509Certificate(found.cert))])];
    } catch {
      // Damaged: it is made anew in any case.
      return [...localHosts];
    }
  }

  async leaf(
    name: string,
    authority: KeyPair,
    names: readonly string[],
    side: "server" | "client",
    renew: boolean,
  ): Promise<KeyPair> {
    const found = renew ? undefined : await this.#read(name);
    if (found !== undefined && isLeaf(found, authority, side === "server" ? names : [])) return found;
    const usage = side === "server" ? { serverAuth: true, clientAuth: true } : { clientAuth: true };
    return this.#make(name, names[0]!, authority, [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", ...usage },
      { name: "subjectAltName", altNames: names.map(alternativeName) },
    ]);
  }

  async #read(name: string): Promise<KeyPair | undefined> {
    const [cert, key] = await Promise.all(
      ["crt", "key"].map((extension) => readIfThere(join(this.#directory, `${name}.${extension}`))),
    );
    return cert === undefined || key === undefined ? undefined : { cert, key };
  }

  async #make(
    name: string,
    commonName: string,
    authority: KeyPair | undefined,
    extensions: NonNullable<NonNullable<Parameters<Generate>[1]>["extensions"]>,
  ): Promise<KeyPair> {
    this.#generate ??= await loadGenerate();
    const now = Date.now();
    const { cert, private: key } = await this.#generate([{ name: "commonName", value: commonName }], {
      keyType: "ec",
      curve: "P-256",
      algorithm: "sha256",
      // A little in the past, for the clocks of containers and virtual machines.
      notBeforeDate: new Date(now - day),
      notAfterDate: new Date(now + this.#days * day),
      ...(authority === undefined ? {} : { ca: authority }),
      extensions,
    });
    const pair = { cert: `${cert.trimEnd()}\n`, key: `${key.trimEnd()}\n` };
    await replaceFile(join(this.#directory, `${name}.key`), pair.key, 0o600);
    await replaceFile(join(this.#directory, `${name}.crt`), pair.cert, 0o644);
    this.made.push(`${name}.crt`);
    return pair;
  }
}

/** Whom a certificate is for. */
export const certifiedNames = ({ subjectAltName }: X509Certificate): string[] =>
  // OpenSSL writes ::1 out in full.
  splitNames(subjectAltName ?? "").map((one) => one.replace(/^[\w ]+:/, "").replace(/^0:0:0:0:0:0:0:1$/, "::1"));

const alternativeName = (name: string) => {
  if (isIP(name) !== 0) return { type: 7 as const, ip: name };
  return { type: name.includes("@") ? (1 as const) : (2 as const), value: name };
};

const isAuthority = ({ cert, key }: KeyPair): boolean => {
  try {
    const certificate = new X509Certificate(cert);
    return certificate.ca && isFresh(certificate) && certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    // Not PEM, or not what it should be: a new one is made.
    return false;
  }
};

const isLeaf = ({ cert, key }: KeyPair, authority: KeyPair, hosts: readonly string[]): boolean => {
  try {
    const certificate = new X509Certificate(cert);
    const issuer = new X509Certificate(authority.cert);
    return (
      isFresh(certificate) &&
      certificate.checkPrivateKey(createPrivateKey(key)) &&
      certificate.checkIssued(issuer) &&
      certificate.verify(issuer.publicKey) &&
      hosts.every((host) => (isIP(host) === 0 ? isFor(certificate, host) : certificate.checkIP(host) !== undefined))
    );
  } catch {
    // As above.
    return false;
  }
};

/** Also for `*.example.test`, which is no host that could be checked. */
const isFor = (certificate: X509Certificate, host: string): boolean =>
  splitNames(certificate.subjectAltName ?? "").includes(`DNS:${host}`);

const isFresh = (certificate: X509Certificate): boolean => Date.parse(certificate.validTo) > Date.now() + renewBefore;

/** @param load For tests. */
export async function loadGenerate(
  load: () => Promise<{ generate: Generate }> = () => import("selfsigned"),
): Promise<Generate> {
  try {
    return (await load()).generate;
  } catch (error) {
    const text = "Certificates are made with the package selfsigned, which is not installed here: npm i -D selfsigned";
    throw new CapnpError("CAPNP_TLS", text, { kind: "failed", cause: error });
  }
}
