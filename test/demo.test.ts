import { expect } from "chai";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Processes } from "./support/processes.ts";
import { repositoryRoot } from "./support/repository.ts";

const script = (name: string): string => join(repositoryRoot, "dist", name);
const results = [123, 101, 27, 29, 1234, 4244, 512];

/** The results that a calculator client has printed, in order. */
const printed = (stdout: string): number[] => [...stdout.matchAll(/ = (\d+)/g)].map((found) => Number(found[1]));

describe("the example programs", () => {
  const processes = new Processes();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "capstan-"));
  });

  after(async () => {
    await processes.stop();
    await rm(folder, { recursive: true });
  });

  it("are all in the demo, which makes no code from strings", async () => {
    const flags = ["--disallow-code-generation-from-strings"];
    const { status, stdout, stderr } = await processes.run(process.execPath, [...flags, script("clients/demo.js")]);
    expect(stderr).to.equal("");
    expect(printed(stdout)).to.deep.equal(results);
    expect(stdout)
      .to.match(/TLS/)
      .and.to.match(/5 round trips/);
    expect(status).to.equal(0);
  });

  for (const { name, address } of [
    { name: "a Unix socket", address: () => `unix:${join(folder, "socket")}` },
    { name: "every interface", address: () => "*:0" },
    { name: "TLS", address: () => "tls://localhost:0" },
  ]) {
    it(`calculate over ${name}, and the server prints one line`, async () => {
      const server = processes.start(process.execPath, [script("servers/main.js"), "calculator", address()]);
      await server.line(/^listening on /);
      const listening = server.stdout.trim();
      const at = listening.replace(/^listening on (\*:)?/, (_, any) => (any === undefined ? "" : "127.0.0.1:"));
      const { status, stdout } = await processes.run(process.execPath, [script("clients/main.js"), "calculator", at]);
      expect(printed(stdout)).to.deep.equal(results);
      expect(status).to.equal(0);
      expect(server.stdout.trim().split("\n")).to.deep.equal([listening]);
      await server.stop();
    });
  }

  it("fail with one line and status 1 where there is no server", async () => {
    const nowhere = `unix:${join(folder, "nobody")}`;
    const { status, stderr } = await processes.run(process.execPath, [
      script("clients/main.js"),
      "calculator",
      nowhere,
    ]);
    expect(status).to.equal(1);
    expect(stderr.trim().split("\n")).to.have.length(1);
    expect(stderr).to.include("nobody");
  });

  it("say how they are used where they are called wrongly", async () => {
    for (const name of ["servers/main.js", "clients/main.js"]) {
      const { status, stderr } = await processes.run(process.execPath, [script(name)]);
      expect(status).to.equal(1);
      expect(stderr).to.match(/usage: npm run (server|client)/);
    }
  });
});
