import { expect } from "chai";
import { join } from "node:path";
import { Processes } from "../support/processes.ts";
import { repositoryRoot } from "../support/repository.ts";

const main = join(repositoryRoot, "dist", "servers", "main.js");

describe("the examples' servers", function () {
  this.timeout(30_000);
  const processes = new Processes();
  afterEach(() => processes.stop());

  for (const LOG_FORMAT of ["json", "pretty"]) {
    it(`end in order when they are told to, and log it on standard error (LOG_FORMAT=${LOG_FORMAT})`, async () => {
      const server = processes.start(process.execPath, [main, "chat", "127.0.0.1:0"], { env: { LOG_FORMAT } });
      await server.line(/^listening on /);
      await server.stop();
      const { status, stdout, stderr } = await server.finished();
      expect(status).to.equal(0);
      expect(stdout.trim().split("\n")).to.have.length(1);
      expect(stderr).to.include("SIGTERM").and.to.include("stopping");
    });
  }

  it("say in one line that an address is taken", async () => {
    const first = processes.start(process.execPath, [main, "thread", "127.0.0.1:0"]);
    const [, address = ""] = await first.line(/^listening on (.*)$/);
    const { status, stderr } = await processes.run(process.execPath, [main, "workerpool", address, "1"]);
    expect(status).to.equal(1);
    expect(stderr.trim().split("\n")).to.have.length(1);
    expect(stderr).to.include(address);
  });

  it("refuse a pool of no threads", async () => {
    const { status, stderr } = await processes.run(process.execPath, [main, "workerpool", "127.0.0.1:0", "none"]);
    expect(status).to.equal(1);
    expect(stderr).to.equal("a pool has 1 thread or more, not NaN\n");
  });
});
