import { connect as connectTcp, createServer, type Socket } from "node:net";
import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { type ConnectSocketOptions, connectSocket } from "../../lib/transport/connect-socket.ts";
import { type ListenSocketOptions, listenSocket, type SocketServer } from "../../lib/transport/listen-socket.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { Recorder, rejection, turn, words } from "./recorder.ts";

describe("TCP transport", () => {
  const cleanup: (() => unknown)[] = [];
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  /** A server that keeps what it hears; each of its transports has a recorder. */
  async function serve(options: ListenSocketOptions = {}) {
    const transports: Transport[] = [];
    const recorders: Recorder[] = [];
    const failures: CapnpError[] = [];
    let changed = (): void => undefined;
    const onConnectionError = (error: CapnpError): void => {
      failures.push(error);
      changed();
    };
    const server: SocketServer = await listenSocket("127.0.0.1:0", { onConnectionError, ...options }, (transport) => {
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

  async function connect(address: string): Promise<Transport> {
    const transport = await connectSocket(address);
    cleanup.push(() => transport.destroy());
    return transport;
  }

  function raw(port: number): Socket {
    const socket = connectTcp({ port, host: "127.0.0.1" });
    socket.on("error", () => undefined);
    cleanup.push(() => socket.destroy());
    return socket;
  }

  it("carries small and large messages both ways, in order", async () => {
    const { server, transports, recorders } = await serve();
    expect(server.address).to.equal(`127.0.0.1:${server.port}`);
    const client = await connect(server.address);
    const atClient = new Recorder(client);
    const sizes = [1, 500, 2047, 2048, 2049, 8192, 100_000, 3];
    let sent = 0;
    for (const [i, size] of sizes.entries()) client.send([words(size, i), words(0)], () => sent++);
    client.send([words(3, 99)]);
    while (recorders.length === 0) await turn();
    const messages = await recorders[0]!.received(sizes.length + 1);
    expect(messages.map((segments) => segments.map((s) => s.length / 8))).to.deep.equal([
      ...sizes.map((size) => [size, 0]),
      [3],
    ]);
    for (const [i] of sizes.entries()) expect(messages[i]![0]!.every((byte) => byte === i)).to.equal(true);
    expect(sent).to.equal(sizes.length);
    for (const segments of messages) transports[0]!.send(segments);
    const echoed = await atClient.received(sizes.length + 1);
    expect(echoed).to.deep.equal(messages);
    expect(client.peer).to.deep.equal({ address: server.address, encrypted: false, authenticated: false });
    expect(transports[0]!.peer.address).to.match(/^127\.0\.0\.1:\d+$/);
    await client.close();
    expect(await recorders[0]!.ended()).to.equal(undefined);
    expect(atClient.ends).to.deep.equal([undefined]);
  });

  it("never mixes up its buffers when many connections write and many messages wait", async () => {
    const { server, recorders } = await serve();
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(server.address)));
    for (const [c, client] of clients.entries()) {
      for (let i = 0; i < 400; i++) client.send([words(1 + ((i * 37) % 300), (c * 31 + i) & 0xff)]);
      if (c % 3 === 0) await turn();
    }
    for (let i = 0; i < 400; i++) for (const client of clients) client.send([words(i % 5 === 0 ? 3000 : 10, i & 0xff)]);
    const all = await Promise.all(recorders.map((recorder) => recorder.received(800)));
    for (const messages of all) {
      expect(messages).to.have.lengthOf(800);
      for (const [segment] of messages) expect(segment!.every((byte) => byte === segment![0])).to.equal(true);
      expect(messages.slice(400).map(([segment]) => segment![0])).to.deep.equal(
        Array.from({ length: 400 }, (_, i) => i & 0xff),
      );
    }
  });

  it("sends all that was queued to a peer that has already ended its side", async () => {
    const { server, transports, recorders, until } = await serve();
    const socket = raw(server.port!);
    socket.pause();
    await until(() => recorders.length === 1);
    const answer = words(1024 * 1024, 7);
    recorders[0]!.onMessage = () => transports[0]!.send([answer]);
    socket.end(encodeFrame([words(1)]));
    expect(await recorders[0]!.ended()).to.equal(undefined);
    expect(transports[0]!.queued).to.be.greaterThan(0);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    expect(Buffer.concat(chunks).equals(encodeFrame([answer]))).to.equal(true);
  });

  it("says who refused, and rejects with kind disconnected", async () => {
    const spare = await listenSocket("127.0.0.1:0", {}, () => undefined);
    await spare.close();
    const error = await rejection(connectSocket(spare.address));
    expect(error).to.be.instanceOf(CapnpError);
    expect(error).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
    expect(error.message).to.contain(spare.address).and.to.contain("ECONNREFUSED");
  });

  it("takes whatever a lookup does for a reason why there is no connection", async () => {
    type Lookup = NonNullable<ConnectSocketOptions["lookup"]>;
    const later =
      (found: unknown): Lookup =>
      (_host, _options, done) => {
        setTimeout(() => done(null, found as string, 4), 1);
      };
    const thrown: Lookup = () => {
      throw new Error("the cache is broken");
    };
    for (const [lookup, text] of [
      [later([]), "no such host name (ENOTFOUND)"],
      [later(undefined), "no such host name (ENOTFOUND)"],
      [later([undefined]), "no such host name (ENOTFOUND)"],
      [thrown, "the cache is broken"],
    ] as const) {
      const error = await rejection(connectSocket("nowhere.example:1", { lookup }));
      expect(error).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
      expect(error.message).to.include(text);
    }
  });

  it("refuses to connect to addresses that are for listening", async () => {
    for (const address of ["*:80", "localhost:0"]) {
      expect((await rejection(connectSocket(address))).code).to.equal("CAPNP_ADDRESS");
    }
  });

  it("gives up a connection that takes too long, or is aborted", async () => {
    // Listens, but never speaks TLS.
    const silent = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    cleanup.push(() => silent.close());
    const sockets: Socket[] = [];
    silent.on("connection", (socket) => sockets.push(socket.on("error", () => undefined)));
    cleanup.push(() => sockets.forEach((socket) => void socket.destroy()));
    const address = `tls://127.0.0.1:${(silent.address() as { port: number }).port}`;
    const late = await rejection(connectSocket(address, { timeout: 30 }));
    expect(late).to.include({ code: "CAPNP_CONNECT" });
    expect(late.message).to.contain("within 30 ms");
    const controller = new AbortController();
    const connecting = rejection(connectSocket(address, { signal: controller.signal }));
    controller.abort(new Error("changed my mind"));
    const canceled = await connecting;
    expect(canceled.code).to.equal("CAPNP_CANCELED");
    expect((canceled.cause as Error).message).to.equal("changed my mind");
    expect((await rejection(connectSocket(address, { signal: AbortSignal.abort() }))).code).to.equal("CAPNP_CANCELED");
  });

  it("reports an address that is in use, or not this machine's", async () => {
    const { server } = await serve();
    const error = await rejection(listenSocket(server.address, {}, () => undefined));
    expect(error).to.include({ code: "CAPNP_LISTEN", kind: "failed" });
    expect(error.message).to.contain("EADDRINUSE");
  });

  it("listens on every interface and names the port that was chosen", async () => {
    const server = await listenSocket("*:0", {}, (transport) => new Recorder(transport));
    cleanup.push(() => server.close());
    expect(server.address).to.equal(`*:${server.port}`);
    const client = await connect(`127.0.0.1:${server.port}`);
    expect(client.peer.address).to.equal(`127.0.0.1:${server.port}`);
    await client.close();
  });

  it("refuses connections beyond maxConnections and maxConnectionsPerAddress, and frees the places again", async () => {
    for (const limit of [{ maxConnections: 2 }, { maxConnectionsPerAddress: 2 }]) {
      const { server, transports, failures, until } = await serve(limit);
      const first = await connect(server.address);
      await connect(server.address);
      await until(() => transports.length === 2);
      const refused = raw(server.port!);
      await new Promise((resolve) => refused.once("close", resolve).resume());
      await until(() => failures.length === 1);
      expect(failures[0]!.code).to.equal("CAPNP_LIMIT");
      expect(server.connections).to.equal(2);
      await first.close();
      while (server.connections > 1) await turn();
      await connect(server.address);
      await until(() => transports.length === 3);
    }
  });

  it("goes on when onConnection throws", async () => {
    const failures: CapnpError[] = [];
    let calls = 0;
    const onConnection = (transport: Transport): void => {
      if (++calls === 1) throw new Error("no room");
      new Recorder(transport);
    };
    const onConnectionError = (error: CapnpError): void => void failures.push(error);
    const server = await listenSocket("127.0.0.1:0", { onConnectionError }, onConnection);
    cleanup.push(() => server.close());
    await new Recorder(await connect(server.address)).ended();
    const second = await connect(server.address);
    await second.close();
    expect(failures.map((error) => error.message)).to.deep.equal(["the connection could not be served: no room"]);
  });

  it("leaves standing connections alone when the server closes", async () => {
    const { server, transports, recorders, until } = await serve();
    const client = await connect(server.address);
    await until(() => transports.length === 1);
    await server.close();
    expect((await rejection(connectSocket(server.address))).code).to.equal("CAPNP_CONNECT");
    client.send([words(1, 5)]);
    expect(await recorders[0]!.received(1)).to.deep.equal([[words(1, 5)]]);
  });

  describe("against hostile peers", () => {
    const hostile: [string, Uint8Array, string][] = [
      ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "CAPNP_FRAME"],
      ["a TLS handshake", Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), "CAPNP_FRAME"],
      ["ff ff ff ff ff ff ff ff", words(1, 0xff), "CAPNP_FRAME"],
      ["513 segments", Buffer.from([0, 2, 0, 0, 0, 0, 0, 0]), "CAPNP_FRAME"],
      [
        "511 sizes of 2^32 - 1",
        Buffer.concat([Buffer.from([0xfe, 1, 0, 0]), Buffer.alloc(2044, 0xff)]),
        "CAPNP_FRAME_TOO_LARGE",
      ],
    ];
    for (const [name, bytes, code] of hostile) {
      it(`loses only the connection that sends ${name}`, async () => {
        const { server, recorders, until } = await serve();
        const honest = await connect(server.address);
        await until(() => recorders.length === 1);
        const attacker = raw(server.port!);
        attacker.write(bytes);
        await until(() => recorders.length === 2);
        expect((await recorders[1]!.ended())?.code).to.equal(code);
        honest.send([words(1, 1)]);
        expect(await recorders[0]!.received(1)).to.have.lengthOf(1);
      });
    }

    it("survives a reset within a frame", async () => {
      const { server, recorders, until } = await serve();
      const attacker = raw(server.port!);
      attacker.write(encodeFrame([words(100)]).subarray(0, 100));
      await until(() => recorders.length === 1);
      await turn();
      attacker.resetAndDestroy();
      const error = await recorders[0]!.ended();
      expect(error).to.include({ kind: "disconnected" });
      expect(recorders[0]!.ends).to.have.lengthOf(1);
    });

    it("does not keep more than maxQueuedBytes for a peer that never reads", async () => {
      const { server, transports, recorders, until } = await serve({ maxQueuedBytes: 256 * 1024 });
      const attacker = raw(server.port!);
      attacker.pause();
      await until(() => transports.length === 1);
      let peak = 0;
      while (recorders[0]!.ends.length === 0) {
        for (let i = 0; i < 16; i++) transports[0]!.send([words(1000)]);
        peak = Math.max(peak, transports[0]!.queued);
        await turn();
      }
      expect(recorders[0]!.ends[0]?.code).to.equal("CAPNP_LIMIT");
      expect(peak).to.be.lessThan(256 * 1024 + 16 * 8016);
      expect(transports[0]!.queued).to.equal(0);
    });

    it("takes a message that comes in pieces of one byte", async () => {
      const { server, recorders, until } = await serve();
      const client = raw(server.port!);
      client.setNoDelay(true);
      const frame = encodeFrame([words(32, 3), words(1, 4)]);
      for (let i = 0; i < frame.length; i++)
        await new Promise((resolve) => client.write(frame.subarray(i, i + 1), resolve));
      await until(() => recorders.length === 1);
      expect(await recorders[0]!.received(1)).to.deep.equal([[words(32, 3), words(1, 4)]]);
    });
  });
});
