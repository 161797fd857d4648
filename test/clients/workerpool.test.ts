import { setMaxListeners } from "node:events";
import { Worker } from "node:worker_threads";
import { expect } from "chai";
import { countPrimes, paint } from "../../clients/workerpool/client.ts";
import * as capnp from "../../lib/index.ts";
import { PoolImpl } from "../../servers/workerpool/server.ts";
import { Compute, Pool } from "../../servers/workerpool/workerpool.capnp.ts";

import { Processes } from "../support/processes.ts";
import { rejection } from "../support/vats.ts";
import { startClient, startServer } from "./programs.ts";

const thread = new URL("../../servers/workerpool/worker.js", import.meta.url);
const endless = { from: 0, to: 4_294_967_295 };

describe("the worker pool example's server", function () {
  // Threads take their time to start.
  this.timeout(60_000);
  let pool: PoolImpl | undefined;
  let server: capnp.RpcServer | undefined;
  let client: capnp.TwoPartyClient | undefined;
  let workers: Worker[];

  // Without the flags of the tests a thread loads the package as users do, which is quicker.
  const open = async (size: number, start = () => new Worker(thread, { execArgv: [] })) => {
    workers = [];
    pool = new PoolImpl({
      size,
      start: () => {
        const worker = start();
        workers.push(worker);
        return worker;
      },
    });
    server = await capnp.listen("127.0.0.1:0", { bootstrap: pool });
    client = await capnp.connect(server.address);
    return client.bootstrap(Pool);
  };

  afterEach(async () => {
    await client?.close();
    await server?.close();
    await pool?.close();
  });

  const statusOf = async (compute: Pool.Client) =>
    (await compute.status()).threads.map(({ calls, running }) => ({ calls, running }));

  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  it("counts and paints in several threads as in one", async () => {
    const compute = await open(2);
    expect(await countPrimes(compute, 10_000, 7)).to.equal(1229);
    expect((await compute.countPrimes({ from: 10, to: 3 })).count).to.equal(0);
    const whole = await paint(compute, { columns: 40, rows: 12, bands: 1 });
    expect(await paint(compute, { columns: 40, rows: 12, bands: 5 })).to.deep.equal(whole);
    expect(whole).to.have.length(12);
    expect(whole[6]).to.match(/@{10}/);
  });

  it("gives each call to the thread that has the least to do, and cancels it there", async () => {
    const compute = await open(3);
    const abort = new AbortController();
    const calls = Array.from({ length: 6 }, () => rejection(compute.countPrimes(endless, { signal: abort.signal })));
    await until(async () => (await statusOf(compute)).every(({ running }) => running === 2));
    expect((await statusOf(compute)).map(({ calls }) => calls)).to.deep.equal([2, 2, 2]);
    abort.abort();
    for (const error of await Promise.all(calls)) expect(error).to.include({ code: "CAPNP_CANCELED" });
    await until(async () => (await statusOf(compute)).every(({ running, calls }) => running === 0 && calls === 0));
  });

  it("stops computing for a client that is gone", async () => {
    const compute = await open(1);
    const other = await capnp.connect(server?.address ?? "");
    const lost = rejection(other.bootstrap(Pool).countPrimes(endless));
    await until(async () => (await statusOf(compute))[0]?.running === 1);
    await other.close();
    await lost;
    await until(async () => (await statusOf(compute))[0]?.running === 0);
  });

  it("fails what cannot be done twice when its thread crashes, and starts another one", async () => {
    const compute = await open(2);
    let rows = 0;
    class Slow extends Compute.Rows.Server {
      override async row() {
        rows++;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
    const view = { left: 0, top: 0, stepRight: 0.01, stepDown: 0, columns: 2, rows: 65_535, maxDepth: 3 };
    const painting = rejection(compute.paint({ view, to: new Slow() }));
    await until(async () => rows > 0);
    await workers[0]?.terminate();
    const error = await painting;
    expect(error).to.include({ kind: "disconnected" });
    expect(error.message).to.include("thread 1");
    expect((await compute.countPrimes({ from: 0, to: 10 })).count).to.equal(4);
    await until(async () => (await statusOf(compute)).length === 2);
    expect(workers).to.have.length(3);
  });

  it("does again what may be done twice when its thread crashes", async () => {
    const compute = await open(2);
    const counting = Array.from({ length: 4 }, () => compute.countPrimes({ from: 0, to: 500_000 }));
    await until(async () => (await statusOf(compute)).every(({ running }) => running === 2));
    await workers[0]?.terminate();
    for (const call of counting) expect((await call).count).to.equal(41_538);
  });

  it("says so when there is too much to do, and when no thread can be started", async () => {
    const compute = await open(1);
    const abort = new AbortController();
    setMaxListeners(0, abort.signal);
    const calls = Array.from({ length: 100 }, () => rejection(compute.countPrimes(endless, { signal: abort.signal })));
    expect(await rejection(compute.countPrimes({ from: 0, to: 10 }))).to.include({ kind: "overloaded" });
    abort.abort();
    await Promise.all(calls);
    await client?.close();
    await server?.close();
    await pool?.close();

    const broken = await open(1, () => new Worker("process.exit(3)", { eval: true }));
    expect(await rejection(broken.countPrimes({ from: 0, to: 10 }))).to.include({ kind: "disconnected" });
    expect(workers.length).to.be.lessThan(3);
  });

  it("has one thread at least", () => {
    for (const size of [0, -1, 1.5, Number.NaN]) expect(() => new PoolImpl({ size })).to.throw(/1 thread or more/);
  });
});

describe("the worker pool example", () => {
  const processes = new Processes();
  afterEach(() => processes.stop());

  it("counts and paints, with TLS", async function () {
    this.timeout(60_000);
    const { server, address } = await startServer(processes, "workerpool", "tls://localhost:0", "2");
    const { status, stdout, stderr } = await startClient(processes, "workerpool", address).finished();
    expect(stderr).to.equal("");
    const [threads, primes, ...picture] = stdout.trimEnd().split("\n");
    expect(threads).to.equal("2 threads: thread 1, thread 2");
    expect(primes).to.equal("primes below 1000000: 78498");
    expect(picture).to.have.length(24);
    expect(status).to.equal(0);
    await server.stop();
  });
});
