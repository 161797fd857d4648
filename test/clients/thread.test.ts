import { expect } from "chai";
import { join } from "node:path";
import { ensureCertificates } from "../../certs/make.ts";
import { followThread } from "../../clients/thread/client.ts";
import { Processes } from "../support/processes.ts";
import { repositoryRoot } from "../support/repository.ts";

const main = join(repositoryRoot, "dist", "servers", "main.js");

describe("the thread example", () => {
  const processes = new Processes();
  after(() => processes.stop());

  const start = async (address: string) => {
    const server = processes.start(process.execPath, [main, "thread", address]);
    await server.line(/^listening on /);
    return { server, address: server.stdout.trim().replace("listening on ", "") };
  };

  it("comes through the death of its server, with TLS: calls return, and the news go on", async function () {
    this.timeout(20_000);
    const { ca } = await ensureCertificates();
    const first = await start("tls://localhost:0");
    const lines: string[] = [];
    const done = followThread(first.address, { tls: { ca } }, 3, (line) => lines.push(line));
    while (!lines.includes("call 1: true")) await new Promise((resolve) => setTimeout(resolve, 10));
    await first.server.kill();
    const second = await start(first.address);
    await done;
    await second.server.stop();
    const calls = lines.filter((line) => line.startsWith("call"));
    expect(calls).to.deep.equal(["call 1: true", "call 2: true", "call 3: true"]);
    expect(lines.filter((line) => line.startsWith("session"))).to.deep.equal(["session 1", "session 2"]);
    const news = lines.slice(lines.indexOf("session 2")).filter((line) => line === "status: true");
    expect(news).to.have.length.greaterThan(0);
  });
});
