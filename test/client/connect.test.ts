import { expect } from "chai";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { ensureCertificates } from "../../certs/make.ts";
import {
  type AddressSource,
  type BootstrapSource,
  type ConnectOptions,
  connect,
  listen,
  type RpcClient,
  TwoPartyClient,
} from "../../lib/index.ts";
import type { RpcServer } from "../../lib/rpc-server.ts";
import { Book, Ledger } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";

describe("connect", () => {
  const servers: (RpcServer | { close(): unknown })[] = [];
  const clients: { close(): Promise<void> }[] = [];

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });

  const serve = async (book = new Book(), address = "127.0.0.1:0"): Promise<RpcServer> => {
    const server = await book.listen(address);
    servers.push(server);
    return server;
  };

  const open = async (address: AddressSource, options?: ConnectOptions): Promise<TwoPartyClient | RpcClient> => {
    const client = await connect(address, options as ConnectOptions);
    clients.push(client);
    return client;
  };
  const add = async (client: TwoPartyClient | RpcClient, call: number): Promise<number> =>
    (await (client.bootstrap(Ledger as never) as Loose).add({ call })).made;

  /** Accepts connections, and says nothing. */
  const mute = async (): Promise<string> => {
    const server: Server = createServer(() => undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    servers.push(server);
    return `127.0.0.1:${(server.address() as { port: number }).port}`;
  };

  it("gives one connection, or with reconnect a client that outlives its connections", async () => {
    const { address } = await serve();
    expect(await open(address)).to.be.instanceOf(TwoPartyClient);
    expect(await open(address, { reconnect: false })).to.be.instanceOf(TwoPartyClient);
    for (const options of [
      { reconnect: true },
      { reconnect: {} },
      { onSession: () => undefined },
      { lazy: true },
      { maxConnectionAge: 1_000 },
      { deadline: 1_000 },
      { retry: {} },
    ]) {
      expect(await open(address, options), JSON.stringify(options)).not.to.be.instanceOf(TwoPartyClient);
    }
  });

  it("tries several addresses in their order, and tells of all that failed", async () => {
    const book = new Book();
    const { address } = await serve(book);
    const client = await open(["127.0.0.1:1", "unix:/nowhere/socket", address]);
    expect(await add(client, 1)).to.equal(1);
    const error = await rejection(open(["127.0.0.1:1", "unix:/nowhere/socket"]));
    expect(error).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
    expect(error.message).to.include("127.0.0.1:1").and.include("/nowhere/socket");
  });

  it("goes to another server when the first is gone", async () => {
    const books = [new Book(), new Book()];
    const [first, second] = await Promise.all(books.map((book) => serve(book)));
    const addresses = [first!.address, second!.address];
    const client = await open(addresses, { reconnect: { minDelay: 1 } });
    expect(await add(client, 1)).to.equal(1);
    await first!.close();
    await (client as RpcClient).session?.closed;
    expect(await add(client, 2)).to.equal(1);
    expect(books.map((book) => [...book.made.keys()])).to.deep.equal([[1], [2]]);
  });

  it("resolves a service anew for each connection", async () => {
    const books = [new Book(), new Book()];
    const ports = (await Promise.all(books.map((book) => serve(book)))).map(({ port }) => port as number);
    let asked = 0;
    const resolver = {
      lookup: async () => [],
      resolveSrv: async () => [{ name: "127.0.0.1", port: ports[asked++ % 2] as number, priority: 0, weight: 0 }],
    };
    const client = (await open("srv://_ledger._tcp.test", { resolver, reconnect: { minDelay: 1 } })) as RpcClient;
    await add(client, 1);
    await client.session?.close();
    await add(client, 2);
    expect(books.map((book) => [...book.made.keys()])).to.deep.equal([[1], [2]]);
  });

  it("checks the certificate for the name that an address was found by", async () => {
    const { ca, cert, key } = await ensureCertificates();
    const book = new Book();
    const bootstrap = (() => book.serve()) as unknown as BootstrapSource;
    const server = await listen("tls://127.0.0.1:0", { bootstrap, tls: { cert, key } });
    servers.push(server);
    const resolverOf = (ip: string) => ({
      lookup: async () => [ip],
      resolveSrv: async () => [{ name: ip, port: server.port as number, priority: 0, weight: 0 }],
    });
    const tls = { ca };
    const resolver = resolverOf("127.0.0.1");
    const options: ConnectOptions = { tls, resolver, balance: "round-robin", reconnect: true };
    expect(await add(await open(`tls://localhost:${server.port}`, options), 1)).to.equal(1);
    expect(await add(await open("tls+srv://_ledger._tcp.localhost", options), 2)).to.equal(1);
    for (const address of [`tls://else.test:${server.port}`, "tls+srv://_ledger._tcp.else.test"]) {
      expect(await rejection(open(address, options))).to.include({ code: "CAPNP_TLS" });
    }
  });

  it("does not take what only accepts connections for a server, and leaves time for the next one", async () => {
    const silent = await mute();
    const { address } = await serve();
    const client = await open([silent, address], { reconnect: true, connectTimeout: 200 });
    expect(await add(client, 1)).to.equal(1);
    const error = await rejection(open(silent, { reconnect: true, connectTimeout: 30 }));
    expect(error).to.include({ code: "CAPNP_CONNECT" });
    expect(error.message).to.include("connectTimeout");
  });

  it("gives up a TLS handshake that does not end, when its time is over or when it is canceled", async () => {
    const silent = `tls://${await mute()}`;
    const error = await rejection(open(silent, { connectTimeout: 30 }));
    expect(error).to.include({ code: "CAPNP_CONNECT" });
    expect(error.message).to.include("connectTimeout");
    const abort = new AbortController();
    const opening = rejection(open(silent, { signal: abort.signal }));
    abort.abort();
    expect(await opening).to.include({ code: "CAPNP_CANCELED" });
  });

  it("watches over a single connection, too", async () => {
    const silent = await mute();
    const client = (await open(silent, { keepalive: { idle: 20, timeout: 20 } })) as TwoPartyClient;
    expect(await client.closed).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
    const unwatched = (await open(silent, { keepalive: false })) as TwoPartyClient;
    expect(unwatched.stats().sent).to.equal(0);
  });

  it("refuses options that are wrong by name, before it connects", async () => {
    for (const [name, options] of Object.entries({
      connectTimeout: { connectTimeout: -1 },
      idle: { keepalive: { idle: -1 } },
      minDelay: { reconnect: { minDelay: Number.NaN } },
      maxWaitingCalls: { reconnect: { maxWaitingCalls: -1 } },
      sessionTimeout: { reconnect: true, sessionTimeout: -5 },
      budget: { retry: { budget: 0 } },
      balance: { balance: "last" as never },
      maxFrameBytes: { maxFrameBytes: 0 },
    })) {
      const error = await rejection(open("127.0.0.1:1", options));
      expect(error, name).to.include({ code: "CAPNP_RANGE" });
      expect(error.message).to.include(name);
    }
    expect(await rejection(open("127.0.0.1", { lazy: true }))).to.include({ code: "CAPNP_ADDRESS" });
    expect(await rejection(open([], {}))).to.include({ code: "CAPNP_ADDRESS" });
  });

  it("carries restoring over", async () => {
    const book = new Book();
    const ids: string[] = [];
    const server = await listen("127.0.0.1:0", {
      restorer: ((objectId: Loose) => {
        ids.push(objectId.as("Text"));
        return book.serve();
      }) as never,
    });
    servers.push(server);
    const client = (await open(server.address, { reconnect: { minDelay: 1 } })) as RpcClient;
    const ledger = client.ezRestore("ledger", Ledger as never) as Loose;
    expect((await ledger.add({ call: 1 })).made).to.equal(1);
    await client.session?.close();
    expect((await ledger.add({ call: 2 })).made).to.equal(1);
    expect((await (client.restore("other", "Text", Ledger as never) as Loose).add({ call: 3 })).made).to.equal(1);
    expect(ids.filter((id) => id !== "")).to.deep.equal(["ledger", "ledger", "other"]);
  });
});
