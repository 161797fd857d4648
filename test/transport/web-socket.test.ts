import { once } from "node:events";
import { createServer as createHttpServer, get } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { expect } from "chai";
import { WebSocket, WebSocketServer } from "ws";
import { type Certificates, ensureCertificates } from "../../certs/make.ts";
import type { CapnpError } from "../../lib/errors.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { connectSocket } from "../../lib/transport/connect-socket.ts";
import { webSocketLimits } from "../../lib/transport/limits.ts";
import { type ListenSocketOptions, listenSocket } from "../../lib/transport/listen-socket.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import type { WebSocketMount } from "../../lib/transport/web-socket-mount.ts";
import { webSocketTransport } from "../../lib/transport/web-socket.ts";
import { Recorder, rejection, turn, words } from "./recorder.ts";
import { StandardSocket } from "./standard-socket.ts";

describe("WebSocket transport", () => {
  let certificates: Certificates;
  const cleanup: (() => unknown)[] = [];

  before(async () => {
    certificates = await ensureCertificates();
  });
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  /** A server that keeps what it hears. */
  async function serve(options: ListenSocketOptions = {}, target: string | WebSocketMount = "ws://127.0.0.1:0/vat") {
    const transports: Transport[] = [];
    const recorders: Recorder[] = [];
    const failures: CapnpError[] = [];
    let changed = (): void => undefined;
    const onConnectionError = (error: CapnpError): void => {
      failures.push(error);
      changed();
    };
    const server = await listenSocket(target, { onConnectionError, ...options }, (transport) => {
      transports.push(transport);
      recorders.push(new Recorder(transport));
      changed();
    });
    cleanup.push(() => server.close());
    cleanup.push(() => transports.forEach((transport) => void transport.destroy()));
    const until = async (ready: () => boolean): Promise<void> => {
      while (!ready()) {
        await new Promise<void>((resolve) => {
          changed = resolve;
        });
      }
    };
    return { server, transports, recorders, failures, until };
  }

  /** A client that is not ours, connected. */
  async function stranger(address: string): Promise<WebSocket> {
    const socket = new WebSocket(address, { perMessageDeflate: true, autoPong: false });
    cleanup.push(() => socket.terminate());
    socket.on("error", () => undefined);
    await once(socket, "open");
    return socket;
  }

  async function connect(address: string, options = {}): Promise<Transport> {
    const transport = await connectSocket(address, options);
    cleanup.push(() => transport.destroy());
    return transport;
  }

  /** The bytes of a client that does as it pleases, after its handshake. */
  async function raw(port: number): Promise<Socket> {
    const socket = connectTcp({ port, host: "127.0.0.1" });
    cleanup.push(() => socket.destroy());
    socket.on("error", () => undefined);
    const lines = [
      "GET /vat HTTP/1.1",
      "host: x",
      "connection: upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
    ];
    socket.write(`${lines.join("\r\n")}\r\nsec-websocket-key: ${Buffer.alloc(16).toString("base64")}\r\n\r\n`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString())
      .to.match(/^HTTP\/1.1 101 /)
      .and.not.match(/extensions/i);
    return socket;
  }

  /** A frame of a client, masked with zeros. */
  const frame = (first: number, payload: Uint8Array): Buffer => {
    const length = payload.byteLength;
    const header = length < 126 ? [first, 0x80 | length] : [first, 0x80 | 126, length >> 8, length & 0xff];
    return Buffer.concat([Buffer.from(header), Buffer.alloc(4), payload]);
  };

  /** The code and reason of the close frame with which the server ended. */
  const closeOf = async (socket: Socket): Promise<{ readonly code: number; readonly reason: string }> => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    // Whoever still writes when the server is gone may see a reset, after the close frame.
    await new Promise((resolve) => socket.once("close", resolve));
    const bytes = Buffer.concat(chunks);
    for (let at = 0; at < bytes.length; at += 2 + (bytes[at + 1]! & 0x7f)) {
      if (bytes[at] !== 0x88) continue;
      return { code: bytes.readUInt16BE(at + 2), reason: bytes.toString("utf8", at + 4, at + 2 + bytes[at + 1]!) };
    }
    throw new Error("no close frame");
  };

  /** That the server is none the worse. */
  const isUnharmed = async (address: string, recorders: Recorder[]): Promise<void> => {
    const before = recorders.length;
    const client = await connect(address);
    client.send([words(1, 9)]);
    while (recorders.length === before) await turn();
    expect(await recorders.at(-1)!.received(1)).to.deep.equal([[words(1, 9)]]);
  };

  it("knows the address at both ends, and at the server the request", async () => {
    const { server, transports, until } = await serve();
    expect(server.address).to.equal(`ws://127.0.0.1:${server.port}/vat`);
    const client = await connect(`${server.address}?room=7`, {
      webSocket: { headers: { authorization: "Bearer abc" } },
    });
    await until(() => transports.length === 1);
    expect(client.peer).to.deep.equal({
      address: `${server.address}?room=7`,
      encrypted: false,
      authenticated: false,
    });
    const { address, request } = transports[0]!.peer;
    expect(address).to.match(/^127\.0\.0\.1:\d+$/);
    expect(request!.path).to.equal("/vat?room=7");
    expect(request!.headers.get("authorization")).to.equal("Bearer abc");
  });

  it("is encrypted and authenticated with wss, as TLS is", async () => {
    const { key, cert, ca } = certificates;
    const { server, transports, until } = await serve({ tls: { key, cert } }, "wss://localhost:0");
    expect(server.address).to.equal(`wss://localhost:${server.port}/`);
    const client = await connect(server.address, { tls: { ca } });
    expect(client.peer).to.include({ encrypted: true, authenticated: true });
    expect(client.peer.certificate!.subject).to.equal("CN=localhost");
    await until(() => transports.length === 1);
    expect(transports[0]!.peer).to.include({ encrypted: true, authenticated: false });
    const untrusted = await rejection(connectSocket(server.address));
    expect(untrusted).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
  });

  it("is refused where nobody speaks HTTP, or nothing serves the path, and says so", async () => {
    const { server, failures } = await serve();
    const missing = await rejection(connectSocket(`ws://127.0.0.1:${server.port}/elsewhere`));
    expect(missing).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
    expect(missing.message).to.include("404").and.to.include("path");
    expect(failures.map(({ message }) => message)).to.have.lengthOf(1);
    expect(failures[0]!.message).to.include("/elsewhere").and.to.include("404");

    const plain = await serve({}, "127.0.0.1:0");
    const noHttp = await rejection(connectSocket(`ws://127.0.0.1:${plain.server.port}`));
    expect(noHttp).to.include({ code: "CAPNP_CONNECT" });
    expect(noHttp.message).to.match(/HTTP|hung up/);
    expect((await plain.recorders[0]!.ended())!.message).to.include("HTTP request");
    const gone = await listenSocket("127.0.0.1:0", {}, () => undefined);
    await gone.close();
    expect((await rejection(connectSocket(`ws://${gone.address}`))).message).to.include("ECONNREFUSED");
  });

  it("says on both sides that only one of them speaks TLS", async () => {
    const { server, failures, until, recorders } = await serve();
    const toPlain = await rejection(connectSocket(`wss://localhost:${server.port}/vat`));
    expect(toPlain).to.include({ code: "CAPNP_TLS" });
    expect(toPlain.message).to.include("does not speak TLS");
    await until(() => failures.length === 1);
    expect(failures[0]!.message).to.include("TLS handshake");
    await isUnharmed(server.address, recorders);
    const { key, cert } = certificates;
    const secure = await serve({ tls: { key, cert } }, "wss://localhost:0/vat");
    const toSecure = await rejection(connectSocket(`ws://localhost:${secure.server.port}/vat`));
    expect(toSecure).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
    expect(toSecure.message).to.include("wss://");
    await secure.until(() => secure.failures.length === 1);
    expect(secure.failures[0]!).to.include({ code: "CAPNP_TLS" });
  });

  it("answers what is no WebSocket request, and goes on", async () => {
    const { server, failures, until, recorders } = await serve();
    for (const [path, status] of [
      ["/vat", 426],
      ["/", 404],
    ] as const) {
      const response = await new Promise<number | undefined>((resolve, reject) => {
        const request = get({ host: "127.0.0.1", port: server.port!, path }, (answer) => {
          answer.resume();
          resolve(answer.statusCode);
        });
        request.on("error", reject);
      });
      expect(response).to.equal(status);
    }
    await until(() => failures.length === 2);
    expect(failures[0]!.message).to.include("GET /vat").and.to.include("426");
    const socket = connectTcp({ port: server.port!, host: "127.0.0.1" });
    cleanup.push(() => socket.destroy());
    socket.write(encodeFrame([words(1)]));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).to.match(/^HTTP\/1.1 400 /);
    await until(() => failures.length === 3);
    expect(failures[2]!.message).to.include("no HTTP request");
    await isUnharmed(server.address, recorders);
  });

  it("drops who does not ask for a WebSocket in time", async () => {
    const { server, failures, until } = await serve({ webSocket: { upgradeTimeout: 30 } });
    const socket = connectTcp({ port: server.port!, host: "127.0.0.1" });
    cleanup.push(() => socket.destroy());
    await once(socket, "close");
    await until(() => failures.length === 1);
    expect(failures[0]).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
    expect(failures[0]!.message).to.include("upgradeTimeout");
  });

  it("lets pages of its own host in, those that it is told of, and none else", async () => {
    const own = await serve();
    const from = (address: string, origin: string) => connectSocket(address, { webSocket: { headers: { origin } } });
    const refused = await rejection(from(own.server.address, "https://evil.example"));
    expect(refused.message).to.include("403");
    expect(own.failures[0]!.message).to.include("https://evil.example").and.to.include("webSocket.origins");
    expect((await rejection(from(own.server.address, "null"))).message).to.include("403");
    cleanup.push(await from(own.server.address, `http://127.0.0.1:${own.server.port}`).then((t) => () => t.destroy()));
    const listed = await serve({ webSocket: { origins: ["https://app.example"] } });
    cleanup.push(await from(listed.server.address, "https://app.example").then((t) => () => t.destroy()));
    expect((await rejection(from(listed.server.address, "https://evil.example"))).message).to.include("403");
    const open = await serve({ webSocket: { origins: "*" } });
    cleanup.push(await from(open.server.address, "https://evil.example").then((t) => () => t.destroy()));
  });

  it("takes a path of an HTTP server that serves other things, and leaves those alone", async () => {
    const http = createHttpServer((_request, response) => response.end("a page"));
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    cleanup.push(() => http.close());
    const other = new WebSocketServer({ noServer: true });
    http.on("upgrade", (request, socket, head) => {
      if (request.url === "/other") other.handleUpgrade(request, socket, head, (webSocket) => webSocket.send("other"));
    });
    const { server, recorders } = await serve({ maxConnections: 1 }, { server: http, path: "/rpc" });
    const port = (http.address() as { port: number }).port;
    expect(server.address).to.equal(`ws://127.0.0.1:${port}/rpc`);
    await isUnharmed(server.address, recorders);
    const full = await rejection(connectSocket(server.address));
    expect(full.message).to.include("503");
    const elsewhere = new WebSocket(`ws://127.0.0.1:${port}/other`);
    cleanup.push(() => elsewhere.terminate());
    expect(String((await once(elsewhere, "message"))[0])).to.equal("other");
    const page = await fetch(`http://127.0.0.1:${port}/rpc`);
    expect(await page.text()).to.equal("a page");
    await server.close();
    expect((await rejection(connectSocket(server.address, { timeout: 200 }))).code).to.equal("CAPNP_CONNECT");
    const wrong = await rejection(listenSocket({ server: http, path: "rpc" }, {}, () => undefined));
    expect(wrong).to.include({ code: "CAPNP_ADDRESS" });
  });

  it("has the address of its HTTP server once that listens, and leaves the certificates to it", async () => {
    const http = createHttpServer();
    cleanup.push(() => http.close());
    const { server, recorders } = await serve({}, { server: http, path: "/rpc" });
    expect([server.address, server.port]).to.deep.equal(["ws://*:0/rpc", undefined]);
    http.listen(0, "127.0.0.1");
    await once(http, "listening");
    const { port } = http.address() as { port: number };
    expect([server.address, server.port]).to.deep.equal([`ws://127.0.0.1:${port}/rpc`, port]);
    const first = new Recorder(await connect(server.address));
    await isUnharmed(server.address, recorders);
    expect(server.connections).to.equal(2);
    expect(first.ends).to.deep.equal([]);
    expect(() => server.setSecureContext({ cert: certificates.cert, key: certificates.key })).to.throw(
      "of that server",
    );
  });

  it("may be given while it is still connecting, and says when it comes to nothing", async () => {
    const { server, recorders, until } = await serve();
    const early = webSocketTransport(new WebSocket(server.address));
    early.send([words(1, 3)]);
    const atEarly = new Recorder(early);
    await until(() => recorders.length === 1);
    expect(await recorders[0]!.received(1)).to.deep.equal([[words(1, 3)]]);
    await early.close();
    expect(atEarly.ends).to.deep.equal([undefined]);
    for (const make of [(s: WebSocket) => s, (s: WebSocket) => new StandardSocket(s)]) {
      const nowhere = new Recorder(webSocketTransport(make(new WebSocket("ws://127.0.0.1:1/"))));
      expect(await nowhere.ended()).to.include({ code: "CAPNP_DISCONNECTED", kind: "disconnected" });
    }
  });

  describe("against hostile peers", () => {
    it("refuses a text message with 1003, and says so on both sides", async () => {
      const { server, recorders, until } = await serve();
      const socket = await stranger(server.address);
      socket.send("hello");
      const [code, reason] = (await once(socket, "close")) as [number, Buffer];
      expect(code).to.equal(1003);
      expect(String(reason)).to.include("text message");
      await until(() => recorders.length === 1);
      expect(await recorders[0]!.ended()).to.include({ code: "CAPNP_TYPE" });
      await isUnharmed(server.address, recorders);
    });

    it("tells our own client of a text message in the same way", async () => {
      const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
      await once(server, "listening");
      cleanup.push(() => server.close());
      const closes: [number, string][] = [];
      server.on("connection", (socket) => {
        socket.send("hello");
        socket.on("close", (code, reason) => closes.push([code, String(reason)]));
      });
      const address = `ws://127.0.0.1:${(server.address() as { port: number }).port}`;
      const atClient = new Recorder(await connect(address));
      expect(await atClient.ended()).to.include({ code: "CAPNP_TYPE" });
      const standard = new Recorder(webSocketTransport(new StandardSocket(new WebSocket(address))));
      expect(await standard.ended()).to.include({ code: "CAPNP_TYPE" });
      while (closes.length < 2) await turn();
      expect(closes.map(([code]) => code)).to.deep.equal([1003, 4003]);
    });

    it("refuses a message that is too large with 1009, before it has come, and says so on both sides", async () => {
      const { server, recorders, until } = await serve({ maxFrameBytes: 1024 });
      const client = await connect(server.address);
      const atClient = new Recorder(client);
      client.send([words(1000)]);
      const error = await atClient.ended();
      expect(error).to.include({ code: "CAPNP_DISCONNECTED" });
      expect(error!.message).to.include("1009").and.to.include("larger than it accepts");
      await until(() => recorders.length === 1);
      const atServer = await recorders[0]!.ended();
      expect(atServer).to.include({ code: "CAPNP_FRAME_TOO_LARGE" });
      expect(atServer!.message).to.include("maxFrameBytes");
      await isUnharmed(server.address, recorders);
    });

    it("ends a flood of 100,000 pings in one chunk with 1008, and says so on both sides", async () => {
      // Nobody who floods answers the close.
      const { server, recorders, until } = await serve({ closeTimeout: 100 });
      const socket = await raw(server.port!);
      await until(() => recorders.length === 1);
      const closing = closeOf(socket);
      socket.write(Buffer.concat(Array.from({ length: 100_000 }, () => frame(0x89, new Uint8Array(2)))));
      const { code, reason } = await closing;
      expect(code).to.equal(1008);
      expect(reason).to.include("pings");
      const error = await recorders[0]!.ended();
      expect(error).to.include({ code: "CAPNP_LIMIT", kind: "disconnected" });
      expect(error!.message).to.include("maxPendingPongs");
      await isUnharmed(server.address, recorders);
    });

    it("answers pings within reason, between the pieces of a message too", async () => {
      const { server, recorders, until } = await serve();
      const socket = await stranger(server.address);
      await until(() => recorders.length === 1);
      const message = encodeFrame([words(10, 4)]);
      let pongs = 0;
      socket.on("pong", () => pongs++);
      socket.send(message.subarray(0, 20), { fin: false });
      for (let i = 0; i < 50; i++) socket.ping();
      socket.send(message.subarray(20), { fin: true });
      expect(await recorders[0]!.received(1)).to.deep.equal([[words(10, 4)]]);
      while (pongs < 50) await turn();
      expect(recorders[0]!.ends).to.have.lengthOf(0);
    });

    it("takes a message in pieces of a byte, and no message in more than maxFragments", async () => {
      const { server, recorders, until } = await serve();
      const socket = await raw(server.port!);
      await until(() => recorders.length === 1);
      const inBytes = (message: Uint8Array): Buffer =>
        Buffer.concat(
          Array.from(message, (byte, i) => {
            const isLast = i === message.byteLength - 1;
            return frame((isLast ? 0x80 : 0) | (i === 0 ? 2 : 0), Uint8Array.of(byte));
          }),
        );
      socket.write(inBytes(encodeFrame([words(500, 6)])));
      expect(await recorders[0]!.received(1)).to.deep.equal([[words(500, 6)]]);
      const closing = closeOf(socket);
      socket.write(inBytes(encodeFrame([words(3000)])));
      expect((await closing).code).to.equal(1008);
      expect(await recorders[0]!.ended()).to.include({ code: "CAPNP_LIMIT", kind: "disconnected" });
      await isUnharmed(server.address, recorders);
    });

    it("refuses what is no message, or more or less than one, with 1002", async () => {
      const { server, recorders } = await serve();
      const good = encodeFrame([words(2)]);
      const cases: [bytes: Uint8Array, code: string][] = [
        [new Uint8Array(16).fill(0xff), "CAPNP_FRAME"],
        [Buffer.concat([good, good]), "CAPNP_FRAME"],
        [good.subarray(0, 16), "CAPNP_TRUNCATED"],
        [new Uint8Array(0), "CAPNP_TRUNCATED"],
      ];
      for (const [bytes, code] of cases) {
        const before = recorders.length;
        const socket = await stranger(server.address);
        socket.send(bytes);
        expect((await once(socket, "close"))[0]).to.equal(1002);
        expect(await recorders[before]!.ended()).to.include({ code });
      }
      await isUnharmed(server.address, recorders);
    });

    for (const [what, bytes] of [
      ["a compressed frame, though nothing was agreed on", frame(0xc2, new Uint8Array(4))],
      ["an unknown kind of frame", frame(0x83, new Uint8Array(4))],
      ["a frame that is not masked", Buffer.from([0x82, 1, 0])],
      ["a piece of no message", frame(0x80, new Uint8Array(4))],
    ] as const) {
      it(`refuses ${what}, and says so on both sides`, async () => {
        const { server, recorders, until } = await serve();
        const socket = await raw(server.port!);
        await until(() => recorders.length === 1);
        const closing = closeOf(socket);
        socket.write(bytes);
        expect((await closing).code).to.equal(1002);
        const error = await recorders[0]!.ended();
        expect(error).to.include({ code: "CAPNP_PROTOCOL" });
        expect(error!.message).to.include("WebSocket protocol");
        await isUnharmed(server.address, recorders);
      });
    }

    it("does not wait for ever for the rest of a message, however it dribbles", async () => {
      const { server, recorders, until } = await serve({ partialFrameTimeout: 60 });
      const socket = await raw(server.port!);
      await until(() => recorders.length === 1);
      socket.write(frame(0x02, new Uint8Array(8)));
      const dribble = setInterval(() => socket.write(frame(0x00, new Uint8Array(1))), 5);
      cleanup.push(() => clearInterval(dribble));
      const error = await recorders[0]!.ended();
      expect(error).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
      expect(error!.message).to.include("partialFrameTimeout");
    });

    it("survives a reset in every state", async () => {
      const { server, recorders, until } = await serve();
      const early = connectTcp({ port: server.port!, host: "127.0.0.1" });
      early.on("error", () => undefined);
      await once(early, "connect");
      early.write("GET /vat HTTP/1.1\r\n");
      early.resetAndDestroy();
      const socket = await raw(server.port!);
      await until(() => recorders.length === 1);
      socket.write(frame(0x02, new Uint8Array(8)));
      socket.resetAndDestroy();
      expect(await recorders[0]!.ended()).to.include({ kind: "disconnected" });
      await isUnharmed(server.address, recorders);
    });
  });

  it("refuses limits that are none by name", async () => {
    for (const name of Object.keys(webSocketLimits)) {
      const options = { webSocket: { [name]: -1 } };
      expect((await rejection(listenSocket("ws://127.0.0.1:0", options, () => undefined))).message).to.include(name);
      expect((await rejection(connectSocket("ws://127.0.0.1:1", options))).message).to.include(name);
    }
  });
});
