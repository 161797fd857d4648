import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { expect } from "chai";
import { ensureCertificates } from "../certs/make.ts";
import { TwoPartyClient, TwoPartyServer } from "../lib/stream-vat.ts";
import type { Loose } from "./support/loose.ts";
import { Processes } from "./support/processes.ts";
import { repositoryRoot } from "./support/repository.ts";
import { testSchema } from "./support/rpc-messages.ts";
import { emptyTables, rejection, Servers, tablesOf, turn } from "./support/vats.ts";

const { Node } = testSchema;

type End = TwoPartyClient | TwoPartyServer;

/** What a user writes who has a socket and an end without a stream: both directions, each at the other's pace. */
const pump = (socket: Socket, end: End): Promise<unknown> => {
  const outward = async (): Promise<void> => {
    for (let bytes = await end.read(4096); bytes !== undefined; bytes = await end.read(4096)) {
      const piece = bytes;
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    socket.end();
  };
  const inward = async (): Promise<void> => {
    try {
      for await (const bytes of socket) if (!(await end.write(bytes))) break;
      end.end();
    } catch (error) {
      end.end(error as Error);
    }
  };
  return Promise.all([outward(), inward()]);
};

const listening = async (server: Server): Promise<number> => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
};

/** Carries bytes between two ends, without a socket. Resolves when both have ended. */
const join2 = (a: End, b: End): Promise<unknown> => {
  const carry = async (from: End, to: End): Promise<void> => {
    for (let bytes = await from.read(); bytes !== undefined; bytes = await from.read()) await to.write(bytes);
    to.end();
  };
  return Promise.all([carry(a, b), carry(b, a)]);
};

const converse = async (client: TwoPartyClient, servers: Servers): Promise<void> => {
  const node: Loose = client.bootstrap(Node as never);
  const mine = servers.make({ add: ({ a, b }: Loose) => a + b });
  const made = node.make("x");
  expect((await made.node.add(1, 2)).sum).to.equal(3);
  const echoed = await node.echo(mine);
  expect((await echoed.cap.add(20, 22)).sum).to.equal(42);
  expect((await node.data(300_000)).data).to.have.lengthOf(300_000);
  for (const one of [echoed.cap, made, node]) one[Symbol.dispose]();
};

const serve = (servers: Servers): Loose =>
  servers.make({
    make: () => servers.make({ add: ({ a, b }: Loose) => a + b }),
    echo: ({ cap }: Loose) => cap,
    data: ({ size }: Loose) => new Uint8Array(size),
    never: () => new Promise(() => undefined),
  });

const expectEmpty = async (ends: readonly End[], servers: Servers): Promise<void> => {
  for (let i = 0; i < 20; i++) await turn();
  for (const end of ends) expect(tablesOf(end.stats())).to.deep.equal(emptyTables);
  servers.expectDisposed();
};

describe("an end without a stream", () => {
  it("speaks through a TCP socket whose bytes the user carries, on both sides", async () => {
    const servers = new Servers();
    let end: TwoPartyServer | undefined;
    let served: Promise<unknown> = Promise.resolve();
    const listener = createServer((socket) => {
      end = new TwoPartyServer({ bootstrap: serve(servers) });
      served = pump(socket, end);
    });
    const port = await listening(listener);
    const socket = connect(port, "127.0.0.1");
    const client = new TwoPartyClient();
    const pumped = pump(socket, client);
    await converse(client, servers);
    await client.close();
    await Promise.all([pumped, served, end?.closed]);
    listener.close();
    await expectEmpty([client, end!], servers);
  });

  it("speaks through a TLS socket whose bytes the user carries, on both sides", async () => {
    await ensureCertificates();
    const file = (name: string) => readFile(join(repositoryRoot, "certs", name));
    const servers = new Servers();
    let end: TwoPartyServer | undefined;
    let served: Promise<unknown> = Promise.resolve();
    const listener = createTlsServer({ key: await file("server.key"), cert: await file("server.crt") }, (socket) => {
      end = new TwoPartyServer({ bootstrap: serve(servers) });
      served = pump(socket, end);
    });
    const port = await listening(listener);
    const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca: await file("ca.crt") });
    await once(socket, "secureConnect");
    const client = new TwoPartyClient();
    const pumped = pump(socket, client);
    await converse(client, servers);
    await client.close();
    await Promise.all([pumped, served, end?.closed]);
    listener.close();
    await expectEmpty([client, end!], servers);
  });

  it("needs no socket at all, and takes bytes in pieces of any size", async () => {
    const servers = new Servers();
    const client = new TwoPartyClient();
    const server = new TwoPartyServer(undefined, { bootstrap: serve(servers) });
    const carryOut = async (): Promise<void> => {
      for (let bytes = await client.read(3); bytes !== undefined; bytes = await client.read(3)) {
        expect(bytes.length).to.be.within(1, 3);
        await server.write(bytes);
      }
      server.end();
    };
    const carryIn = async (): Promise<void> => {
      for (let bytes = await server.read(1000); bytes !== undefined; bytes = await server.read(1000)) {
        await client.write(bytes);
      }
      client.end();
    };
    const carried = Promise.all([carryOut(), carryIn()]);
    await converse(client, servers);
    await Promise.all([client.close(), carried]);
    await expectEmpty([client, server], servers);
  });

  it("holds back what nobody reads, and goes on when somebody does", async () => {
    const servers = new Servers();
    const client = new TwoPartyClient();
    const server = new TwoPartyServer({ bootstrap: serve(servers) });
    const node: Loose = client.bootstrap(Node as never);
    const calls = Array.from({ length: 20 }, () => node.data(100_000));
    await turn();
    const request = await client.read();
    expect(await server.write(request!)).to.equal(true);
    for (let i = 0; i < 10; i++) await turn();
    const first = await server.read(10);
    expect(first).to.have.lengthOf(10);
    await client.write(first!);
    const carried = join2(client, server);
    for (const { data } of await Promise.all(calls)) expect(data).to.have.lengthOf(100_000);
    node.release();
    await Promise.all([client.close(), carried]);
    await expectEmpty([client, server], servers);
  });

  it("fails its calls when the user says that the peer is gone, cleanly or not", async () => {
    for (const reason of [undefined, Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })]) {
      const client = new TwoPartyClient();
      const node: Loose = client.bootstrap(Node as never);
      const call = node.never();
      await turn();
      expect(await client.read()).to.be.instanceOf(Uint8Array);
      client.end(reason);
      expect((await rejection(call)).kind).to.equal("disconnected");
      expect((await client.closed).kind).to.equal("disconnected");
      while ((await client.read()) !== undefined);
      expect(await client.write(new Uint8Array(8))).to.equal(false);
      node.release();
      expect(tablesOf(client.stats())).to.deep.equal(emptyTables);
    }
  });

  it("says goodbye when bytes arrive that are no messages, then ends", async () => {
    const server = new TwoPartyServer({});
    expect(await server.write(new Uint8Array(64).fill(0xff))).to.equal(true);
    const reason = await server.closed;
    expect(reason.code).to.match(/^CAPNP_FRAME/);
    const goodbye = await server.read();
    expect(goodbye, "an Abort").to.be.instanceOf(Uint8Array);
    expect(await server.read()).to.equal(undefined);
    server.end();
    expect(await server.write(new Uint8Array(8))).to.equal(false);
  });

  it("keeps its process alive until it is closed, though nobody carries its bytes", async () => {
    const module = pathToFileURL(join(repositoryRoot, "dist/lib/stream-vat.js"));
    const code = `import { TwoPartyClient } from "${module}";
      await new TwoPartyClient({ closeTimeout: 20 }).close();
      console.log("closed");`;
    const { stdout } = await new Processes().run(process.execPath, ["--input-type=module", "-e", code]);
    expect(stdout).to.equal("closed\n");
  });

  it("is not what an address, or another kind of stream, makes", () => {
    const Loose = TwoPartyClient as unknown as new (...args: unknown[]) => TwoPartyClient;
    for (const wrong of ["localhost:60000", 5, null, new ReadableStream(), []]) {
      expect(() => new Loose(wrong)).to.throw("made with a Duplex");
    }
    expect(() => new Loose("localhost:60000")).to.throw("see connect and listen");
  });

  it("has no reading and writing where it was given a stream", async () => {
    const [a, b] = [new TwoPartyClient(), new TwoPartyServer()];
    const carried = join2(a, b);
    await Promise.all([a.close(), carried]);
    const { Duplex } = await import("node:stream");
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const client = new TwoPartyClient(stream, { closeTimeout: 1 });
    for (const error of [await rejection(client.read()), await rejection(client.write(new Uint8Array(1)))]) {
      expect(error.code).to.equal("CAPNP_CALL");
      expect(error.message).to.contain("whose bytes you carry");
    }
    expect(() => client.end()).to.throw("whose bytes you carry");
    await client.close();
  });
});
