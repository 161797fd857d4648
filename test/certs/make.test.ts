import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { generate } from "selfsigned";
import { type Certificates, ensureCertificates } from "../../certs/make.ts";

const script = fileURLToPath(new URL("../../certs/make.js", import.meta.url));
const run = promisify(execFile);

describe("development certificates", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "capstan-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (name: string): string => readFileSync(join(folder, name), "utf8");

  const onDisk = (): Certificates => ({
    ca: file("ca.crt"),
    cert: file("server.crt"),
    key: file("server.key"),
    clientCert: file("client.crt"),
    clientKey: file("client.key"),
  });

  it("are for this machine's local names, signed by one authority, with keys that only their owner may read", async () => {
    const made = await ensureCertificates(join(folder, "new"));
    const server = new X509Certificate(made.cert);
    const authority = new X509Certificate(made.ca);
    expect(authority.ca).to.equal(true);
    expect(server.ca).to.equal(false);
    expect(server.checkIssued(authority) && server.verify(authority.publicKey)).to.equal(true);
    expect(server.checkHost("localhost")).to.equal("localhost");
    for (const ip of ["127.0.0.1", "::1"]) expect(server.checkIP(ip)).not.to.equal(undefined);
    expect(server.publicKey.asymmetricKeyDetails?.namedCurve).to.equal("prime256v1");
    const client = new X509Certificate(made.clientCert);
    expect(client.checkIssued(authority) && client.verify(authority.publicKey)).to.equal(true);
    expect(client.keyUsage).to.deep.equal(["1.3.6.1.5.5.7.3.2"]);
    for (const name of ["ca.key", "server.key", "client.key"]) {
      expect(statSync(join(folder, "new", name)).mode & 0o777, name).to.equal(0o600);
    }
  });

  it("are kept while they are good", async () => {
    const made = await ensureCertificates(folder);
    expect(await ensureCertificates(folder)).to.deep.equal(made);
    expect(onDisk()).to.deep.equal(made);
  });

  it("are made anew when a file is missing, damaged, or of another set", async () => {
    let last = await ensureCertificates(folder);
    const { ca } = last;
    const foreign = await ensureCertificates(join(folder, "other"));
    const damages: (() => void)[] = [
      () => writeFileSync(join(folder, "server.crt"), "-----BEGIN CERTIFICATE-----\nnonsense\n"),
      () => writeFileSync(join(folder, "server.key"), foreign.key),
      () => rmSync(join(folder, "ca.crt")),
      () => writeFileSync(join(folder, "ca.crt"), foreign.ca),
    ];
    for (const damage of damages) {
      damage();
      const next = await ensureCertificates(folder);
      expect(next.key).not.to.equal(last.key);
      expect(onDisk()).to.deep.equal(next);
      if (damage === damages[0] || damage === damages[1]) expect(next.ca).to.equal(ca);
      else expect(next.ca).not.to.equal(ca);
      last = next;
    }
  });

  it("are made anew within 7 days of their end, and when they are not for localhost", async () => {
    const day = 24 * 60 * 60 * 1000;
    const name = [{ name: "commonName", value: "x" }];
    const ec = { keyType: "ec", algorithm: "sha256" } as const;
    for (const [days, host] of [
      [6, "localhost"],
      [300, "example.com"],
    ] as const) {
      const altNames = [
        { type: 2 as const, value: host },
        { type: 7 as const, ip: "127.0.0.1" },
        { type: 7 as const, ip: "::1" },
      ];
      const old = await generate(name, {
        ...ec,
        notAfterDate: new Date(Date.now() + days * day),
        extensions: [
          { name: "basicConstraints", cA: true },
          { name: "subjectAltName", altNames },
        ],
      });
      writeFileSync(join(folder, "ca.crt"), old.cert);
      writeFileSync(join(folder, "server.crt"), old.cert);
      writeFileSync(join(folder, "server.key"), old.private);
      const made = await ensureCertificates(folder);
      expect(made.cert).not.to.equal(old.cert);
      expect(new X509Certificate(made.cert).checkHost("localhost")).to.equal("localhost");
    }
  });

  it("are the same for processes that make them at once", async () => {
    const source = `import(${JSON.stringify(new URL("../../certs/make.js", import.meta.url).href)})
      .then(async (m) => process.stdout.write(JSON.stringify(await m.ensureCertificates(process.argv[1]))))`;
    const outputs = await Promise.all([1, 2, 3].map(() => run(process.execPath, ["-e", source, folder])));
    for (const { stdout } of outputs) expect(JSON.parse(stdout)).to.deep.equal(onDisk());
    expect(existsSync(join(folder, ".lock"))).to.equal(false);
  });

  it("are not held up by the lock of a process that was killed", async () => {
    const lock = join(folder, ".lock");
    writeFileSync(lock, "");
    utimesSync(lock, new Date(0), new Date(0));
    await ensureCertificates(folder);
    expect(existsSync(lock)).to.equal(false);
  });

  it("are made by the script, too", async () => {
    const { stdout } = await run(process.execPath, [script, folder]);
    expect(stdout).to.contain("localhost, 127.0.0.1, ::1");
    expect(await ensureCertificates(folder)).to.deep.equal(onDisk());
  });
});
