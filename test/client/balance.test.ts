import { expect } from "chai";
import {
  type AddressSource,
  type BootstrapSource,
  CapnpError,
  connect,
  type ConnectOptions,
  listen,
  type RpcClient,
} from "../../lib/index.ts";
import type { RpcServer } from "../../lib/rpc-server.ts";
import { Book, Ledger } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";

const quick = { minDelay: 2, maxDelay: 10, random: () => 0.5 };

/** Resolves when a condition holds; the test's own timeout is the limit. */
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
};

/** One of several servers: it can be stopped and started at the same address. */
class Place {
  readonly book = new Book();
  server!: RpcServer;
  address = "127.0.0.1:0";

  async start(): Promise<this> {
    this.server = await this.book.listen(this.address);
    this.address = this.server.address;
    return this;
  }

  get port(): number {
    return this.server.port as number;
  }
}

describe("a client with balance: round-robin", () => {
  const places: Place[] = [];
  const clients: RpcClient[] = [];
  let calls = 0;

  beforeEach(() => {
    calls = 0;
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await Promise.all(places.splice(0).map(({ server }) => server.close()));
  });

  const start = async (count: number): Promise<Place[]> => {
    const started = await Promise.all(Array.from({ length: count }, () => new Place().start()));
    places.push(...started);
    return started;
  };

  const open = async (source: AddressSource, options: ConnectOptions = {}): Promise<RpcClient> => {
    const client = await connect(source, { balance: "round-robin", reconnect: quick, ...options });
    clients.push(client as RpcClient);
    return client as RpcClient;
  };

  /** With a session with so many servers. */
  const openAll = async (servers: readonly Place[], options: ConnectOptions = {}): Promise<RpcClient> => {
    const client = await open(
      servers.map(({ address }) => address),
      options,
    );
    await until(() => client.sessions.length === servers.length);
    return client;
  };
  const ledgerOf = (client: RpcClient): Loose => client.bootstrap(Ledger as never);

  /** How many of so many calls each server made. */
  const spread = async (ledger: Loose, count: number, servers: readonly Place[]): Promise<number[]> => {
    const before = servers.map(({ book }) => book.made.size);
    await Promise.all(Array.from({ length: count }, () => ledger.add({ call: ++calls })));
    return servers.map(({ book }, index) => book.made.size - (before[index] as number));
  };

  it("has a connection to each server, and sends each call to the next one", async () => {
    const servers = await start(3);
    const client = await openAll(servers);
    const ledger = ledgerOf(client);
    expect(await spread(ledger, 12, servers)).to.deep.equal([4, 4, 4]);
    expect(client.sessions.map(({ peer }) => peer.address)).to.have.members(servers.map(({ address }) => address));
    expect(client.session).to.equal(client.sessions[0]);
    expect(servers.map(({ server }) => server.connections.length)).to.deep.equal([1, 1, 1]);
    expect(client.check()).to.deep.equal([]);
    ledger.release();
    await until(() => client.isIdle);
    expect(client.stats()).to.include({ questions: 0, exports: 0, imports: 0, calls: 0 });
  });

  it("leaves capabilities that calls return with their server, and calls in a pipeline, too", async () => {
    const servers = await start(2);
    const client = await openAll(servers);
    const ledger = ledgerOf(client);
    for (let call = 1; call <= 4; call++) {
      const { entry } = await ledger.entry({ call });
      for (let i = 0; i < 3; i++) expect((await entry.read()).call).to.equal(call);
      expect((await ledger.entry({ call: 10 + call }).entry.read()).call).to.equal(10 + call);
    }
    expect(servers.map(({ book }) => book.made.size)).to.deep.equal([4, 4]);
    const { entry } = await ledger.entry({ call: 5 });
    const at = servers.findIndex(({ book }) => book.made.has(5));
    await servers[at]?.server.close();
    expect(await rejection(entry.read())).to.include({ kind: "disconnected" });
    expect((await ledger.entry({ call: 6 }).entry.read()).call).to.equal(6);
    await servers[at]?.start();
  });

  it("leaves a server out that is gone until it is back, and is connected all the while", async () => {
    const servers = await start(3);
    const client = await openAll(servers);
    const ledger = ledgerOf(client);
    const states: string[] = [];
    client.state$.subscribe((state) => states.push(state));
    await servers[1]?.server.close();
    await until(() => client.sessions.length === 2);
    expect(await spread(ledger, 8, servers)).to.deep.equal([4, 0, 4]);
    await servers[1]?.start();
    await until(() => client.sessions.length === 3);
    expect(await spread(ledger, 9, servers)).to.deep.equal([3, 3, 3]);
    expect(states).to.deep.equal(["connected"]);
  });

  it("is disconnected when the last server is gone: calls wait, and go to the first that is back", async () => {
    const servers = await start(2);
    const client = await openAll(servers);
    const ledger = ledgerOf(client);
    const states: string[] = [];
    client.state$.subscribe((state) => states.push(state));
    await Promise.all(servers.map(({ server }) => server.close()));
    await until(() => client.sessions.length === 0);
    const waiting = ledger.add({ call: 1 });
    expect(client.waitingCalls).to.equal(1);
    expect(client.session).to.equal(undefined);
    await until(() => states.includes("connecting"));
    await servers[1]?.start();
    expect((await waiting).made).to.equal(1);
    expect(servers[1]?.book.count(1)).to.equal(1);
    await servers[0]?.start();
    expect([states[0], states[1], states.at(-1)]).to.deep.equal(["connected", "disconnected", "connected"]);
  });

  it("connects when one server can be reached, and rejects when none can, with what each has said", async () => {
    const [server] = await start(1);
    const client = await open(["127.0.0.1:1", server!.address, "unix:/nowhere/ledger.sock"]);
    expect(await spread(ledgerOf(client), 3, [server!])).to.deep.equal([3]);
    const error = await rejection(open(["127.0.0.1:1", "unix:/nowhere/ledger.sock"], { connectTimeout: 40 }));
    expect(error).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
    expect(error.message).to.include("127.0.0.1:1").and.include("/nowhere/ledger.sock");
    const attempts = { ...quick, maxAttempts: 2 };
    expect(await rejection(open(["127.0.0.1:1", "127.0.0.1:2"], { reconnect: attempts }))).to.include({
      code: "CAPNP_CONNECT",
    });
    expect(await rejection(open(async () => [], { connectTimeout: 40 }))).to.include({ code: "CAPNP_ADDRESS" });
    const wrong = new Error("no such user");
    const failing = open([server!.address], {
      onSession: () => {
        throw wrong;
      },
    });
    expect(await rejection(failing)).to.equal(wrong);
  });

  it("runs onSession on the connection to each server", async () => {
    const servers = await start(3);
    const numbers: number[] = [];
    const peers: string[] = [];
    const client = await openAll(servers, {
      onSession: (session) => {
        numbers.push(session.number);
        peers.push(session.peer.address);
      },
    });
    expect(numbers).to.have.members([1, 2, 3]);
    expect(peers).to.have.members(servers.map(({ address }) => address));
    await client.sessions[0]?.close();
    await until(() => numbers.length === 4 && client.sessions.length === 3);
    expect(numbers[3]).to.equal(4);
  });

  it("finds servers that have come, and lets go of those that are none any more when their calls have returned", async () => {
    const servers = await start(3);
    const addresses = servers.map(({ address }) => address);
    let now = addresses.slice(0, 2);
    const client = await open(() => now);
    await until(() => client.sessions.length === 2);
    const ledger = ledgerOf(client);
    const hanging = [1, 2].map((call) => ledger.hang({ call }));
    const ends = hanging.map((call) => rejection(call));
    await until(() => servers.slice(0, 2).every(({ book }) => book.made.size === 1));
    now = addresses.slice(1);
    // Names are resolved anew for each connection.
    await client.sessions.find(({ peer }) => peer.address === addresses[1])?.close();
    await until(
      () => client.sessions.length === 2 && client.sessions.some(({ peer }) => peer.address === addresses[2]),
    );
    calls = 10;
    expect(await spread(ledger, 6, servers)).to.deep.equal([0, 3, 3]);
    expect(servers[0]?.server.connections).to.have.lengthOf(1);
    for (const call of hanging) call.cancel();
    await Promise.all(ends);
    await until(() => servers[0]?.server.connections.length === 0);
  });

  it("goes to the spare servers of a service while all others are gone, and no longer", async () => {
    const [one, two, spare] = (await start(3)) as [Place, Place, Place];
    const record = (place: Place, priority: number) => ({ name: "127.0.0.1", port: place.port, priority, weight: 0 });
    const records = [record(one, 1), record(two, 1), record(spare, 2)];
    const resolver = { lookup: async () => [], resolveSrv: async () => records };
    const client = await open("srv://_ledger._tcp.test", { resolver });
    await until(() => client.sessions.length === 2);
    const ledger = ledgerOf(client);
    expect(await spread(ledger, 4, [one, two, spare])).to.deep.equal([2, 2, 0]);
    await one.server.close();
    await until(() => client.sessions.length === 1);
    expect(await spread(ledger, 4, [one, two, spare])).to.deep.equal([0, 4, 0]);
    await two.server.close();
    await until(() => spare.server.connections.length === 1 && client.sessions.length === 1);
    expect(await spread(ledger, 4, [one, two, spare])).to.deep.equal([0, 0, 4]);
    await one.start();
    await until(() => spare.server.connections.length === 0 && client.sessions.length === 1);
    expect(await spread(ledger, 4, [one, two, spare])).to.deep.equal([4, 0, 0]);
    await two.start();
  });

  it("has a connection to each address of a name, whose certificate is checked for the name", async () => {
    const servers = await start(1);
    let asked = 0;
    const resolver = {
      lookup: async () => {
        asked++;
        return ["127.0.0.1", "::1"];
      },
      resolveSrv: async () => [],
    };
    const [{ port, book }] = servers as [Place];
    const second = await listen(`[::1]:${port}`, { bootstrap: (() => book.serve()) as unknown as BootstrapSource });
    try {
      const client = await open(`ledger.test:${port}`, { resolver });
      await until(() => client.sessions.length === 2);
      expect(second.connections).to.have.lengthOf(1);
      expect(asked).to.equal(1);
      await client.session?.close();
      await until(() => client.sessions.length === 2);
      expect(asked).to.equal(2);
    } finally {
      await second.close();
    }
  });

  it("is one connection to the next server where it does not reconnect", async () => {
    const servers = await start(4);
    const addresses = servers.map(({ address }) => address);
    for (let i = 0; i < 40; i++) {
      const client = await connect(addresses, { balance: "round-robin" });
      await client.close();
    }
    const accepted = servers.map(({ server }) => server.stats().accepted);
    expect(accepted.reduce((sum, count) => sum + count)).to.equal(40);
    expect(Math.max(...accepted), "it is not always the same one").to.be.below(40);
    const once = await open(addresses, { reconnect: false, onSession: () => undefined });
    expect(once.sessions).to.have.lengthOf(1);
  });

  it("may be lazy, and is closed for good when it is closed", async () => {
    const servers = await start(2);
    const client = await open(
      servers.map(({ address }) => address),
      { lazy: true },
    );
    const states: string[] = [];
    client.state$.subscribe((state) => states.push(state));
    expect(servers.map(({ server }) => server.stats().accepted)).to.deep.equal([0, 0]);
    const ledger = ledgerOf(client);
    await ledger.add({ call: 1 });
    await until(() => client.sessions.length === 2);
    await client.close();
    expect(states).to.deep.equal(["disconnected", "connecting", "connected", "closed"]);
    expect(await rejection(ledger.add({ call: 2 }))).to.include({ kind: "disconnected" });
    await until(() => servers.every(({ server }) => server.connections.length === 0));
  });
});

describe("a server that drains", () => {
  const places: Place[] = [];
  const clients: RpcClient[] = [];

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await Promise.all(places.splice(0).map(({ server }) => server.close()));
  });

  for (const balance of ["pick-first", "round-robin"] as const) {
    it(`is left by its clients as soon as it refuses a call, while the call at work there returns (${balance})`, async () => {
      const [first, second] = (await Promise.all([new Place().start(), new Place().start()])) as [Place, Place];
      places.push(first, second);
      const client = (await connect([first.address, second.address], { balance, reconnect: quick })) as RpcClient;
      clients.push(client);
      await until(() => client.sessions.length === (balance === "pick-first" ? 1 : 2));
      const ledger = client.bootstrap(Ledger as never) as Loose;
      // One on each server that there is a session with.
      const hanging = client.sessions.map((_, index) => ledger.hang({ call: 1_000 + index }));
      const ends = hanging.map((call) => rejection(call));
      await until(() => first.book.made.size === 1);
      const closing = first.server.close({ drain: 60_000 });
      const before = first.book.made.size;
      let refused = 0;
      for (let call = 1; call <= 20; call++) {
        await ledger.add({ call }).catch((error: unknown) => {
          expect(error).to.include({ kind: "disconnected" });
          refused++;
        });
      }
      // Those that were sent before the server's answer to the first one was there, and before it was understood.
      expect(refused).to.be.within(1, balance === "pick-first" ? 5 : 1);
      expect(first.book.made.size).to.equal(before);
      expect(first.server.connections).to.have.lengthOf(1);
      expect(client.sessions.map(({ peer }) => peer.address)).to.deep.equal([second.address]);
      for (const call of hanging) call.cancel();
      await Promise.all(ends);
      await closing;
    });
  }

  it("costs no call that may be made again", async () => {
    const [first, second] = (await Promise.all([new Place().start(), new Place().start()])) as [Place, Place];
    places.push(first, second);
    const client = (await connect([first.address, second.address], { reconnect: quick })) as RpcClient;
    clients.push(client);
    const ledger = client.bootstrap(Ledger as never) as Loose;
    const hanging = ledger.hang({ call: 1_000 });
    const end = rejection(hanging);
    await until(() => first.book.made.size === 1);
    const closing = first.server.close({ drain: 60_000 });
    await Promise.all(Array.from({ length: 20 }, (_, call) => ledger.look({ call })));
    expect(second.book.made.size).to.equal(20);
    hanging.cancel();
    await end;
    await closing;
  });

  it("is not mistaken for one whose methods fail with disconnected, which keeps its clients", async () => {
    const place = await new Place().start();
    places.push(place);
    let fails = true;
    const broken = await listen("127.0.0.1:0", {
      bootstrap: class extends Ledger.Server {
        add({ call }: Loose) {
          if (fails) throw new CapnpError("CAPNP_DISCONNECTED", "the database is gone");
          return { made: call };
        }
      } as never,
    });
    try {
      const client = (await connect([broken.address, place.address], { reconnect: quick })) as RpcClient;
      clients.push(client);
      const { session } = client;
      const ledger = client.bootstrap(Ledger as never) as Loose;
      for (let round = 0; round < 3; round++) {
        const calls = [1, 2, 3].map((call) => rejection(ledger.add({ call })));
        for (const error of await Promise.all(calls)) expect(error).to.include({ kind: "disconnected" });
        await until(() => client.stats().questions === 0);
      }
      fails = false;
      expect((await ledger.add({ call: 7 })).made).to.equal(7);
      expect(client.session).to.equal(session);
      expect(place.server.stats().accepted).to.equal(0);
    } finally {
      await broken.close();
    }
  });
});
