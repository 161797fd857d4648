import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { loadGenerate } from "../../lib/cli/development-certificates.ts";
import { runCommand } from "../../lib/cli/run-command.ts";
import { CapnpError } from "../../lib/errors.ts";
import { listen } from "../../lib/listen.ts";
import { connect } from "../../lib/connect.ts";
import { recordedTerminal } from "../support/recorded-terminal.ts";

describe("capstan certs", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "capstan-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = async (...args: string[]): Promise<{ status: number; out: string; err: string }> => {
    const terminal = recordedTerminal();
    const status = await runCommand(["certs", ...args], terminal);
    return { status, out: terminal.stdout.text, err: terminal.stderr.text };
  };
  const file = (name: string): string => readFileSync(join(folder, name), "utf8");
  const fingerprint = (name: string): string =>
    new X509Certificate(file(name)).fingerprint256.replaceAll(":", "").toLowerCase();

  it("makes what a server and its clients need to know each other, and prints the fingerprints", async () => {
    const { status, out } = await run(folder, "--client", "alice", "--host", "vat.example.test");
    expect(status).to.equal(0);
    for (const name of ["ca.crt", "server.crt", "alice.crt"])
      expect(out).to.include(`fingerprint ${fingerprint(name)}`);
    expect(out).to.include("localhost, 127.0.0.1, ::1, vat.example.test (new)");
    const ca = file("ca.crt");
    let caller: string | undefined;
    await using server = await listen("tls://localhost:0", {
      tls: { key: file("server.key"), cert: file("server.crt"), ca, requestCert: true },
      authorize: ({ certificate }) => {
        caller = certificate?.fingerprint256;
        return true;
      },
    });
    const tls = { ca, key: file("alice.key"), cert: file("alice.crt"), servername: "vat.example.test" };
    await using client = await connect(server.address, { tls });
    while (caller === undefined) await new Promise((resolve) => setImmediate(resolve));
    expect(caller).to.equal(fingerprint("alice.crt"));
    expect(client.peer.certificate?.fingerprint256).to.equal(fingerprint("server.crt"));
  });

  it("leaves alone what is good, adds names to those that are there, and renews what it is told to", async () => {
    await run(folder, "--host", "one.test");
    const ca = fingerprint("ca.crt");
    const first = fingerprint("server.crt");
    expect((await run(folder)).out).not.to.include("new");
    expect(fingerprint("server.crt")).to.equal(first);
    const { out } = await run(folder, "--host", "*.two.test", "--host", "10.0.0.1");
    expect(out).to.include("localhost, 127.0.0.1, ::1, one.test, *.two.test, 10.0.0.1 (new)");
    const second = fingerprint("server.crt");
    expect(second).not.to.equal(first);
    expect((await run(folder, "--renew", "--days", "30")).out).to.include("(new)");
    expect(fingerprint("server.crt")).not.to.equal(second);
    expect(fingerprint("ca.crt")).to.equal(ca);
    const days = (Date.parse(new X509Certificate(file("server.crt")).validTo) - Date.now()) / 86_400_000;
    expect(days).to.be.within(29, 30);
    expect(file(".gitignore")).to.include("*.key");
  });

  it("refuses arguments that make no sense, and names that are no file's", async () => {
    for (const args of [
      ["--days", "3"],
      ["--days", "x"],
      ["--hots", "a"],
      ["a", "b"],
    ]) {
      const { status, err } = await run(...args);
      expect(status, args.join(" ")).to.equal(2);
      expect(err).to.include("certs:").and.include("capstan certs --help");
    }
    for (const name of ["../alice", "a/b", ".hidden", "server", "ca", ""]) {
      const { status, err } = await run(folder, "--client", name);
      expect(status, name).to.equal(1);
      expect(err).to.include("cannot be the name of a client");
    }
  });

  it("says what to install where the package that makes certificates is missing", async () => {
    const missing = loadGenerate(() => Promise.reject(new Error("Cannot find package 'selfsigned'")));
    const error = await missing.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(CapnpError).with.property("message").that.includes("npm i -D selfsigned");
  });
});
