import { expect } from "chai";
import { connect } from "capstan";
import { cppProgram } from "../support/interop.ts";
import { Processes } from "../support/processes.ts";
import { rustPeer } from "../support/rust-peer.ts";
import { emptyTables, rejection, tablesOf } from "../support/vats.ts";
import { Torture } from "./torture/torture.capnp.ts";

const builds: Readonly<Record<string, (context: Mocha.Context) => Promise<string>>> = {
  "C++": (context) => cppProgram.call(context, "torture-peer"),
  Rust: (context) => rustPeer.call(context),
};

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

for (const [language, build] of Object.entries(builds)) {
  describe(`a keepalive, with a peer in ${language}`, function () {
    this.timeout(60_000);
    const processes = new Processes();
    let peer: string;

    before(async function () {
      peer = await build(this);
    });

    afterEach(() => processes.stop());

    const serve = async () => {
      const server = processes.start(peer, ["serve", "127.0.0.1:0"]);
      const [, port] = await server.line(/^listening on \S+:(\d+)$/);
      return { server, address: `127.0.0.1:${port}` };
    };

    it("is answered however often it asks, and leaves nothing behind", async () => {
      const { server, address } = await serve();
      const client = await connect(address, { keepalive: { idle: 5, timeout: 5_000 } });
      const torture = client.bootstrap(Torture);
      await torture.order();
      const { received } = client.stats();
      while (client.stats().received < received + 10) await pause(5);
      expect((await torture.order()).n).to.equal(1);
      torture.release();
      while (client.stats().questions > 0) await pause(1);
      expect(tablesOf(client.stats())).to.deep.equal(emptyTables);
      await client.close();
      await server.kill();
    });

    it("finds out that it stands still, and the client goes on with another one", async () => {
      const [first, second] = [await serve(), await serve()];
      const client = await connect([first.address, second.address], {
        reconnect: { minDelay: 1 },
        keepalive: { idle: 100, timeout: 200 },
        connectTimeout: 1_000,
      });
      const torture = client.bootstrap(Torture);
      await torture.order();
      first.server.suspend();
      const lost = await rejection(torture.order());
      expect(lost).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
      // The system still accepts connections for a process that stands still; only its answer tells.
      expect((await torture.order()).n).to.equal(0);
      expect(client.peer.address).to.equal(second.address);
      await client.close();
      await Promise.all([first.server.kill(), second.server.kill()]);
    });
  });
}
