import * as capnp from "capstan";
import { expect } from "chai";
import { createConnection } from "node:net";
import { once } from "node:events";
import { Calculator } from "../servers/calculator/calculator.capnp.ts";
import { CalculatorImpl } from "../servers/calculator/server.ts";
import { FrameReader } from "../lib/serialization/framing.ts";
import { MessageReader } from "../lib/serialization/message.ts";
import { Struct } from "../lib/serialization/struct.ts";
import { child, MessageForm, messageTag, OutgoingMessage, setU32, u16 } from "../lib/rpc/wire.ts";
import { readException } from "../lib/rpc/wire-exception.ts";
import { encodeFrame } from "../lib/serialization/framing.ts";
import type { Loose } from "./support/loose.ts";

const word = (...values: number[]): Uint8Array => Uint8Array.from(values);
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** A frame of one segment with these words' bytes. */
const frame = (...segments: Uint8Array[]): Uint8Array => encodeFrame(segments);

const message = (tag: number, make: (at: Struct) => void = () => undefined): Uint8Array => {
  const outgoing = new OutgoingMessage(new MessageForm(tag, "call"));
  make(outgoing.at);
  return encodeFrame(outgoing.segments);
};

/** Sends bytes, and returns the reason of the Abort that came back, if one did, when the server has hung up. */
const provoke = async (port: number, bytes: Uint8Array, end: boolean): Promise<string | undefined> => {
  const socket = createConnection({ port, host: "127.0.0.1" });
  const frames = new FrameReader();
  let reason: string | undefined;
  socket.on("data", (chunk) => {
    frames.push(chunk);
    for (let segments = frames.next(); segments !== undefined; segments = frames.next()) {
      const root = new MessageReader(segments).root(Struct);
      if (u16(root, 0) === messageTag.abort) reason = readException(child(root, 0), 10_000).reason;
    }
  });
  const closed = once(socket, "close");
  await once(socket, "connect");
  if (end) socket.end(bytes);
  else {
    socket.write(bytes);
    socket.once("end", () => socket.end());
  }
  await closed;
  return reason;
};

const garbage: readonly { name: string; bytes: Uint8Array; end?: boolean; abort?: RegExp }[] = [
  { name: "an HTTP request", bytes: text("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), abort: /HTTP/ },
  { name: "an HTTP/2 preface", bytes: text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), abort: /HTTP/ },
  { name: "a TLS ClientHello", bytes: word(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01), abort: /TLS/ },
  { name: "an SSH banner", bytes: text("SSH-2.0-OpenSSH_9.2\r\n"), abort: /SSH/ },
  { name: "all ones", bytes: new Uint8Array(64).fill(0xff), abort: /segments/ },
  { name: "a frame of too many segments", bytes: word(0xff, 0x03, 0, 0, 0, 0, 0, 0), abort: /segments/ },
  { name: "an oversized frame", bytes: word(0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f), abort: /maxFrameBytes/ },
  { name: "a frame that is cut off", bytes: word(0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 3), end: true },
  { name: "a header that is cut off", bytes: word(0, 0, 0), end: true },
  {
    name: "random words in a good frame",
    bytes: frame(new Uint8Array(64).map((_, i) => (i * 37 + 11) & 0xff)),
    abort: /./,
  },
  { name: "a pointer out of bounds", bytes: frame(word(0xfc, 0xff, 0xff, 0x7f, 1, 0, 1, 0)), abort: /out-of-bounds/ },
  {
    name: "a call to an unknown export",
    bytes: message(messageTag.call, (at) => setU32(at, 0, 7)),
    abort: /unknown export 0/,
  },
  { name: "a return for an unknown question", bytes: message(messageTag.return), abort: /unknown question 0/ },
  { name: "a release of an unknown export", bytes: message(messageTag.release), abort: /unknown export 0/ },
];

describe("a server", () => {
  let server: capnp.RpcServer;
  let client: capnp.TwoPartyClient;
  let calculator: Calculator.Client;
  const warnings: string[] = [];

  const add = async (a: number, b: number): Promise<number> => {
    using operator = calculator.getOperator({ op: "add" }).func;
    return (await operator.call({ params: [a, b] })).value;
  };

  before(async () => {
    const logger: capnp.Logger = {
      trace: () => undefined,
      debug: () => undefined,
      info: () => undefined,
      warn: (details) => warnings.push(JSON.stringify(details)),
      error: (details) => warnings.push(JSON.stringify(details)),
    };
    server = await capnp.listen("127.0.0.1:0", { bootstrap: () => new CalculatorImpl(), logger });
    client = await capnp.connect(server.address);
    calculator = client.bootstrap(Calculator);
  });

  after(async () => {
    calculator.release();
    await client.close();
    await server.close();
    expect(server.connections).to.have.length(0);
  });

  for (const { name, bytes, end = false, abort } of garbage) {
    it(`hangs up on ${name}, while an honest client goes on calculating`, async () => {
      warnings.length = 0;
      let wrong = 0;
      let sums = 0;
      const provoked = provoke(server.port as number, bytes, end).finally(() => {
        provoking = false;
      });
      let provoking = true;
      do {
        if ((await add(sums, 1)) !== sums + 1) wrong++;
        sums++;
      } while (provoking);
      expect(wrong).to.equal(0);
      if (abort !== undefined) expect(await provoked).to.match(abort);
      else await provoked;
      expect(await add(40, 2)).to.equal(42);
      expect(server.connections).to.have.length(1);
      expect(warnings.join("\n")).to.match(end ? /^$|TRUNCATED/ : /"code":"CAPNP_/);
    });
  }

  it("answers a method that throws with the error's text and kind failed, and goes on", async () => {
    using operator = calculator.getOperator({ op: "divide" }).func;
    const error = await operator.call({ params: [1] }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(capnp.CapnpError);
    expect((error as capnp.CapnpError).kind).to.equal("failed");
    expect((error as capnp.CapnpError).message).to.equal("remote exception: divide takes 2 parameters; 1 were given");
    expect(await add(1, 1)).to.equal(2);
  });

  it("gives callers in its own process what it exposes, without a connection", async () => {
    const peers: string[] = [];
    const server = await capnp.listen("localhost:0", {
      bootstrap(peer) {
        peers.push(peer.address);
        return new CalculatorImpl();
      },
    });
    const calculator = server.bootstrap(Calculator);
    const { value } = await calculator.evaluate({ expression: { literal: 123 } }).value.read();
    expect(value).to.equal(123);
    expect(peers).to.deep.equal([server.address]);
    expect(server.connections).to.have.lengthOf(0);
    calculator.release();
    await server.close();
    const closed = await capnp.listen("localhost:0", { bootstrap: () => Promise.reject(new Error("not today")) });
    const refused = closed.bootstrap(Calculator);
    const error = await refused.evaluate({ expression: { literal: 1 } }).catch((reason: unknown) => reason);
    expect(error).to.have.property("message", "not today");
    refused.release();
    await closed.close();
  });

  it("that goes away makes every pending call reject as disconnected at once, and every later one", async () => {
    class Never extends Calculator.Value.Server {
      override read(): Promise<never> {
        return new Promise(() => undefined);
      }
    }
    const other = await capnp.listen("127.0.0.1:0", { bootstrap: () => new Never() });
    const lost = await capnp.connect(other.address);
    const value = lost.bootstrap(Calculator.Value) as Calculator.Value.Client;
    const states: string[] = [];
    lost.state$.subscribe((state) => states.push(state));
    const kindOf = (promise: PromiseLike<unknown>): PromiseLike<unknown> =>
      promise.then(
        () => "a result",
        (error: unknown) => (error as capnp.CapnpError).kind,
      );
    const pending = Promise.all([kindOf(value.read()), kindOf(value.read())]);
    while (other.connections[0]?.stats().answers !== 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await other.close();
    expect(await pending).to.deep.equal(["disconnected", "disconnected"]);
    expect(await kindOf(value.read())).to.equal("disconnected");
    expect(await kindOf(lost.bootstrap(Calculator).evaluate({ expression: { literal: 1 } }))).to.equal("disconnected");
    expect((await lost.closed).kind).to.equal("disconnected");
    expect(states).to.deep.equal(["connected", "disconnected"]);
    const { questions, answers, exports, imports, embargoes } = lost.stats();
    expect([questions, answers, exports, imports, embargoes]).to.deep.equal([0, 0, 0, 0, 0]);
  });

  it("that is closed with a drain lets calls finish, and waits for none that has returned", async () => {
    let finish: (value: { value: number }) => void = () => undefined;
    class Slow extends Calculator.Value.Server {
      override read() {
        return new Promise<{ value: number }>((resolve) => {
          finish = resolve;
        });
      }
    }
    const other = await capnp.listen("127.0.0.1:0", { bootstrap: () => new Slow() });
    const slow = await capnp.connect(other.address);
    using value = slow.bootstrap(Calculator.Value);
    const pending = value.read().then(({ value: number }) => number);
    while (other.connections[0]?.stats().running !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
    const closing = other.close({ drain: 60_000 });
    finish({ value: 7 });
    expect(await pending).to.equal(7);
    await closing;
    expect((await slow.closed).kind).to.equal("disconnected");
  });
});

describe("what a vat is told", () => {
  for (const [given, text] of [
    [undefined, /listen takes an address and an object with options: listen\(address/],
    [{ bootstrap: 5 }, /bootstrap must be a server object, .*, not a number/],
    [{ bootstrap: {} }, /bootstrap must be/],
    [{ restorer: {} }, /restorer must be a function, or an object with a method `restore`/],
    [{ logger: {} }, /logger must be an object with the methods trace/],
    [{ logger: "info" }, /logger .* not a string/],
    [{ signal: 5 }, /signal must be an AbortSignal, not a number/],
  ] as readonly (readonly [options: Loose, text: RegExp])[]) {
    it(`is refused before anybody connects: ${JSON.stringify(given)}`, async () => {
      const refused = await capnp.listen("127.0.0.1:0", given).then(
        (listening) => listening.close(),
        (error: unknown) => error,
      );
      expect(refused).to.include({ code: "CAPNP_TYPE" });
      expect((refused as Error).message).to.match(text);
      if (given === undefined) return;
      const client = await capnp.connect("127.0.0.1:1", given).catch((error: unknown) => error);
      expect(client).to.include({ code: "CAPNP_TYPE" });
    });
  }

  it("may be that there is nothing to call", async () => {
    const listening = await capnp.listen("127.0.0.1:0", {});
    await listening.close();
  });
});
