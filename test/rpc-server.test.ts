import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type Certificates, ensureCertificates } from "../certs/make.ts";
import { connect } from "../lib/connect.ts";
import type { CapnpError } from "../lib/errors.ts";
import { type ListenOptions, listen, type RpcServer } from "../lib/listen.ts";
import { metricsText } from "../lib/server-stats.ts";
import type { PeerInfo } from "../lib/transport/transport.ts";
import type { TwoPartyClient } from "../lib/two-party-vat.ts";
import { type Loose, parseLoosely } from "./support/loose.ts";
import { Processes } from "./support/processes.ts";
import { repositoryRoot } from "./support/repository.ts";
import { steppedClock } from "./support/stepped-clock.ts";

const { Worker } = parseLoosely(`
  interface Worker {
    work @0 (text :Text) -> (text :Text);
    nothing @1 ();
    callBack @2 (worker :Worker) -> (text :Text);
  }
`);

/** What implements an interface that was loaded at run time has no static type. */
type Loosely<Options> = Omit<Options, "bootstrap"> & { readonly bootstrap: Loose };

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const until = async (ready: () => boolean): Promise<void> => {
  while (!ready()) await turn();
};
const rejection = (promise: PromiseLike<unknown>): Promise<CapnpError> =>
  Promise.resolve(promise).then(
    () => Promise.reject(new Error("not rejected")),
    (error) => error,
  );

/** A server whose calls of `work` end when the test says so. */
class Job extends Worker.Server {
  readonly waiting: ((text: string) => void)[] = [];

  work(): Promise<string> {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  nothing(): void {}

  async callBack({ worker }: Loose): Promise<string> {
    const { text } = await worker.work("from the server");
    worker.release();
    return text;
  }
}

describe("a listening vat", () => {
  const cleanup: (() => unknown)[] = [];
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  const start = async (
    options: Loosely<ListenOptions>,
    address: string | string[] = "127.0.0.1:0",
  ): Promise<RpcServer> => {
    const server = await listen(address, options);
    cleanup.push(() => server.close());
    return server;
  };

  const join_ = async (address: string, options = {}): Promise<TwoPartyClient & Loose> => {
    const client = await connect(address, options);
    cleanup.push(() => client.close());
    return client;
  };

  describe("exposes what `bootstrap` says", () => {
    it("an object, a promise of one, a class that is given the peer, a function, and an async function", async () => {
      class Named extends Worker.Server {
        readonly peer: PeerInfo;
        constructor(peer: PeerInfo) {
          super();
          this.peer = peer;
        }
        work() {
          return this.peer.address.replace(/\d+$/, "port");
        }
      }
      const peer: PeerInfo = { address: "given", encrypted: false, authenticated: false };
      const sources: [Loose, string][] = [
        [new Named(peer), "given"],
        [Promise.resolve(new Named(peer)), "given"],
        [Named, "127.0.0.1:port"],
        [(from: PeerInfo) => new Named(from), "127.0.0.1:port"],
        [async (from: PeerInfo) => new Named(from), "127.0.0.1:port"],
      ];
      for (const [bootstrap, expected] of sources) {
        const server = await start({ bootstrap });
        const client = await join_(server.address);
        expect((await client.bootstrap(Worker).work("")).text).to.equal(expected);
      }
    });
  });

  describe("that drains", () => {
    it("lets calls at work finish, answers new calls and Bootstraps disconnected, and takes no connections", async () => {
      const job = new Job();
      const server = await start({ bootstrap: job });
      const [busy, idle] = [await join_(server.address), await join_(server.address)];
      const [worker, other] = [busy.bootstrap(Worker), idle.bootstrap(Worker)];
      await other.nothing();
      const answer = worker.work("");
      await until(() => job.waiting.length === 1);
      let closed = false;
      const closing = server.close({ drain: 60_000 }).then(() => {
        closed = true;
      });
      // What has no call at work is closed at once.
      expect(await idle.closed).to.include({ kind: "disconnected" });
      for (const late of [worker.work(""), busy.bootstrap(Worker).nothing()]) {
        const error = await rejection(late);
        expect(error.kind).to.equal("disconnected");
        expect(error.message).to.include("closing");
      }
      expect(await rejection(connect(server.address))).to.include({ code: "CAPNP_CONNECT" });
      expect(closed).to.equal(false);
      job.waiting[0]!("done");
      expect((await answer).text).to.equal("done");
      expect(await busy.closed).to.include({ kind: "disconnected" });
      await closing;
      expect(server.connections).to.deep.equal([]);
    });

    it("lets a call at work call its caller back", async () => {
      const server = await start({ bootstrap: () => new Job() });
      const client = await join_(server.address);
      const mine = new Job();
      const answer = client.bootstrap(Worker).callBack(mine);
      await until(() => mine.waiting.length === 1);
      const closing = server.close({ drain: 60_000 });
      await turn();
      mine.waiting[0]!("from the client");
      expect((await answer).text).to.equal("from the client");
      await closing;
    });

    it("cuts off what is not done in time", async () => {
      const clock = steppedClock();
      const job = new Job();
      const server = await start({ bootstrap: job, clock });
      const client = await join_(server.address);
      const answer = rejection(client.bootstrap(Worker).work(""));
      await until(() => job.waiting.length === 1);
      const closing = server.close({ drain: 5_000 });
      clock.pass(4_999);
      await turn();
      expect(server.connections).to.have.lengthOf(1);
      clock.pass(1);
      expect(await answer).to.include({ kind: "disconnected" });
      await closing;
      expect(clock.timers).to.equal(0);
    });

    it("waits for no call whose caller has gone or given up", async () => {
      const job = new Job();
      const server = await start({ bootstrap: job });
      const [gone, patient] = [await join_(server.address), await join_(server.address)];
      const abort = new AbortController();
      const lost = [
        rejection(gone.bootstrap(Worker).work("")),
        rejection(patient.bootstrap(Worker).work("", { signal: abort.signal })),
      ];
      await until(() => job.waiting.length === 2);
      const closing = server.close({ drain: 60_000 });
      abort.abort();
      await gone.close();
      await Promise.all(lost);
      await closing;
    });

    it("is closed once, however often it is asked, and by `await using`", async () => {
      const job = new Job();
      let server: RpcServer;
      {
        await using used = await listen("127.0.0.1:0", { bootstrap: job as Loose });
        server = used;
        expect((await join_(server.address)).peer.address).to.equal(server.address);
      }
      expect(await rejection(connect(server.address))).to.include({ code: "CAPNP_CONNECT" });
      await Promise.all([server.close(), server.close({ drain: 10 })]);
    });
  });

  describe("on several addresses", () => {
    let folder: string;
    let certificates: Certificates;
    before(async () => {
      folder = mkdtempSync(join(tmpdir(), "capstan-"));
      certificates = await ensureCertificates(folder);
    });
    after(() => rmSync(folder, { recursive: true }));

    it("is one server: the same object, one list of connections, one close", async () => {
      const { key, cert, ca } = certificates;
      const path = join(folder, "vat.sock");
      const server = await start({ bootstrap: Job }, ["127.0.0.1:0", `unix:${path}`]);
      const secure = await start({ bootstrap: Job, tls: { key, cert } }, ["tls://localhost:0", "tls://127.0.0.1:0"]);
      expect(server.addresses).to.deep.equal([`127.0.0.1:${server.port}`, `unix:${path}`]);
      expect(server.address).to.equal(server.addresses[0]);
      for (const address of server.addresses) await (await join_(address)).bootstrap(Worker).nothing();
      for (const address of secure.addresses) await (await join_(address, { tls: { ca } })).bootstrap(Worker).nothing();
      expect(server.connections).to.have.lengthOf(2);
      await server.close();
      for (const address of server.addresses) {
        expect(await rejection(connect(address)), address).to.include({ code: "CAPNP_CONNECT" });
      }
    });

    it("shares its limits on connections between them", async () => {
      const server = await start({ bootstrap: Job, maxConnections: 2 }, ["127.0.0.1:0", "127.0.0.1:0"]);
      for (const address of server.addresses) await (await join_(address)).bootstrap(Worker).nothing();
      const third = await join_(server.addresses[1]!);
      expect(await rejection(third.bootstrap(Worker).nothing())).to.include({ kind: "disconnected" });
      expect(server.stats()).to.include({ connections: 2, accepted: 2, refused: 1 });
    });

    it("listens on none where one cannot be listened on", async () => {
      const taken = await start({ bootstrap: Job });
      const path = join(folder, "other.sock");
      const error = await rejection(listen([`unix:${path}`, taken.address], {}));
      expect(error).to.include({ code: "CAPNP_LISTEN" });
      expect(await rejection(connect(`unix:${path}`))).to.include({ code: "CAPNP_CONNECT" });
      expect(await rejection(listen([], {}))).to.include({ code: "CAPNP_ADDRESS" });
    });
  });

  describe("with `authorize`", () => {
    it("serves those who are let in, and tells the others, before a word of theirs is read", async () => {
      let asked = 0;
      const verdicts: (() => boolean | Promise<boolean>)[] = [
        () => true,
        async () => true,
        () => false,
        () => Promise.reject(new Error("the database is down, its password is hunter2")),
        () => {
          const { proxy, revoke } = Proxy.revocable({}, {});
          revoke();
          throw proxy;
        },
      ];
      let made = 0;
      const lines: string[] = [];
      const log = (details: object, message: string): void => {
        lines.push(`${message} ${JSON.stringify(details)}`);
      };
      const server = await start({
        bootstrap: () => {
          made++;
          return new Job();
        },
        authorize: () => verdicts[asked++]!(),
        logger: { trace: log, debug: log, info: log, warn: log, error: log },
      });
      for (const _ of [1, 2]) await (await join_(server.address)).bootstrap(Worker).nothing();
      for (const _ of [3, 4, 5]) {
        const client = await join_(server.address);
        const error = await rejection(client.bootstrap(Worker).nothing());
        expect(error.kind).to.equal("disconnected");
        expect(error.message).to.include("does not let this peer in").and.not.include("hunter2");
      }
      expect(made).to.equal(2);
      expect(server.stats()).to.include({ accepted: 2, refused: 3, connections: 2 });
      expect(lines.filter((line) => line.startsWith("authorize failed"))).to.have.lengthOf(2);
      expect(lines.filter((line) => line.includes("CAPNP_REFUSED"))).to.have.lengthOf(3);
    });

    it("closes without waiting for a verdict", async () => {
      const server = await start({ bootstrap: Job, authorize: () => new Promise(() => undefined) });
      const client = await join_(server.address);
      const lost = rejection(client.bootstrap(Worker).nothing());
      await turn();
      await server.close();
      expect(await lost).to.include({ kind: "disconnected" });
    });
  });

  it("hangs up after idleTimeout on those who say nothing, but not while a call is at work", async () => {
    const clock = steppedClock();
    const job = new Job();
    const server = await start({ bootstrap: job, idleTimeout: 40_000, clock });
    const [silent, busy] = [await join_(server.address), await join_(server.address)];
    await silent.bootstrap(Worker).nothing();
    const answer = busy.bootstrap(Worker).work("");
    await until(() => job.waiting.length === 1);
    // It is looked four times in that time, and the first look only takes note.
    for (let looks = 0; looks < 4; looks++) clock.pass(10_000);
    expect(server.connections).to.have.lengthOf(2);
    clock.pass(10_000);
    expect((await silent.closed).message).to.include("idleTimeout");
    for (let looks = 0; looks < 10; looks++) clock.pass(10_000);
    expect(server.connections).to.have.lengthOf(1);
    job.waiting[0]!("late");
    expect((await answer).text).to.equal("late");
    await server.close();
    expect(clock.timers).to.equal(0);
  });

  it("counts what passes, also of connections that are over, and writes it for Prometheus", async () => {
    const job = new Job();
    const server = await start({ bootstrap: job });
    const seen: number[] = [];
    const states: string[] = [];
    server.connections$.subscribe((connection) => {
      seen.push(connection.conn);
      connection.state$.subscribe((state) => states.push(state));
    });
    const client = await join_(server.address);
    const worker = client.bootstrap(Worker);
    await worker.nothing();
    await rejection(worker.callBack(null));
    const abort = new AbortController();
    const given = rejection(worker.work("", { signal: abort.signal }));
    await until(() => job.waiting.length === 1);
    expect(server.stats()).to.include({ running: 1, connections: 1 });
    abort.abort();
    await given;
    await until(() => server.stats().running === 0);
    await client.close();
    await until(() => server.connections.length === 0);
    const stats = server.stats();
    expect(stats).to.include({ connections: 0, accepted: 1, served: 3, exports: 0, running: 0, broken: 0 });
    expect(stats.outcomes).to.include({ ok: 1, failed: 1, canceled: 1 });
    expect(seen).to.have.lengthOf(1);
    expect(states).to.deep.equal(["connected", "disconnected"]);
    const text = metricsText(stats);
    expect(text).to.include("\ncapnp_rpc_connections 0\n").and.include("# TYPE capnp_rpc_connections gauge\n");
    expect(text).to.include('\ncapnp_rpc_server_handled_total{status="canceled"} 1\n');
    for (const line of text.trimEnd().split("\n")) {
      expect(line).to.match(/^(# (HELP|TYPE) capnp_rpc_\w+ .+|capnp_rpc_\w+(\{status="\w+"\})? \d+)$/);
    }
    const socket = connectTcp(server.port!, "127.0.0.1");
    socket.end("GET / HTTP/1.1\r\n\r\n").resume();
    await once(socket, "close");
    await until(() => server.stats().broken === 1);
  });

  it("shares a port with the other workers of node:cluster, each of which can be closed alone", async function () {
    this.timeout(30_000);
    const processes = new Processes();
    cleanup.push(() => processes.stop());
    const script = join(repositoryRoot, "test/fixtures/cluster-server.mjs");
    const library = new URL("../lib/index.js", import.meta.url).href;
    const primary = processes.start(process.execPath, [script, library]);
    const [, address] = await primary.line(/^all listen on (.*)$/);
    const workers = new Set<string>();
    // Node's primary hands connections out in turn.
    for (let i = 0; i < 4; i++) {
      const client = await join_(address!);
      workers.add((await client.bootstrap(Worker).work("")).text);
    }
    expect(workers.size).to.equal(2);
    const client = await join_(address!);
    const worker = client.bootstrap(Worker);
    await worker.work("close the other one");
    await primary.line(/^one has closed$/);
    for (let i = 0; i < 4; i++) {
      const next = await join_(address!);
      expect((await next.bootstrap(Worker).work("")).text).to.equal((await worker.work("")).text);
    }
  });
});
