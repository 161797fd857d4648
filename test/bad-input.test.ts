import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { expect } from "chai";
import { generate } from "selfsigned";
import { WebSocket } from "ws";
import { type Certificates, ensureCertificates } from "../certs/make.ts";
import {
  type BootstrapSource,
  connect,
  listen,
  type ListenOptions,
  type Logger,
  type RpcServer,
  TwoPartyClient,
} from "../lib/index.ts";
import { child, MessageForm, messageTag, OutgoingMessage, setU32, u16 } from "../lib/rpc/wire.ts";
import { readException } from "../lib/rpc/wire-exception.ts";
import { encodeFrame, FrameReader } from "../lib/serialization/framing.ts";
import { MessageReader } from "../lib/serialization/message.ts";
import { Struct } from "../lib/serialization/struct.ts";
import { Book, Ledger } from "./support/ledger.ts";
import { type Loose, parseLoosely } from "./support/loose.ts";
import { rejection } from "./support/vats.ts";

const day = 24 * 60 * 60 * 1000;

const bootstrapMessage = (): Uint8Array => {
  const outgoing = new OutgoingMessage(new MessageForm(messageTag.bootstrap, "bootstrap"));
  setU32(outgoing.at, 0, 0);
  return encodeFrame(outgoing.segments);
};

/** Resolves when a condition holds; the test's own timeout is the limit. */
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
};

/** What each side is told, and that the server serves others all the while, is what these tests are about. */
describe("a server that is sent what it should not", () => {
  let certificates: Certificates;
  const cleanup: (() => unknown)[] = [];
  /** What the server has logged, warnings and more. */
  let log: string[];

  before(async () => {
    certificates = await ensureCertificates();
  });
  beforeEach(() => {
    log = [];
  });
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  const logger = (): Logger => {
    const write = (details: unknown, text?: unknown): void => {
      log.push(`${JSON.stringify(details)} ${text}`);
    };
    return { trace: () => undefined, debug: write, info: write, warn: write, error: write };
  };

  const serve = async (address: string, options: Omit<ListenOptions, "bootstrap"> = {}): Promise<RpcServer> => {
    const book = new Book();
    const bootstrap = (() => book.serve()) as unknown as BootstrapSource;
    const { key, cert } = certificates;
    const tls = /^(tls|wss):/.test(address) ? { tls: { key, cert, ...options.tls } } : {};
    const server = await listen(address, { bootstrap, logger: logger(), closeTimeout: 100, ...options, ...tls });
    cleanup.push(() => server.close());
    return server;
  };

  const open = async (server: RpcServer): Promise<TwoPartyClient> => {
    const isSecure = /^(tls|wss):/.test(server.address);
    const address = server.address.replace("127.0.0.1", isSecure ? "localhost" : "127.0.0.1");
    const client = await connect(address, isSecure ? { tls: { ca: certificates.ca } } : {});
    cleanup.push(() => client.close());
    return client;
  };

  /** Does something, while an honest client is there that is served before and after, and so is another one that comes later. */
  const unharmed = async (server: RpcServer, deed: () => Promise<void>): Promise<void> => {
    const honest = (await open(server)).bootstrap(Ledger as never) as Loose;
    expect((await honest.add({ call: 1 })).made).to.equal(1);
    await deed();
    expect((await honest.add({ call: 2 })).made).to.equal(1);
    const later = (await open(server)).bootstrap(Ledger as never) as Loose;
    expect((await later.add({ call: 3 })).made).to.equal(1);
    await until(() => server.connections.length === 2);
  };

  const logged = async (pattern: RegExp): Promise<void> => until(() => log.some((line) => pattern.test(line)));

  /** A connection of someone who does as they please. */
  const raw = async (server: RpcServer): Promise<Socket> => {
    const socket = connectTcp({ port: server.port as number, host: "127.0.0.1" });
    cleanup.push(() => socket.destroy());
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  };

  /** All that comes until the connection is over. */
  const allOf = async (socket: Socket): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.once("end", () => socket.end());
    if (!socket.destroyed) await new Promise((resolve) => socket.once("close", resolve));
    return Buffer.concat(chunks);
  };

  /** The reason of the Abort in it. */
  const abortIn = (bytes: Uint8Array): string => {
    const frames = new FrameReader();
    frames.push(bytes);
    for (let segments = frames.next(); segments !== undefined; segments = frames.next()) {
      const root = new MessageReader(segments).root(Struct);
      if (u16(root, 0) === messageTag.abort) return readException(child(root, 0), 10_000).reason;
    }
    throw new Error("no Abort");
  };

  /** A certificate that signed itself. */
  const alone = async (name: string, from: number, to: number): Promise<{ key: string; cert: string }> => {
    const { cert, private: key } = await generate([{ name: "commonName", value: name }], {
      keyType: "ec",
      curve: "P-256",
      algorithm: "sha256",
      notBeforeDate: new Date(Date.now() + from * day),
      notAfterDate: new Date(Date.now() + to * day),
      extensions: [{ name: "subjectAltName", altNames: [{ type: 2, value: name }] }],
    } as never);
    return { key, cert };
  };

  // Deno sends the alert that Node keeps to itself.
  const hungUp = /hung up at the handshake.*certificate|does not accept our certificate/;

  it("says on both sides that the client trusts another authority", async () => {
    const server = await serve("tls://localhost:0");
    const { cert: ca } = await alone("localhost", -1, 1);
    await unharmed(server, async () => {
      const error = await rejection(connect(server.address, { tls: { ca } }));
      expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
      expect(error.message).to.match(/authority/);
      await logged(hungUp);
    });
  });

  it("says on both sides that its certificate is for another name", async () => {
    const server = await serve("tls://localhost:0");
    await unharmed(server, async () => {
      const tls = { ca: certificates.ca, servername: "else.test" };
      const error = await rejection(connect(server.address, { tls }));
      expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
      expect(error.message).to.include("else.test").and.include("servername");
      await logged(hungUp);
    });
  });

  it("says on both sides that its certificate has expired", async () => {
    const expired = await alone("localhost", -10, -1);
    const server = await serve("tls://localhost:0", { tls: expired });
    const error = await rejection(connect(server.address, { tls: { ca: expired.cert } }));
    expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
    expect(error.message).to.include("expired");
    await logged(hungUp);
    server.setSecureContext(certificates);
    await unharmed(server, async () => undefined);
  });

  it("says on both sides that a client's certificate has expired, or is of another authority", async () => {
    const server = await serve("tls://localhost:0", { tls: { ca: certificates.ca, requestCert: true } });
    for (const wrong of [await alone("mallory", -10, -1), await alone("mallory", -1, 1)]) {
      const client = await connect(server.address, { tls: { ca: certificates.ca, ...wrong } }).catch(
        (error: unknown) => error,
      );
      const error = client instanceof Error ? client : await (client as TwoPartyClient).closed;
      expect(error).to.include({ kind: "disconnected" });
    }
    await until(() => server.stats().handshakeFailures === 2);
    // Bun says what is wrong with it.
    const refused =
      /the client's certificate is not accepted|the peer's certificate has expired|no trusted authority signed/;
    expect(log.filter((line) => refused.test(line))).to.have.lengthOf(2);
    const { ca, clientCert, clientKey } = certificates;
    const client = await connect(server.address, { tls: { ca, cert: clientCert, key: clientKey } });
    await (client.bootstrap(Ledger as never) as Loose).add({ call: 1 });
    await client.close();
  });

  it("says on both sides that plain bytes came to a TLS port", async () => {
    const server = await serve("tls://localhost:0");
    await unharmed(server, async () => {
      const client = await connect(`localhost:${server.port}`);
      const error = await rejection((client.bootstrap(Ledger as never) as Loose).add({ call: 9 }));
      expect(error).to.include({ kind: "disconnected" });
      // As its port is closed with bytes of ours unread, it may also look like a reset.
      expect(error.message).to.match(/TLS|refused what it was sent/);
      await logged(/CAPNP_TLS.*does not speak TLS/);
      expect(server.stats().handshakeFailures).to.equal(1);
    });
  });

  it("says on both sides that TLS came to a plain port", async () => {
    const server = await serve("localhost:0");
    await unharmed(server, async () => {
      const error = await rejection(connect(`tls://localhost:${server.port}`, { tls: { ca: certificates.ca } }));
      expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
      expect(error.message).to.include("does not speak TLS");
      await logged(/TLS handshake/);
    });
  });

  it("says on both sides that an HTTP request came", async () => {
    const server = await serve("127.0.0.1:0");
    await unharmed(server, async () => {
      const socket = await raw(server);
      const answer = allOf(socket);
      socket.write("GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect(abortIn(await answer)).to.include("HTTP request");
      await logged(/HTTP request/);
      expect(server.stats().broken).to.equal(1);
    });
  });

  it("says on both sides that a WebSocket brought a text frame", async () => {
    const server = await serve("ws://127.0.0.1:0/vat");
    await unharmed(server, async () => {
      const socket = new WebSocket(server.address);
      const answers: Buffer[] = [];
      socket.on("message", (data: Buffer) => answers.push(data));
      await once(socket, "open");
      socket.send("hello");
      await once(socket, "close");
      expect(abortIn(Buffer.concat(answers))).to.include("text message");
      await logged(/text message/);
    });
  });

  describe("cuts a client off", () => {
    it("that never finishes its handshake: tls.handshakeTimeout", async () => {
      const server = await serve("tls://localhost:0", { tls: { handshakeTimeout: 30 } });
      const socket = await raw(server);
      const over = allOf(socket);
      socket.write(Uint8Array.of(0x16, 3, 1));
      await over;
      await logged(/handshake took too long/);
      expect(server.stats()).to.include({ handshakeFailures: 1, connections: 0 });
    });

    it("that never asks for a WebSocket: webSocket.upgradeTimeout", async () => {
      const server = await serve("ws://127.0.0.1:0/vat", { webSocket: { upgradeTimeout: 30 } });
      await allOf(await raw(server));
      await logged(/upgradeTimeout/);
      await unharmed(server, async () => undefined);
    });

    it("that never says a word: firstMessageTimeout", async () => {
      const server = await serve("127.0.0.1:0", { firstMessageTimeout: 30 });
      await unharmed(server, async () => {
        await allOf(await raw(server));
        await logged(/firstMessageTimeout/);
      });
    });

    it("that dribbles bytes: partialFrameTimeout", async () => {
      const server = await serve("127.0.0.1:0", { partialFrameTimeout: 40 });
      await unharmed(server, async () => {
        const socket = await raw(server);
        const over = allOf(socket);
        const message = bootstrapMessage();
        let at = 0;
        const timer = setInterval(() => socket.write(message.subarray(at, ++at)), 5);
        // One byte less than the message has: it never ends.
        setTimeout(() => clearInterval(timer), 5 * (message.length - 2));
        await over;
        clearInterval(timer);
        expect(at).to.be.below(message.length);
        await logged(/partialFrameTimeout/);
      });
    });

    it("that never reads: slowReaderTimeout", async () => {
      const { Shelf } = parseLoosely("interface Shelf { book @0 () -> (text :Data); }");
      class ShelfImpl extends Shelf.Server {
        book() {
          return { text: new Uint8Array(1024 * 1024) };
        }
      }
      const options = { logger: logger(), slowReaderTimeout: 50, closeTimeout: 100 };
      const server = await listen("127.0.0.1:0", { bootstrap: ShelfImpl as never, ...options });
      cleanup.push(() => server.close());
      const honest = (await open(server)).bootstrap(Shelf as never) as Loose;
      expect((await honest.book()).text.length).to.equal(1024 * 1024);
      const socket = await raw(server);
      // It asks, and looks at no answer.
      const deaf = new Duplex({
        read: () => undefined,
        write: (chunk, _, done) => void socket.write(chunk, () => done()),
      });
      const client = new TwoPartyClient(deaf);
      const shelf = client.bootstrap(Shelf as never) as Loose;
      const asked = Array.from({ length: 50 }, () => rejection(shelf.book()));
      await until(() => server.connections.length === 2);
      await until(() => server.connections.length === 1);
      await logged(/slowReaderTimeout/);
      expect((await honest.book()).text.length).to.equal(1024 * 1024);
      await client.close();
      await Promise.all(asked);
    });

    it("that floods pings: webSocket.maxPendingPongs", async () => {
      const server = await serve("ws://127.0.0.1:0/vat");
      await unharmed(server, async () => {
        const socket = await raw(server);
        const key = Buffer.alloc(16).toString("base64");
        const lines = ["host: x", "connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13"];
        socket.write(`GET /vat HTTP/1.1\r\n${lines.join("\r\n")}\r\nsec-websocket-key: ${key}\r\n\r\n`);
        await once(socket, "data");
        const over = allOf(socket);
        const ping = Buffer.from([0x89, 0x82, 0, 0, 0, 0, 1, 2]);
        socket.write(Buffer.concat(Array.from({ length: 50_000 }, () => ping)));
        expect((await over).toString("latin1")).to.include("pings");
        await logged(/maxPendingPongs/);
      });
    });

    it("that opens connections by the thousand: maxConnectionsPerAddress and maxConnections", async () => {
      for (const [name, limit, count] of [
        ["maxConnectionsPerAddress", { maxConnectionsPerAddress: 20 }, 1_000],
        ["maxConnections", { maxConnections: 20 }, 100],
      ] as const) {
        const server = await serve("127.0.0.1:0", limit);
        const honest = (await open(server)).bootstrap(Ledger as never) as Loose;
        await honest.add({ call: 1 });
        const sockets: Socket[] = [];
        for (let batch = 0; batch < count / 100; batch++) {
          const some = await Promise.all(Array.from({ length: 100 }, () => raw(server)));
          for (const socket of some) socket.resume();
          sockets.push(...some);
        }
        await until(() => server.stats().refused === count - 19);
        expect(server.connections).to.have.lengthOf(20);
        expect((await honest.add({ call: 2 })).made).to.equal(1);
        await logged(new RegExp(name));
        for (const socket of sockets) socket.destroy();
        await until(() => server.connections.length === 1);
        await (await open(server)).close();
      }
    });
  });

  it("takes a TLS client that was not welcome for what it is, also where it speaks no more than TLS", async () => {
    const server = await serve("tls://localhost:0");
    await unharmed(server, async () => {
      const socket = connectTls({ port: server.port as number, host: "localhost", ca: certificates.ca });
      await once(socket, "secureConnect");
      socket.destroy();
      await logged(hungUp);
      expect(server.stats().broken).to.equal(0);
    });
  });
});
