import { Duplex, duplexPair, PassThrough } from "node:stream";
import { expect } from "chai";
import fc from "fast-check";
import { CapnpError } from "../../lib/errors.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { type ByteStreamOptions, ByteStreamTransport } from "../../lib/transport/byte-stream.ts";
import { Recorder, turn, words } from "./recorder.ts";

/** A transport over one end of a pair of streams; the test plays the other end. */
function overPair(options?: ByteStreamOptions): { transport: ByteStreamTransport; far: Duplex } {
  const [near, far] = duplexPair();
  far.on("error", () => undefined);
  return { transport: new ByteStreamTransport(near, options), far };
}

/** A stream whose writes are acknowledged when the test says so. */
class StuckStream extends Duplex {
  readonly written: Buffer[] = [];
  readonly acknowledge: (() => void)[] = [];
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.written.push(chunk);
    this.acknowledge.push(callback);
  }
}

describe("byte-stream transport", () => {
  it("carries messages both ways over any pair of Duplex streams", async () => {
    const [left, right] = duplexPair();
    const [a, b] = [new ByteStreamTransport(left), new ByteStreamTransport(right)];
    const [atA, atB] = [new Recorder(a), new Recorder(b)];
    a.send([words(1, 1)]);
    a.send([words(2, 2), words(0), words(1, 3)]);
    b.send([words(20_000, 4)]);
    expect(await atB.received(2)).to.deep.equal([[words(1, 1)], [words(2, 2), words(0), words(1, 3)]]);
    expect(await atA.received(1)).to.deep.equal([[words(20_000, 4)]]);
    await Promise.all([a.close(), b.close()]);
    expect(atA.ends).to.deep.equal([undefined]);
    expect(atB.ends).to.deep.equal([undefined]);
  });

  it("gives back any messages, however the stream is cut", async () => {
    const message = fc.array(
      fc.integer({ min: 0, max: 30 }).chain((n) => fc.uint8Array({ minLength: 8 * n, maxLength: 8 * n })),
      { minLength: 1, maxLength: 4 },
    );
    const property = fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 200 }),
      async (messages, size) => {
        const { transport, far } = overPair();
        const recorder = new Recorder(transport);
        const stream = Buffer.concat(messages.map((segments) => encodeFrame(segments)));
        for (let at = 0; at < stream.length; at += size) far.write(stream.subarray(at, at + size));
        far.end();
        far.resume();
        expect(await recorder.ended()).to.equal(undefined);
        const plain = (frames: Uint8Array[][]) => frames.map((segments) => segments.map((segment) => [...segment]));
        expect(plain(recorder.messages)).to.deep.equal(plain(messages));
        await transport.close();
      },
    );
    await fc.assert(property, { seed: 42, numRuns: 60 });
  });

  it("sends what one turn and its microtasks queued in one write", async () => {
    const stream = new StuckStream();
    const transport = new ByteStreamTransport(stream);
    transport.send([words(1, 1)]);
    queueMicrotask(() => transport.send([words(1, 2)]));
    (async () => {
      for (let i = 0; i < 20; i++) await null;
      transport.send([words(1, 3)]);
    })();
    expect(stream.written).to.have.lengthOf(0);
    await turn();
    const frames = [1, 2, 3].map((fill) => encodeFrame([words(1, fill)]));
    expect(stream.written).to.have.lengthOf(1);
    expect(stream.written[0]!.equals(Buffer.concat(frames))).to.equal(true);
    transport.destroy();
  });

  it("says `sent` exactly once for each message, sent or dropped", async () => {
    const stream = new StuckStream();
    const transport = new ByteStreamTransport(stream);
    const counts = [0, 0, 0, 0];
    const count = (i: number) => () => counts[i]!++;
    transport.send([words(1)], count(0));
    transport.send([words(100_000)], count(1));
    await turn();
    transport.send([words(100_000)], count(2));
    transport.destroy();
    transport.send([words(1)], count(3));
    await turn();
    expect(counts).to.deep.equal([1, 1, 1, 1]);
    expect(transport.queued).to.equal(0);
  });

  it("copies what it hands to a stream that may keep it", async () => {
    const [left, right] = duplexPair();
    const transport = new ByteStreamTransport(left);
    const recorder = new Recorder(new ByteStreamTransport(right));
    // More than is copied out of the filled buffer at once, so that only the copy for the stream protects the first messages.
    for (const fill of [1, 2, 3]) {
      for (let i = 0; i < 100; i++) transport.send([words(10, fill)]);
      const big = words(8 * 1024, fill);
      transport.send([big], () => big.fill(9));
      await recorder.received(101 * fill);
    }
    for (const [i, [segment]] of recorder.messages.entries()) {
      const fill = 1 + Math.floor(i / 101);
      expect(segment!.every((byte) => byte === fill)).to.equal(true);
    }
    transport.destroy();
  });

  it("counts as queued what is sent and not yet taken", async () => {
    const stream = new StuckStream();
    const transport = new ByteStreamTransport(stream);
    transport.send([words(1)]);
    expect(transport.queued).to.equal(16);
    await turn();
    expect(transport.queued).to.equal(16);
    stream.acknowledge[0]!();
    await turn();
    expect(transport.queued).to.equal(0);
    transport.destroy();
  });

  it("ends the connection of a peer that lets more than maxQueuedBytes wait", async () => {
    const stream = new StuckStream();
    const transport = new ByteStreamTransport(stream, { maxQueuedBytes: 10_000 });
    const recorder = new Recorder(transport);
    let sent = 0;
    for (let i = 0; i < 100; i++) transport.send([words(100)], () => sent++);
    expect(recorder.ends).to.have.lengthOf(0);
    const error = await recorder.ended();
    expect(error).to.include({ code: "CAPNP_LIMIT", kind: "disconnected" });
    expect(error?.message).to.contain("maxQueuedBytes = 10000");
    expect(sent).to.equal(100);
    expect(stream.destroyed).to.equal(true);
  });

  it("lets one message of any size pass an empty queue", async () => {
    const { transport, far } = overPair({ maxQueuedBytes: 1000 });
    const peer = new Recorder(new ByteStreamTransport(far));
    transport.send([words(50_000, 5)]);
    expect(await peer.received(1)).to.have.lengthOf(1);
    transport.destroy();
  });

  it("ends the connection of a peer that reads nothing for slowReaderTimeout", async () => {
    const stream = new StuckStream();
    const transport = new ByteStreamTransport(stream, { slowReaderTimeout: 20 });
    const recorder = new Recorder(transport);
    transport.send([words(10_000)]);
    expect(await recorder.ended()).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
  });

  it("has at most 256 KiB in the stream's hands, and goes on when they are taken", async () => {
    const stream = new StuckStream();
    const transport = new ByteStreamTransport(stream);
    for (let i = 0; i < 10; i++) transport.send([words(16_384, i)]);
    let taken = 0;
    for (let writes = 0; transport.queued > 0; writes++) {
      await turn();
      const size = stream.written.splice(0).reduce((sum, chunk) => sum + chunk.length, 0);
      expect(size).to.be.within(1, 256 * 1024);
      expect(writes).to.be.lessThan(100);
      taken += size;
      for (const acknowledge of stream.acknowledge.splice(0)) acknowledge();
      await turn();
    }
    expect(taken).to.equal(10 * (16_384 * 8 + 8));
    transport.destroy();
  });

  it("reads nothing before it is started, and loses nothing", async () => {
    const { transport, far } = overPair();
    far.write(encodeFrame([words(1, 1)]));
    far.end();
    await turn();
    const recorder = new Recorder(transport);
    expect(await recorder.ended()).to.equal(undefined);
    expect(recorder.messages).to.deep.equal([[words(1, 1)]]);
    expect(() => transport.start(recorder)).to.throw(CapnpError, "started already");
  });

  it("keeps the frames of a piece in order while reading is paused, then the end", async () => {
    const { transport, far } = overPair();
    const recorder = new Recorder(transport);
    recorder.onMessage = ([segment]) => transport.setReading(segment![0] !== 2);
    far.write(Buffer.concat([1, 2, 3].map((fill) => encodeFrame([words(1, fill)]))));
    far.end(encodeFrame([words(1, 4)]));
    for (let i = 0; i < 5; i++) await turn();
    expect(recorder.messages).to.have.lengthOf(2);
    expect(recorder.ends).to.have.lengthOf(0);
    transport.setReading(true);
    expect(recorder.messages).to.have.lengthOf(2);
    expect(await recorder.ended()).to.equal(undefined);
    expect(recorder.messages.map(([segment]) => segment![0])).to.deep.equal([1, 2, 3, 4]);
  });

  it("keeps the end, too, when it came with the last piece before reading was paused", async () => {
    const { transport, far } = overPair();
    far.end(Buffer.concat([1, 2, 3].map((fill) => encodeFrame([words(1, fill)]))));
    await turn();
    const recorder = new Recorder(transport);
    recorder.onMessage = ([segment]) => transport.setReading(segment![0] !== 2);
    for (let i = 0; i < 5; i++) await turn();
    expect(recorder.messages).to.have.lengthOf(2);
    expect(recorder.ends).to.have.lengthOf(0);
    transport.setReading(true);
    expect(await recorder.ended()).to.equal(undefined);
    expect(recorder.messages.map(([segment]) => segment![0])).to.deep.equal([1, 2, 3]);
  });

  it("holds the peer back while reading is paused", async () => {
    const { transport, far } = overPair();
    const recorder = new Recorder(transport);
    transport.setReading(false);
    let writes = 0;
    while (far.write(encodeFrame([words(128)]))) if (++writes > 10_000) expect.fail("no flow control");
    await turn();
    expect(recorder.messages).to.have.lengthOf(0);
    transport.setReading(true);
    await recorder.received(writes + 1);
    transport.destroy();
  });

  it("calls a stream that ends within a frame truncated", async () => {
    const { transport, far } = overPair();
    const recorder = new Recorder(transport);
    far.end(encodeFrame([words(4)]).subarray(0, 20));
    expect(await recorder.ended()).to.include({ code: "CAPNP_TRUNCATED", kind: "disconnected" });
    expect(recorder.messages).to.have.lengthOf(0);
  });

  it("ends a connection whose frame does not go on", async () => {
    const { transport, far } = overPair({ partialFrameTimeout: 20 });
    const recorder = new Recorder(transport);
    far.write(encodeFrame([words(1)]));
    far.write(encodeFrame([words(4)]).subarray(0, 20));
    const error = await recorder.ended();
    expect(error).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
    expect(error?.message).to.contain("partialFrameTimeout");
    expect(recorder.messages).to.have.lengthOf(1);
  });

  it("ends a connection whose frame dribbles, a byte now and then", async () => {
    const { transport, far } = overPair({ partialFrameTimeout: 30 });
    const recorder = new Recorder(transport);
    const frame = encodeFrame([words(64 * 1024)]);
    let at = 0;
    const dribble = setInterval(() => far.write(frame.subarray(at, ++at)), 2);
    const error = await recorder.ended();
    clearInterval(dribble);
    expect(error?.message).to.contain("partialFrameTimeout");
  });

  it("ends a connection that never sends a message, where that is asked for", async () => {
    const { transport, far } = overPair({ firstMessageTimeout: 20 });
    const recorder = new Recorder(transport);
    far.write(encodeFrame([words(4)]).subarray(0, 3));
    expect((await recorder.ended())?.message).to.contain("firstMessageTimeout");
  });

  it("destroys the stream when the peer does not end its side within closeTimeout", async () => {
    const { transport } = overPair({ closeTimeout: 20 });
    const recorder = new Recorder(transport);
    await transport.close();
    expect(await recorder.ended()).to.include({ code: "CAPNP_TIMEOUT", kind: "disconnected" });
  });

  it("closes although reading was paused, or never started", async () => {
    for (const started of [true, false]) {
      const { transport, far } = overPair({ closeTimeout: 0 });
      const recorder = started ? new Recorder(transport) : undefined;
      transport.setReading(false);
      far.write(encodeFrame([words(1)]));
      far.end();
      far.resume();
      await transport.close();
      if (recorder !== undefined) expect(recorder.ends).to.deep.equal([undefined]);
    }
  });

  it("sends what is queued before it closes", async () => {
    const { transport, far } = overPair();
    const peer = new Recorder(new ByteStreamTransport(far));
    for (let i = 0; i < 50; i++) transport.send([words(2000, i)]);
    await transport.close();
    expect(peer.messages.map(([segment]) => segment![0])).to.deep.equal(Array.from({ length: 50 }, (_, i) => i));
    expect(peer.ends).to.deep.equal([undefined]);
  });

  it("delivers nothing after it was destroyed, and tells the end once, later", async () => {
    const { transport, far } = overPair();
    const recorder = new Recorder(transport);
    const error = new CapnpError("CAPNP_PROTOCOL", "enough");
    recorder.onMessage = () => {
      transport.destroy(error);
      expect(recorder.ends).to.have.lengthOf(0);
    };
    far.write(Buffer.concat([encodeFrame([words(1)]), encodeFrame([words(2)])]));
    expect(await recorder.ended()).to.equal(error);
    transport.destroy();
    await transport.close();
    expect(recorder.messages).to.have.lengthOf(1);
    expect(recorder.ends).to.deep.equal([error]);
  });

  it("tells the error of a stream that failed before it was started", async () => {
    const { transport, far } = overPair();
    far.destroy();
    const broken = new PassThrough();
    const other = new ByteStreamTransport(broken);
    broken.destroy(Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" }));
    await turn();
    const recorder = new Recorder(other);
    expect(await recorder.ended()).to.include({ code: "CAPNP_DISCONNECTED" });
    transport.destroy();
  });

  it("loses only its own connection when the receiver throws", async () => {
    const { transport, far } = overPair();
    const recorder = new Recorder(transport);
    const thrown = new RangeError("Offset is outside the bounds of the DataView");
    recorder.onMessage = () => {
      throw thrown;
    };
    far.write(encodeFrame([words(1)]));
    const error = await recorder.ended();
    expect(error?.code).to.equal("CAPNP_PROTOCOL");
    expect(error?.cause).to.equal(thrown);
  });

  it("loses only its own connection when a stream's own methods throw", async () => {
    const stream = new Duplex({
      read: () => undefined,
      write: () => {
        throw new TypeError("bad stream");
      },
    });
    const transport = new ByteStreamTransport(stream);
    const recorder = new Recorder(transport);
    transport.send([words(1)]);
    expect((await recorder.ended())?.message).to.contain("bad stream");
  });

  it("refuses a stream of strings", async () => {
    const stream = new PassThrough();
    stream.setEncoding("utf8");
    const transport = new ByteStreamTransport(stream);
    const recorder = new Recorder(transport);
    stream.write("hello");
    expect((await recorder.ended())?.code).to.equal("CAPNP_TYPE");
  });

  it("throws at once for segments that no reader could accept, and stays usable", async () => {
    const { transport, far } = overPair();
    const peer = new Recorder(new ByteStreamTransport(far));
    expect(() => transport.send([]))
      .to.throw(CapnpError)
      .that.includes({ code: "CAPNP_FRAME" });
    expect(() => transport.send([new Uint8Array(100_001)]))
      .to.throw(CapnpError)
      .that.includes({ code: "CAPNP_FRAME" });
    transport.send([words(1, 1)]);
    expect(await peer.received(1)).to.deep.equal([[words(1, 1)]]);
    expect(transport.queued).to.equal(0);
    transport.destroy();
  });
});
