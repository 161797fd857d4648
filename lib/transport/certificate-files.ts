import { readFile } from "node:fs/promises";
import { plainFingerprint } from "./certificate-names.ts";
import { CapnpError } from "../errors.ts";
import { crypto } from "./node-modules.ts";
import type { ServerTlsOptions } from "./tls.ts";

/** Where a server's certificates lie, in PEM form. They may be replaced at any time. */
export interface CertificateFiles {
  readonly key: string;
  /** The server's certificate, followed by the intermediate ones. */
  readonly cert: string;
  /** Whose clients' certificates are accepted. */
  readonly ca?: string;
  /** Certificates that are revoked, as their authority lists them. */
  readonly crl?: string;
}

type Contents = { readonly [Name in keyof CertificateFiles]?: string };

const names = ["key", "cert", "ca", "crl"] as const;

async function contentsOf(files: CertificateFiles): Promise<Contents> {
  const read = async (name: (typeof names)[number]): Promise<Contents> => {
    const path = files[name];
    return path === undefined ? {} : { [name]: await readFile(path, "utf8") };
  };
  return Object.assign({}, ...(await Promise.all(names.map(read)))) as Contents;
}

/** Options with the contents of their files, which stand over `key`, `cert`, `ca` and `crl`. Rejects with CAPNP_TLS. */
export async function withCertificateFiles(tls: ServerTlsOptions): Promise<ServerTlsOptions> {
  if (tls.files === undefined) return tls;
  try {
    return { ...tls, ...(await contentsOf(tls.files)) };
  } catch (error) {
    const text = `tls.files cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new CapnpError("CAPNP_TLS", text, { kind: "failed", cause: error });
  }
}

/** Hears of certificates that were read anew: with what they are, or with why the old ones stay. */
export type OnReload = (outcome: { readonly fingerprint256: string; readonly validTo: Date } | Error) => void;

/**
 * Reads the files again and again, and uses what they hold when it has changed. It reads instead of asking the file system for
 * notices, because those do not reach through the links and mounts by which secrets are replaced in containers. Files are
 * replaced one by one: a key that does not fit its certificate is a moment in between, or a mistake, and the old ones stay.
 */
export class CertificateWatch {
  readonly #tls: ServerTlsOptions;
  readonly #use: (tls: ServerTlsOptions) => void;
  readonly #onReload: OnReload;
  readonly #timer: ReturnType<typeof setInterval>;
  /** What was used, or found wanting, last. */
  #last: string;
  #reading = false;

  /** @param tls With the contents of its files, as they are in use. */
  constructor(tls: ServerTlsOptions, use: (tls: ServerTlsOptions) => void, onReload: OnReload) {
    this.#tls = tls;
    this.#use = use;
    this.#onReload = onReload;
    this.#last = JSON.stringify(names.map((name) => tls[name]));
    this.#timer = setInterval(() => void this.#read(), tls.reloadInterval ?? 5_000);
    this.#timer.unref();
  }

  async #read(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      const contents = await contentsOf(this.#tls.files!);
      const text = JSON.stringify(names.map((name) => contents[name]));
      if (text === this.#last) return;
      this.#last = text;
      this.#use({ ...this.#tls, ...contents });
      const { fingerprint256, validTo } = new (crypto().X509Certificate)(contents.cert!);
      this.#onReload({ fingerprint256: plainFingerprint(fingerprint256), validTo: new Date(validTo) });
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#reading = false;
    }
  }

  #failed(error: Error): void {
    // A file that stays away is told of once.
    const text = `error: ${error.message}`;
    if ("syscall" in error) {
      if (this.#last === text) return;
      this.#last = text;
    }
    this.#onReload(error);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
