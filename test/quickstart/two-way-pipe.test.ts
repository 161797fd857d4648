import { once } from "node:events";
import { connect, createServer, type Server as NetServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import * as capnp from "capstan";
import { expect } from "chai";
import { ensureCertificates } from "../../certs/make.ts";
import { CalculatorImpl } from "../../servers/calculator/server.ts";
import { rejection } from "../support/vats.ts";
import { hasIPv6, waysIn } from "./calculators.ts";

const { Calculator } = waysIn[0]!.schema;

type End = capnp.TwoPartyClient | capnp.TwoPartyServer;

/** The reader of the documents: from the socket, at most 4,096 bytes at a time, to the pipe, until the socket has ended. */
const myReader = async (pipe: End, socket: Socket): Promise<void> => {
  try {
    for await (const bytes of socket) {
      for (let at = 0; at < bytes.length; at += 4096) {
        if (!(await pipe.write(bytes.subarray(at, at + 4096)))) return;
      }
    }
    pipe.end();
  } catch (error) {
    pipe.end(error as Error);
  }
};

/** The writer: from the pipe to the socket, which is waited for (`drain`). */
const myWriter = async (pipe: End, socket: Socket): Promise<void> => {
  for (let bytes = await pipe.read(4096); bytes !== undefined; bytes = await pipe.read(4096)) {
    if (!socket.write(bytes)) await Promise.race([once(socket, "drain"), once(socket, "close")]);
  }
  socket.end();
};

/** The server class of the documents: an object for each connection. */
class Server {
  static readonly open = new Set<Server>();
  readonly #pipe = new capnp.TwoPartyServer({ bootstrap: new CalculatorImpl() });

  async myServer(socket: Socket): Promise<void> {
    Server.open.add(this);
    await Promise.all([myReader(this.#pipe, socket), myWriter(this.#pipe, socket)]);
    Server.open.delete(this);
  }
}

const served: Promise<void>[] = [];
const newConnection = (socket: Socket): void => {
  served.push(new Server().myServer(socket));
};

const listening = async (server: NetServer, host = "127.0.0.1"): Promise<number> => {
  server.listen(0, host);
  await once(server, "listening");
  return (server.address() as { port: number }).port;
};

/** Starts a client on a socket, lets it calculate, and ends both. */
const calculateOver = async (socket: Socket): Promise<number> => {
  const client = new capnp.TwoPartyClient();
  const tasks = Promise.all([myReader(client, socket), myWriter(client, socket)]);
  const calculator = client.bootstrap().castAs(Calculator);
  const { value } = await calculator.evaluate({ literal: 123 }).value.read();
  expect(Server.open.size).to.equal(1);
  await client.close();
  await tasks;
  await Promise.all(served.splice(0));
  expect(Server.open.size).to.equal(0);
  return value;
};

describe("quickstart: TwoWayPipe", () => {
  it("a client without a socket gives and takes the bytes, which tasks of the user's carry (new: Starting a Client (asyncio))", async () => {
    const server = createServer(newConnection);
    const port = await listening(server);
    expect(await calculateOver(connect(port, "127.0.0.1"))).to.equal(123);
    server.close();
  });

  it("IPv4 first, then IPv6, with sockets of the user's (new: Starting a Client (asyncio))", async function () {
    if (!hasIPv6) this.skip();
    const server = createServer(newConnection);
    const port = await listening(server, "::1");
    const openConnection = async (host: string): Promise<Socket> => {
      const socket = connect(port, host);
      await once(socket, "connect");
      return socket;
    };
    const tried: string[] = [];
    const open = async (): Promise<Socket> => {
      try {
        tried.push("IPv4");
        return await openConnection("127.0.0.1");
      } catch {
        tried.push("IPv6");
        return await openConnection("::1");
      }
    };
    expect(await calculateOver(await open())).to.equal(123);
    expect(tried).to.deep.equal(["IPv4", "IPv6"]);
    server.close();
  });

  it("the same over TLS: the pipe knows nothing of it (new: SSL/TLS Client, SSL/TLS Server)", async () => {
    const { ca, cert, key } = await ensureCertificates();
    const server = createTlsServer({ cert, key }, newConnection);
    const port = await listening(server);
    const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ca });
    await once(socket, "secureConnect");
    expect(await calculateOver(socket)).to.equal(123);
    server.close();
  });

  it("a server object for each connection, made as it is accepted (new: Starting a Server (asyncio))", async () => {
    const server = createServer(newConnection);
    const port = await listening(server);
    const clients = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const socket = connect(port, "127.0.0.1");
        const client = new capnp.TwoPartyClient();
        const tasks = Promise.all([myReader(client, socket), myWriter(client, socket)]);
        const { value } = await client.bootstrap(Calculator).evaluate({ literal: 1 }).value.read();
        expect(value).to.equal(1);
        return { client, tasks };
      }),
    );
    expect(Server.open.size).to.equal(5);
    for (const { client, tasks } of clients) {
      await client.close();
      await tasks;
    }
    await Promise.all(served.splice(0));
    expect(Server.open.size).to.equal(0);
    server.close();
  });

  it("the end of the socket ends the pipe, both tasks and all calls (new: Starting a Server (asyncio))", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.destroy()));
    const port = await listening(server);
    const socket = connect(port, "127.0.0.1");
    const client = new capnp.TwoPartyClient();
    const tasks = Promise.all([myReader(client, socket), myWriter(client, socket)]);
    const error = await rejection(client.bootstrap(Calculator).evaluate({ literal: 1 }));
    expect(error.kind).to.equal("disconnected");
    expect((await client.closed).kind).to.equal("disconnected");
    await tasks;
    expect(await client.read(4096)).to.equal(undefined);
    expect(await client.write(new Uint8Array(8))).to.equal(false);
    server.close();
  });
});
