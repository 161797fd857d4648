import { expect } from "chai";
import { connect, type RpcClient } from "../../lib/index.ts";
import type { RpcServer } from "../../lib/rpc-server.ts";
import { type Fault, FaultyProxy } from "../support/faulty-proxy.ts";
import { Book, Ledger } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";
import { chaosRun } from "./run.ts";

describe("a client that reconnects, over a network that does its worst", () => {
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

  const open = async (): Promise<Loose> => {
    const client = await connect(proxy.address, {
      reconnect: { minDelay: 1, maxDelay: 10 },
      keepalive: { idle: 40, timeout: 40 },
    });
    clients.push(client);
    return client.bootstrap(Ledger as never);
  };

  const faults: Readonly<Record<string, Fault>> = {
    "a request that is cut off in its middle": { kind: "cut", after: 20 },
    "an answer that is cut off in its middle": { kind: "cutAnswers", after: 20 },
    "a connection of which one half is gone": { kind: "halfOpen" },
    "a network that swallows everything": { kind: "blackHole" },
  };

  for (const [name, fault] of Object.entries(faults)) {
    it(`rejects what was lost by ${name}, makes nothing twice, and goes on`, async () => {
      const ledger = await open();
      await ledger.add({ call: 1 });
      proxy.fault = fault;
      expect(await rejection(ledger.add({ call: 2 }))).to.include({ kind: "disconnected" });
      proxy.fault = { kind: "none" };
      expect((await ledger.add({ call: 3 })).made).to.equal(1);
      expect(book.repeated).to.deep.equal([]);
    });
  }

  it("gets everything through a network that is slow, or dribbles", async () => {
    const ledger = await open();
    for (const fault of [
      { kind: "delay", milliseconds: 15 },
      { kind: "dribble", bytes: 3 },
    ] as const) {
      proxy.fault = fault;
      const before = book.made.size;
      await Promise.all([1, 2, 3].map((call) => ledger.add({ call: before + call })));
    }
    expect(book.made.size).to.equal(6);
    expect(book.repeated).to.deep.equal([]);
    expect(proxy.accepted).to.equal(1);
  });

  it("comes through a storm of restarts, many clients at once, with no more connections than they need", async () => {
    const ledgers = await Promise.all(Array.from({ length: 10 }, open));
    const made: Promise<unknown>[] = [];
    let call = 0;
    for (let restart = 0; restart < 5; restart++) {
      for (const ledger of ledgers) made.push(ledger.add({ call: ++call }).catch(() => undefined));
      await server.close();
      server = await book.listen();
    }
    await Promise.all(made);
    for (const ledger of ledgers) {
      const again = ++call;
      await ledger.add({ call: again }).catch(() => ledger.add({ call: ++call }));
    }
    expect(book.repeated).to.deep.equal([]);
    expect(proxy.connections).to.be.at.most(10);
  });

  for (const seed of [1, 2, 3]) {
    it(`keeps its promises, whatever happens (seed ${seed})`, async () => {
      const { returned, lost } = await chaosRun(seed);
      expect(returned + lost).to.be.greaterThan(10);
    });
  }
});
