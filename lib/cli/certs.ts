import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { plainFingerprint } from "../transport/certificate-names.ts";
import { readIfThere } from "./certificate-files.ts";
import { certifiedNames, ensureDevelopmentCertificates, localHosts } from "./development-certificates.ts";
import { type Command, UsageError, write } from "./terminal.ts";

const usage = `Usage: capstan certs [OPTIONS] [DIR]

Makes certificates for development in DIR (default: certs): an authority, a server's and
clients', each with its private key. Run again, it makes anew what is missing, for other
names, or within 7 days of its end, and leaves the rest alone.

Options:
  --host NAME    a name or IP address of the server, besides ${localHosts.join(", ")}
                 and what its certificate has already; may be given several times
  --client NAME  a client to make a certificate for; may be given several times
                 (default: client)
  --days N       how long new certificates are valid (default: 365)
  --renew        makes new certificates even where the old ones are good
`;

interface Arguments {
  readonly directory: string;
  readonly hosts: readonly string[] | undefined;
  readonly clients: readonly string[] | undefined;
  readonly days: number;
  readonly renew: boolean;
}

const read = (args: readonly string[]): Arguments => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        host: { type: "string", multiple: true },
        client: { type: "string", multiple: true },
        days: { type: "string", default: "365" },
        renew: { type: "boolean", default: false },
      },
    });
    if (positionals.length > 1) throw new UsageError("certs: takes one folder");
    const days = Number(values.days);
    if (!Number.isInteger(days) || days < 8 || days > 36_500) {
      throw new UsageError(`certs: --days must be a number from 8 to 36500, not ${values.days}`);
    }
    return {
      directory: positionals[0] ?? "certs",
      hosts: values.host,
      clients: values.client,
      days,
      renew: values.renew,
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`certs: ${error instanceof Error ? error.message : String(error)}`);
  }
};

/** Nobody should commit a key because a folder is new. */
const ignoreInGit = async (directory: string): Promise<void> => {
  const path = join(directory, ".gitignore");
  if ((await readIfThere(path)) === undefined) await writeFile(path, "*.key\n*.crt\n*.pem\n.lock\n");
};

const describe = (directory: string, name: string, pem: string, isNew: boolean): string => {
  const certificate = new X509Certificate(pem);
  const { subject, validTo, fingerprint256, ca } = certificate;
  const path = relative("", join(directory, `${name}.crt`));
  const until = new Date(validTo).toISOString().slice(0, 10);
  return [
    `${path}: ${ca ? subject.replace(/^CN=/, "") : certifiedNames(certificate).join(", ")}${isNew ? " (new)" : ""}`,
    `  valid until ${until}`,
    `  fingerprint ${plainFingerprint(fingerprint256)}`,
    "",
  ].join("\n");
};

export const certsCommand: Command = {
  summary: "Makes certificates for development.",
  usage,
  async run(args, { stdout }) {
    const { directory, hosts, clients, days, renew } = read(args);
    const made = await ensureDevelopmentCertificates(directory, {
      days,
      renew,
      ...(hosts === undefined ? {} : { hosts }),
      ...(clients === undefined ? {} : { clients }),
    });
    await ignoreInGit(directory);
    const all = [
      ["ca", made.ca],
      ["server", made.server.cert],
      ...[...made.clients].map(([name, { cert }]) => [name, cert]),
    ];
    const lines = all.map(([name, pem]) => describe(directory, name!, pem!, made.made.includes(`${name}.crt`)));
    await write(stdout, lines.join(""));
    return 0;
  },
};
