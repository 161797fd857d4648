import { expect } from "chai";
import { Duplex, duplexPair } from "node:stream";
import { MessageChannel } from "node:worker_threads";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { ByteStreamTransport } from "../../lib/transport/byte-stream.ts";
import { connectSocket } from "../../lib/transport/connect-socket.ts";
import { connectLimits, listenLimits, streamLimits } from "../../lib/transport/limits.ts";
import { listenSocket } from "../../lib/transport/listen-socket.ts";
import { messagePortTransport } from "../../lib/transport/message-port.ts";
import { expectError } from "../support/errors.ts";
import { Recorder, rejection, turn, words } from "./recorder.ts";

const kib = 1024;

describe("the limits of a byte stream", () => {
  it("are refused by name where they are wrong, by the transport, by connect and by listen", async () => {
    for (const name of Object.keys(streamLimits)) {
      const options = { [name]: -1 };
      expectError("CAPNP_RANGE", () => new ByteStreamTransport(duplexPair()[0], options), name);
      expect((await rejection(listenSocket("127.0.0.1:0", options, () => undefined))).message).to.include(name);
      expect((await rejection(connectSocket("127.0.0.1:1", options))).message).to.include(name);
    }
    for (const name of Object.keys(listenLimits)) {
      const refused = await rejection(listenSocket("127.0.0.1:0", { [name]: -1 }, () => undefined));
      expect(refused).to.include({ code: "CAPNP_RANGE" });
      expect(refused.message).to.include(name);
    }
    for (const name of Object.keys(connectLimits)) {
      expect((await rejection(connectSocket("127.0.0.1:1", { [name]: Number.NaN }))).message).to.include(name);
    }
  });
});

describe("maxFirstFrameBytes", () => {
  const limits = { maxFirstFrameBytes: 8 * kib, maxFrameBytes: 64 * kib };

  it("holds for the first frame of a connection and for no other, also where both come at once", async () => {
    const [near, far] = duplexPair();
    const recorder = new Recorder(new ByteStreamTransport(near, limits));
    far.write(Buffer.concat([encodeFrame([words(1024)]), encodeFrame([words(8 * 1024)])]));
    await recorder.received(2);
    far.write(encodeFrame([words(8 * 1024 + 1)]));
    const error = await recorder.ended();
    expect(error).to.include({ code: "CAPNP_FRAME_TOO_LARGE" });
    expect(error?.message).to.include("65544").and.not.include("maxFirstFrameBytes");
  });

  it("is named where it is what the frame breaks", async () => {
    const [near, far] = duplexPair();
    const recorder = new Recorder(new ByteStreamTransport(near, limits));
    far.write(encodeFrame([words(1025)]).subarray(0, 8));
    const error = await recorder.ended();
    expect(error).to.include({ code: "CAPNP_FRAME_TOO_LARGE" });
    expect(error?.message).to.include("maxFirstFrameBytes");
  });

  it("raises no other limit", async () => {
    const [near, far] = duplexPair();
    const recorder = new Recorder(new ByteStreamTransport(near, { maxFirstFrameBytes: 64 * kib, maxFrameBytes: kib }));
    far.write(encodeFrame([words(129)]));
    expect(await recorder.ended()).to.include({ code: "CAPNP_FRAME_TOO_LARGE" });
  });
});

/** A stream that counts how often it is read from, and takes what is written when the test says so. */
class Throttled extends Duplex {
  #acknowledge: (() => void)[] = [];
  #chunks = 0;
  readonly #frame: Uint8Array;

  constructor(frame: Uint8Array) {
    super({ readableHighWaterMark: 1 });
    this.#frame = frame;
  }

  get chunks(): number {
    return this.#chunks;
  }

  override _read(): void {
    setImmediate(() => {
      this.#chunks++;
      this.push(this.#frame);
    });
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#acknowledge.push(callback);
  }

  /** Takes all that was written, and what is written then. */
  async takeWritten(): Promise<void> {
    for (let i = 0; i < 10; i++) {
      for (const callback of this.#acknowledge.splice(0)) callback();
      await turn();
    }
  }
}

describe("softQueuedBytes", () => {
  const turns = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await turn();
  };

  it("slows reading down while more waits for the peer, without stopping it, and no longer", async () => {
    const stream = new Throttled(encodeFrame([words(1)]));
    const transport = new ByteStreamTransport(stream, { softQueuedBytes: 4 * kib });
    new Recorder(transport);
    await turns(50);
    expect(stream.chunks, "chunks while nothing waits").to.be.above(20);
    transport.send([words(1024)]);
    await turns(5);
    const held = stream.chunks;
    // One chunk is read in 20 ms, and a turn of an idle event loop takes microseconds: so many turns would bring as many chunks.
    let spun = 0;
    while (stream.chunks < held + 5) {
      await turn();
      spun++;
    }
    expect(spun, "turns for five chunks").to.be.above(25);
    await stream.takeWritten();
    const free = stream.chunks;
    await turns(50);
    expect(stream.chunks - free, "chunks when it was taken").to.be.above(20);
    transport.destroy();
  });

  it("does so where messages come whole, too", async () => {
    const { port1, port2 } = new MessageChannel();
    const transport = messagePortTransport(port1, { softQueuedBytes: kib });
    const recorder = new Recorder(transport);
    const post = (count: number) => {
      for (let i = 0; i < count; i++) port2.postMessage(encodeFrame([words(1, i)]));
    };
    // Nobody at the other end takes it.
    transport.send([words(1024)]);
    post(8);
    await recorder.received(1);
    let spun = 0;
    while (recorder.messages.length < 6) {
      await turn();
      spun++;
    }
    expect(spun, "turns for five messages").to.be.above(25);
    transport.setReading(false);
    const paused = recorder.messages.length;
    await turns(50);
    expect(recorder.messages).to.have.lengthOf(paused);
    transport.setReading(true);
    // It is taken: so many bytes.
    port2.postMessage(transport.queued);
    post(20);
    expect(await recorder.received(28)).to.have.lengthOf(28);
    expect(transport.queued).to.equal(0);
    expect(recorder.messages.slice(0, 8).map(([segment]) => segment![0])).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7]);
    transport.destroy();
    port2.close();
  });

  it("does not keep two vats waiting that have both much to say", async () => {
    const [left, right] = duplexPair();
    const [a, b] = [left, right].map((end) => new ByteStreamTransport(end, { softQueuedBytes: kib }));
    const [atA, atB] = [new Recorder(a), new Recorder(b)];
    for (let i = 0; i < 40; i++) {
      a!.send([words(1024)]);
      b!.send([words(1024)]);
    }
    await Promise.all([atA.received(40), atB.received(40)]);
    await Promise.all([a!.close(), b!.close()]);
    expect([...atA.ends, ...atB.ends]).to.deep.equal([undefined, undefined]);
  });

  it("lets a paused receiver pause, and close through", async () => {
    const [near, far] = duplexPair();
    const transport = new ByteStreamTransport(near, { softQueuedBytes: kib, closeTimeout: 1000 });
    const recorder = new Recorder(transport);
    transport.send([words(1024)]);
    await turns(2);
    transport.setReading(false);
    far.write(encodeFrame([words(1)]));
    await turns(20);
    expect(recorder.messages).to.have.lengthOf(0);
    transport.setReading(true);
    far.resume();
    await recorder.received(1);
    far.end();
    await transport.close();
    expect(recorder.ends).to.deep.equal([undefined]);
  });
});
