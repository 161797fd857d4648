import { expect } from "chai";
import { connect } from "../../lib/connect.ts";
import { listen } from "../../lib/listen.ts";
import { cppProgram } from "../support/interop.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { Processes } from "../support/processes.ts";
import { emptyTables, rejection, Servers, tablesOf, turn } from "../support/vats.ts";

const { Counter } = loadLoosely("test/interop/cpp/counter.capnp");

const poison = 0xffffffff;
const padding = new Uint8Array(1000);

describe("streaming, between processes", function () {
  this.timeout(60_000);
  const processes = new Processes();
  let peer: string;

  before(async function () {
    peer = await cppProgram.call(this, "stream-peer");
  });

  afterEach(() => processes.stop());

  for (const streamWindow of [65_536, "adaptive"] as const) {
    it(`to C++ with a window of ${streamWindow}: one call at a time, all of them, and the failure of one at the end`, async () => {
      const [, port] = await processes.start(peer, ["serve", "127.0.0.1:0"]).line(/^listening on \S+:(\d+)$/);
      const vat = await connect(`127.0.0.1:${port}`, { streamWindow });
      const counter: Loose = vat.bootstrap(Counter);
      for (let n = 0; n < 300; n++) await counter.add({ n, padding });
      const { total, calls, most } = await counter.total();
      expect([total, calls, most]).to.deep.equal([44_850n, 300, 1]);
      await counter.add({ n: poison });
      expect((await rejection(counter.total())).message).to.include("that is no number");
      expect((await rejection(counter.add({ n: 1 }))).message).to.include("that is no number");
      counter.release();
      while (vat.stats().questions > 0) await turn();
      expect(tablesOf(vat.stats())).to.deep.equal(emptyTables);
      await vat.close();
    });
  }

  it("from C++: one call at a time, all of them, and the failure of one at the end", async () => {
    const servers = new Servers();
    const numbers: number[] = [];
    let running = 0;
    let most = 0;
    const server = servers.make(
      {
        async add({ n }: Loose) {
          most = Math.max(most, ++running);
          await turn();
          running--;
          if (n === poison) throw new Error("that is no number");
          numbers.push(n);
        },
        total: () => ({
          total: numbers.reduce((sum, n) => sum + BigInt(n), 0n),
          calls: numbers.length,
          most,
        }),
      },
      Counter,
    );
    const listening = await listen("127.0.0.1:0", { bootstrap: server });
    const { status, stdout, stderr } = await processes.run(peer, ["send", `127.0.0.1:${listening.port}`]);
    expect(stderr).to.equal("");
    expect(stdout.trimEnd().split("\n")).to.deep.equal([
      "total 44850 of 300, together 1",
      "total failed: remote exception: that is no number",
      "add failed: remote exception: that is no number",
    ]);
    expect(status).to.equal(0);
    await listening.close();
    servers.expectDisposed();
  });
});
