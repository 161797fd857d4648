import { expect } from "chai";
import { type Clock, connect, type ConnectOptions, type RpcClient } from "../../lib/index.ts";
import { membrane } from "../../lib/membrane.ts";
import { systemClock } from "../../lib/rpc/clock.ts";
import type { RpcServer } from "../../lib/rpc-server.ts";
import { FaultyProxy } from "../support/faulty-proxy.ts";
import { Book, Ledger, Watcher } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";

const quick = { minDelay: 5, maxDelay: 20 };

/** Resolves when a condition holds; the test's own timeout is the limit. */
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
};

describe("a client that reconnects", () => {
  let book: Book;
  let server: RpcServer;
  let proxy: FaultyProxy;
  const clients: RpcClient[] = [];

  beforeEach(async () => {
    book = new Book();
    server = await book.listen();
    proxy = await FaultyProxy.listen(() => server.port as number);
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await proxy.close();
    await server.close();
  });

  const open = async (options: ConnectOptions = {}): Promise<RpcClient> => {
    const client = await connect(proxy.address, { reconnect: quick, ...options });
    clients.push(client as RpcClient);
    return client as RpcClient;
  };
  const ledgerOf = (client: RpcClient): Loose => client.bootstrap(Ledger as never);

  /** Cuts the connection off; resolves when the client knows. */
  const cutOff = async (client: RpcClient): Promise<void> => {
    const { session } = client;
    proxy.reset();
    await session?.closed;
  };

  const restart = async (): Promise<void> => {
    await server.close();
    server = await book.listen();
  };

  it("has capabilities that stay good when the server is restarted", async () => {
    const client = await open();
    const ledger = ledgerOf(client);
    expect((await ledger.add({ call: 1 })).made).to.equal(1);
    await restart();
    expect((await ledger.add({ call: 2 })).made).to.equal(1);
    expect((await ledger.entry({ call: 3 }).entry.read()).call).to.equal(3);
    expect(client.check()).to.deep.equal([]);
  });

  it("rejects calls in flight with disconnected, and does not make them again", async () => {
    const client = await open();
    const ledger = ledgerOf(client);
    const hanging = rejection(ledger.hang({ call: 1 }));
    await until(() => book.count(1) === 1);
    await cutOff(client);
    expect(await hanging).to.include({ kind: "disconnected" });
    await ledger.add({ call: 2 });
    expect([book.count(1), book.count(2)]).to.deep.equal([1, 1]);
  });

  it("runs onSession on every connection, with a signal that is aborted when it is over", async () => {
    const numbers: number[] = [];
    const signals: AbortSignal[] = [];
    const told: number[] = [];
    class Told extends Watcher.Server {
      made({ call }: Loose) {
        told.push(call);
      }
    }
    const client = await open({
      onSession: async (session, { signal }) => {
        numbers.push(session.number);
        signals.push(signal);
        expect(session.signal).to.equal(signal);
        await (session.bootstrap(Ledger as never) as Loose).watch({ watcher: new Told() });
      },
    });
    const ledger = ledgerOf(client);
    await ledger.add({ call: 1 });
    await until(() => told.includes(1));
    await cutOff(client);
    await ledger.add({ call: 2 });
    await until(() => told.includes(2));
    await restart();
    await ledger.add({ call: 3 });
    await until(() => told.includes(3));
    expect(numbers).to.deep.equal([1, 2, 3]);
    expect(signals.map(({ aborted }) => aborted)).to.deep.equal([true, true, false]);
    await client.close();
    expect(signals[2]?.aborted).to.equal(true);
  });

  it("lets calls wait until onSession is done, and no longer than sessionTimeout", async () => {
    const order: string[] = [];
    let isFirst = true;
    const client = await open({
      sessionTimeout: 300,
      onSession: async (session) => {
        if (isFirst) {
          await (session.bootstrap(Ledger as never) as Loose).add({ call: 1 });
          order.push("session");
        } else await new Promise(() => undefined);
      },
    });
    order.push("connected");
    expect(order).to.deep.equal(["session", "connected"]);
    isFirst = false;
    await cutOff(client);
    expect((await ledgerOf(client).add({ call: 2 })).made).to.equal(1);
  });

  it("makes a new connection where onSession fails; but the first failure is told to who connects", async () => {
    let runs = 0;
    const wrong = new Error("no such user");
    const failing = open({
      onSession: () => {
        runs++;
        throw wrong;
      },
    });
    expect(await rejection(failing)).to.equal(wrong);
    expect(runs).to.equal(1);
    runs = 0;
    const client = await open({
      onSession: () => {
        runs++;
        if (runs === 2 || runs === 3) throw wrong;
      },
    });
    await cutOff(client);
    await ledgerOf(client).add({ call: 1 });
    expect(runs).to.equal(4);
  });

  it("tells its state", async () => {
    const states: string[] = [];
    const client = await open({ lazy: true });
    client.state$.subscribe({ next: (state) => states.push(state), complete: () => states.push("complete") });
    expect(proxy.accepted).to.equal(0);
    const ledger = ledgerOf(client);
    await ledger.add({ call: 1 });
    await cutOff(client);
    await until(() => client.state !== "connected");
    await until(() => client.state === "connected");
    await client.close();
    expect(states).to.deep.equal([
      "disconnected",
      "connecting",
      "connected",
      "disconnected",
      "connecting",
      "connected",
      "closed",
      "complete",
    ]);
    const late: string[] = [];
    client.state$.subscribe((state) => late.push(state));
    expect(late).to.deep.equal(["closed"]);
  });

  it("bounds the calls that wait, in number and in time, and sends those that wait in their order", async () => {
    const client = await open({ reconnect: { ...quick, maxWaitingCalls: 3, waitTimeout: 50 } });
    const ledger = ledgerOf(client);
    proxy.isRefusing = true;
    await cutOff(client);
    await until(() => client.state !== "connected");
    const waiting = [1, 2, 3].map((call) => rejection(ledger.add({ call })));
    expect(client.waitingCalls).to.equal(3);
    expect(await rejection(ledger.add({ call: 4 }))).to.include({ code: "CAPNP_LIMIT", kind: "overloaded" });
    for (const error of await Promise.all(waiting)) {
      expect(error).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
      expect(error.message).to.include("waitTimeout");
    }
    const canceled = ledger.add({ call: 5 });
    canceled.cancel();
    expect(await rejection(canceled)).to.include({ code: "CAPNP_CANCELED" });
    expect(client.waitingCalls).to.equal(0);
    const order: number[] = [];
    const sent = [6, 7, 8].map((call) => ledger.add({ call }).then(() => order.push(call)));
    proxy.isRefusing = false;
    await Promise.all(sent);
    expect(order).to.deep.equal([6, 7, 8]);
    expect([...book.made.keys()]).to.deep.equal([6, 7, 8]);
  });

  it("forgets calls that were given up while they waited, also where they came through a membrane", async function () {
    const gc = globalThis.gc;
    if (gc === undefined) this.skip();
    proxy.isRefusing = true;
    const client = await open({ lazy: true });
    const ledger = membrane(ledgerOf(client), {}) as Loose;
    const calls: WeakRef<object>[] = [];
    const giveUp = () => {
      for (let i = 0; i < 300; i++) {
        const call = ledger.add({ call: i });
        call.cancel();
        calls.push(new WeakRef(call));
      }
    };
    giveUp();
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      gc();
    }
    expect(calls.filter((call) => call.deref() !== undefined).length).to.be.lessThan(50);
  });

  it("fails calls at once where none may wait", async () => {
    const client = await open({ reconnect: { ...quick, maxWaitingCalls: 0 } });
    proxy.isRefusing = true;
    await cutOff(client);
    await until(() => client.state !== "connected");
    expect(await rejection(ledgerOf(client).add({ call: 1 }))).to.include({ kind: "disconnected" });
  });

  it("finds out that a peer is gone without a word, rejects its calls and connects anew", async () => {
    const client = await open({ keepalive: { idle: 40, timeout: 30 } });
    const ledger = ledgerOf(client);
    await ledger.add({ call: 1 });
    proxy.fault = { kind: "blackHole" };
    const error = await rejection(ledger.hang({ call: 2 }));
    expect(error).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
    expect(error.message).to.include("keepalive");
    proxy.fault = { kind: "none" };
    await ledger.add({ call: 3 });
    expect(book.count(2)).to.equal(0);
  });

  it("keeps a peer that is idle but alive", async () => {
    const client = await open({ keepalive: { idle: 10, timeout: 500 } });
    await ledgerOf(client).add({ call: 1 });
    const { session } = client;
    const before = client.stats().received;
    await until(() => client.stats().received > before + 3);
    expect(client.session).to.equal(session);
    expect(client.stats()).to.include({ questions: 0, exports: 0 });
  });

  it("is closed for good when it is closed: calls fail, and nothing is connected any more", async () => {
    const client = await open();
    const ledger = ledgerOf(client);
    const hanging = rejection(ledger.hang({ call: 1 }));
    await until(() => book.count(1) === 1);
    await client.close();
    expect(await hanging).to.include({ kind: "disconnected" });
    expect(await rejection(ledger.add({ call: 2 }))).to.include({ code: "CAPNP_DISCONNECTED" });
    expect(await client.closed).to.include({ code: "CAPNP_DISCONNECTED" });
    expect(proxy.accepted).to.equal(1);
  });

  it("waits for a server that is started later, until connectTimeout has passed", async () => {
    proxy.isRefusing = true;
    const early = open({ connectTimeout: 5_000 });
    setTimeout(() => {
      proxy.isRefusing = false;
    }, 30);
    await ledgerOf(await early).add({ call: 1 });
    proxy.isRefusing = true;
    const error = await rejection(open({ connectTimeout: 40 }));
    expect(error).to.include({ kind: "disconnected" });
  });

  it("says why the last attempt failed, where the first connection is given up", async () => {
    const nobody = await connect("unix:/nowhere/capstan.sock", { connectTimeout: 60, reconnect: quick }).catch(
      (error: unknown) => error,
    );
    expect(nobody).to.include({ code: "CAPNP_CONNECT" });
    expect((nobody as Error).message)
      .to.include("/nowhere/capstan.sock")
      .and.not.to.include("within");
  });

  it("gives up at once when it is told to, or where there is no hope", async () => {
    proxy.isRefusing = true;
    const abort = new AbortController();
    const opening = rejection(open({ signal: abort.signal }));
    abort.abort(new Error("never mind"));
    expect(await opening).to.include({ code: "CAPNP_CANCELED" });
    expect(await rejection(open({ signal: abort.signal }))).to.include({ code: "CAPNP_CANCELED" });
    expect(await rejection(connect("nowhere", { reconnect: quick }))).to.include({ code: "CAPNP_ADDRESS" });
    expect(await rejection(open({ reconnect: { ...quick, maxAttempts: 3 } }))).to.include({ kind: "disconnected" });
  });

  it("ends with its first connection where reconnect is false", async () => {
    const client = (await connect(proxy.address, {
      reconnect: false,
      onSession: () => undefined,
    })) as unknown as RpcClient;
    const ledger = ledgerOf(client);
    await ledger.add({ call: 1 });
    await cutOff(client);
    await client.closed;
    expect(client.state).to.equal("closed");
    expect(await rejection(ledger.add({ call: 2 }))).to.include({ kind: "disconnected" });
    expect(proxy.accepted).to.equal(1);
  });

  it("replaces a connection that has come of age, and lets its calls return", async () => {
    const client = await open({
      maxConnectionAge: 30,
      reconnect: { ...quick, random: () => 0.5 },
      connectionGrace: 5_000,
    });
    const ledger = ledgerOf(client);
    const { session } = client;
    let isOver = false;
    const slow = rejection(ledger.hang({ call: 1 })).then((error) => {
      isOver = true;
      return error;
    });
    await until(() => client.session !== session && client.session !== undefined);
    expect(session?.signal.aborted).to.equal(true);
    expect(isOver).to.equal(false);
    expect(client.state).to.equal("connected");
    await ledger.add({ call: 2 });
    expect(session?.closedBy).to.equal(undefined);
    await client.close();
    expect(await slow).to.include({ kind: "disconnected" });
  });

  it("replaces it at an age that differs by up to 10 % from client to client", async () => {
    for (const [random, age] of [
      [0, 90_000],
      [0.5, 100_000],
      [0.75, 105_000],
    ] as const) {
      const delays: number[] = [];
      const clock: Clock = {
        now: () => systemClock.now(),
        after: (milliseconds, act) => {
          delays.push(milliseconds);
          return systemClock.after(milliseconds, act);
        },
      };
      await open({ maxConnectionAge: 100_000, clock, reconnect: { ...quick, random: () => random } });
      expect(delays).to.include(age);
    }
  });

  it("closes a connection that was replaced when the grace is over", async () => {
    const client = await open({ maxConnectionAge: 20, connectionGrace: 20 });
    const { session } = client;
    const slow = rejection(ledgerOf(client).hang({ call: 1 }));
    expect(await slow).to.include({ kind: "disconnected" });
    await session?.closed;
    expect(client.session).to.not.equal(session);
  });

  it("cancels calls that take longer than the deadline, those that wait included", async () => {
    const client = await open({ deadline: 30 });
    const ledger = ledgerOf(client);
    expect(await rejection(ledger.hang({ call: 1 }))).to.include({ code: "CAPNP_TIMEOUT", kind: "failed" });
    proxy.isRefusing = true;
    await cutOff(client);
    await until(() => client.state !== "connected");
    const error = await rejection(ledger.add({ call: 2 }));
    expect(error).to.include({ code: "CAPNP_TIMEOUT" });
    expect(client.waitingCalls).to.equal(0);
    proxy.isRefusing = false;
    expect((await ledger.add({ call: 3 })).made).to.equal(1);
    expect(book.count(2)).to.equal(0);
  });

  it("finds any capability anew in each session", async () => {
    const client = await open();
    let finds = 0;
    const entry = client.stable((session) => {
      finds++;
      return (session.bootstrap(Ledger as never) as Loose).entry({ call: 7 }).entry;
    }) as Loose;
    const { Entry } = await import("../support/ledger.ts");
    const typed = entry.castAs(Entry);
    expect((await typed.read()).call).to.equal(7);
    expect((await typed.read()).call).to.equal(7);
    expect(finds).to.equal(1);
    await cutOff(client);
    expect((await typed.read()).call).to.equal(7);
    expect(finds).to.equal(2);
  });

  it("exposes one bootstrap capability on all of its connections, and lets go of it when it is closed", async () => {
    let isDisposed = false;
    class Own extends Watcher.Server {
      [Symbol.dispose](): void {
        isDisposed = true;
      }
    }
    const client = await open({ bootstrap: new Own() as never });
    await cutOff(client);
    await ledgerOf(client).add({ call: 1 });
    expect(isDisposed).to.equal(false);
    await client.close();
    await until(() => isDisposed);
  });

  it("holds nothing on an idle connection", async () => {
    const client = await open();
    const ledger = ledgerOf(client);
    await ledger.add({ call: 1 });
    ledger.release();
    await until(() => client.isIdle);
    expect(client.stats()).to.include({ questions: 0, answers: 0, exports: 0, imports: 0, embargoes: 0 });
  });
});
