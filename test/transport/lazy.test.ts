import { expect } from "chai";
import { RunningProcess } from "../support/processes.ts";

describe("what the library loads", () => {
  it("has neither node:tls nor node:dns in it before something needs them", async () => {
    const index = new URL("../../lib/index.js", import.meta.url).href;
    const script = `
      const { connect, listen } = await import("${index}");
      const seen = () => ["tls", "dns/promises"].map((name) => process.moduleLoadList.includes("NativeModule " + name)).join();
      const before = seen();
      const server = await listen("127.0.0.1:0", {});
      const client = await connect(server.address, { reconnect: false });
      const plain = seen();
      client.close();
      await server.close();
      await connect("tls://localhost:1", { reconnect: false }).catch(() => undefined);
      console.log(before, plain, seen());
      process.exit();
    `;
    const child = new RunningProcess(process.execPath, ["--conditions=unbundled", "--input-type=module", "-e", script]);
    const { stdout, stderr } = await child.finished();
    expect(stderr).to.equal("");
    expect(stdout).to.equal("false,false false,false true,false\n");
  });

  it("has neither ws nor node:http in it before the first WebSocket", async () => {
    const index = new URL("../../lib/index.js", import.meta.url).href;
    const script = `
      import { createRequire } from "node:module";
      const { cache } = createRequire("${index}");
      const seen = () => [
        Object.keys(cache).some((path) => /[\\\\/]ws[\\\\/]/.test(path)),
        process.moduleLoadList.includes("NativeModule http"),
      ].join();
      const before = process.moduleLoadList.includes("NativeModule http");
      const { listen } = await import("${index}");
      const after = seen();
      const server = await listen("ws://127.0.0.1:0", {});
      await server.close();
      console.log(before, after, seen());
    `;
    const child = new RunningProcess(process.execPath, ["--conditions=unbundled", "--input-type=module", "-e", script]);
    const { stdout, stderr } = await child.finished();
    expect(stderr).to.equal("");
    expect(stdout).to.equal("false false,false true,true\n");
  });
});
