import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as capnp from "capstan";
import { expect } from "chai";
import { cppProgram } from "../support/interop.ts";
import { Processes } from "../support/processes.ts";
import { emptyTables, tablesOf } from "../support/vats.ts";
import { checks, runCheck } from "./torture/checks.ts";
import { Counters, TortureImpl } from "./torture/peer.ts";
import { Torture } from "./torture/torture.capnp.ts";

/** How each side writes an address of one kind. */
interface Way {
  readonly name: string;
  /** For C++ to listen on. */
  readonly theirs: (folder: string) => string;
  /** For us to reach it, from the port that C++ prints. */
  readonly toThem: (port: string, folder: string) => string;
  /** For us to listen on; C++ is given what the server calls its address. */
  readonly ours: (folder: string) => string;
}

const ways: readonly Way[] = [
  {
    name: "WebSocket",
    theirs: () => "ws://127.0.0.1:0",
    toThem: (port) => `ws://127.0.0.1:${port}/`,
    ours: () => "ws://127.0.0.1:0/vat",
  },
  {
    name: "a Unix socket",
    theirs: (folder) => `unix:${join(folder, "theirs.sock")}`,
    toThem: (_port, folder) => `unix:${join(folder, "theirs.sock")}`,
    ours: (folder) => `unix:${join(folder, "ours.sock")}`,
  },
];

for (const { name, theirs, toThem, ours } of ways) {
  describe(`torture over ${name}`, function () {
    this.timeout(60_000);
    const processes = new Processes();
    const stops: (() => Promise<void>)[] = [];
    let program: string;
    let folder: string;

    before(async function () {
      program = await cppProgram.call(this, "torture-peer");
      folder = mkdtempSync(join(tmpdir(), "capstan-"));
    });

    after(() => rmSync(folder, { recursive: true }));

    afterEach(async () => {
      await processes.stop();
      for (const stop of stops.splice(0)) await stop();
    });

    it("of a C++ server holds in every check, and leaves nothing on either side", async () => {
      const server = processes.start(program, ["serve", theirs(folder)]);
      const [, port] = await server.line(/^listening on \S+:(\d+)$/);
      const vat = await capnp.connect(toThem(port!, folder));
      const peer = vat.bootstrap(Torture);
      const own = new Counters();
      for (const [title, check] of Object.entries(checks)) {
        await runCheck(check, { peer, vat, own }).catch((error: unknown) => {
          throw new Error(title, { cause: error });
        });
      }
      peer.release();
      expect(tablesOf(vat.stats())).to.deep.equal(emptyTables);
      expect(vat.check()).to.deep.equal([]);
      await vat.close();
    });

    it("by a C++ client holds in every check, and leaves nothing on either side", async () => {
      const counters: Counters[] = [];
      const server = await capnp.listen(ours(folder), {
        bootstrap: () => {
          const own = new Counters();
          counters.push(own);
          return new TortureImpl(own);
        },
        restorer: (id) => (id.as("Text") === "torture" ? new TortureImpl() : null),
      });
      stops.push(() => server.close());
      const { status, stdout, stderr } = await processes.run(program, ["check", server.address]);
      expect(stderr).to.equal("");
      expect(stdout.trimEnd().split("\n")).to.deep.equal(Object.keys(checks).map((title) => `ok ${title}`));
      expect(status).to.equal(0);
      expect(counters.map(({ alive }) => alive)).to.deep.equal([0]);
    });
  });
}
