import { PassThrough, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { ByteStream } from "../../lib/generated/capnp/compat/byte-stream.capnp.ts";
import { byteStream } from "../../lib/streams/byte-stream.ts";
import { pump, toWebWritable } from "../../lib/streams/byte-stream-writer.ts";
import { toWritable } from "../../lib/streams/to-writable.ts";
import { TwoPartyServer } from "../../lib/stream-vat.ts";
import { bytes, longText, Sink, SlowSink, streamTo } from "../support/byte-sinks.ts";
import type { Loose } from "../support/loose.ts";
import { deferred } from "../support/nodes.ts";
import { stateOf } from "../support/streams.ts";
import { bootstrapOf, rejection, turn, Vats } from "../support/vats.ts";

/** A piece of several pieces: no call carries more than 64 KiB. */
const long = longText(300_000);

const written = (stream: Writable, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(bytes(text), (error) => (error ? reject(error) : resolve()));
  });

const ended = (stream: Writable): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.once("error", reject);
    stream.end((error?: Error | null) => (error ? reject(error) : resolve()));
  });

/** Delivers until a promise is settled. */
const during = async <T>(vats: Vats, promise: Promise<T>): Promise<T> => {
  const state = { settled: false };
  const settled = (): void => {
    state.settled = true;
  };
  promise.then(settled, settled);
  while (!state.settled) await vats.settle();
  return promise;
};

/** Two vats, b exposing a stream that ends in a sink; and a client of it in a. */
const withSink = (sink: Writable, options: Loose = {}): { vats: Vats; stream: ByteStream.Client } => {
  const vats = new Vats({ a: options, b: { bootstrap: byteStream(sink) } });
  return { vats, stream: bootstrapOf(vats.a, ByteStream) };
};

describe("a byte stream", () => {
  it("brings bytes from a Writable to a Writable, whole and in order, and waits for the one at its end", async () => {
    const sink = new SlowSink();
    const stream = toWritable(streamTo(sink));
    const first = written(stream, "foo");
    expect(await stateOf(first)).to.equal("waiting");
    expect(sink.pieces).to.deep.equal(["foo"]);
    sink.take();
    await first;
    const second = written(stream, long);
    while ((await stateOf(second)) === "waiting") sink.take();
    expect(sink.pieces.slice(1).join("")).to.equal(long);
    expect(Math.max(...sink.pieces.map(({ length }) => length))).to.equal(65_536);
    const end = ended(stream);
    await end;
    expect(sink.writableFinished).to.equal(true);
    expect(sink.brokenBy).to.equal(undefined);
  });

  it("combines what was written while it had to wait", async () => {
    const sink = new SlowSink();
    const stream = toWritable(streamTo(sink));
    for (const piece of ["foo", "bar", "baz", "qux"]) stream.write(piece);
    while (sink.take()) await turn();
    await turn();
    while (sink.take()) await turn();
    expect(sink.pieces).to.deep.equal(["foo", "barbazqux"]);
    await ended(stream);
  });

  it("goes through others", async () => {
    const sink = new Sink();
    const stream = toWritable(streamTo(toWritable(streamTo(toWritable(streamTo(sink))))));
    await written(stream, "foo");
    await written(stream, long);
    await ended(stream);
    expect(sink.text).to.equal(`foo${long}`);
    expect(sink.writableFinished).to.equal(true);
  });

  it("crosses a connection: it has room while the window has, and its end returns when all bytes have been taken", async () => {
    const sink = new SlowSink();
    const { vats, stream } = withSink(sink, { streamWindow: 8192 });
    const writable = toWritable(stream, { highWaterMark: 1 });
    const states: string[] = [];
    const promises: Promise<void>[] = [];
    for (let n = 0; n < 8; n++) {
      promises.push(written(writable, longText(4000)));
      await vats.settle();
      states.push(await stateOf(promises[n] as Promise<void>));
    }
    expect(states).to.deep.equal(["room", "room", "waiting", ...Array(5).fill("waiting")]);
    expect(writable.writableNeedDrain).to.equal(true);
    const end = ended(writable);
    while (sink.take()) await vats.settle();
    await during(vats, end);
    await Promise.all(promises);
    expect(sink.pieces.join("")).to.equal(longText(4000).repeat(8));
    expect(sink.writableFinished).to.equal(true);
    await vats.expectEmpty();
  });

  it("crosses a connection there and back, while other streams are pumped into it", async () => {
    // a writes to a stream at b, whose bytes b pumps, three and then the rest, to two streams at a.
    const back = new Sink();
    const rest = new Sink();
    const middle = new PassThrough();
    const vats = new Vats({ a: { bootstrap: byteStream(back) }, b: { bootstrap: byteStream(middle) } });
    const toBack = toWritable(bootstrapOf(vats.b, ByteStream));
    const front = toWritable(bootstrapOf(vats.a, ByteStream));
    const whole = `foobar${long}`;
    const pumped = (async () => {
      let left = 3;
      for await (const chunk of middle as AsyncIterable<Buffer>) {
        const first = chunk.subarray(0, left);
        left -= first.length;
        if (first.length > 0) await written(toBack, first.toString("latin1"));
        rest.write(chunk.subarray(first.length));
      }
      await ended(toBack);
    })();
    front.write("foobar");
    front.write(long);
    await during(vats, ended(front));
    await during(vats, pumped);
    expect([back.text, rest.text]).to.deep.equal([whole.slice(0, 3), whole.slice(3)]);
    await vats.expectEmpty();
  });

  it("may be given as a promise: what is written before it is known is not overtaken", async () => {
    const sink = new SlowSink();
    const later = deferred();
    const vats = new Vats({ b: { bootstrap: new ByteStream.Client(later.promise) as Loose } });
    const stream: ByteStream.Client = bootstrapOf(vats.a, ByteStream);
    for (const piece of ["foo", "bar", "baz", "qux"]) await stream.write(bytes(piece));
    await vats.settle();
    later.resolve(streamTo(toWritable(streamTo(sink), { highWaterMark: 1 })));
    await vats.settle();
    await stream.write(bytes("corge"));
    await vats.settle();
    while (sink.take()) await vats.settle();
    expect(sink.pieces).to.deep.equal(["foo", "bar", "baz", "qux", "corge"]);
    await during(vats, Promise.resolve(stream.end()));
    stream.release();
    const { a, b } = vats;
    const closed = Promise.all([a.close(), b.close()]);
    await vats.settle();
    await closed;
    expect(sink.writableFinished).to.equal(true);
  });

  it("that is released before its end is cut off: what it goes to is destroyed, and not ended", async () => {
    const sink = new Sink();
    const { vats, stream } = withSink(sink);
    await stream.write(bytes("foo"));
    await vats.settle();
    expect(sink.text).to.equal("foo");
    stream.release();
    await vats.settle();
    expect(sink.destroyed).to.equal(false);
    await vats.expectEmpty();
    expect(sink.destroyed).to.equal(true);
    expect(sink.writableFinished).to.equal(false);
    expect(sink.brokenBy).to.be.instanceOf(CapnpError).with.property("code", "CAPNP_CANCELED");
  });

  it("is cut off by destroying the Writable, or aborting the WritableStream, that writes to it", async () => {
    const sink = new Sink();
    const writable = toWritable(streamTo(sink));
    await written(writable, "foo");
    writable.on("error", () => undefined);
    writable.destroy(new Error("enough"));
    await turn();
    await turn();
    expect([sink.destroyed, sink.writableFinished]).to.deep.equal([true, false]);
    const other = new Sink();
    const web = toWebWritable(streamTo(other));
    const writer = web.getWriter();
    await writer.write(bytes("foo"));
    await writer.abort(new Error("enough"));
    await turn();
    expect([other.destroyed, other.writableFinished]).to.deep.equal([true, false]);
  });

  it("is over after its end: nothing more can be written, and releasing it cuts nothing off", async () => {
    const sink = new Sink();
    const stream = streamTo(sink);
    await stream.write(bytes("foo"));
    await stream.end();
    expect(sink.writableFinished).to.equal(true);
    expect((await rejection(stream.write(bytes("bar")))).message).to.include("it was ended");
    expect((await rejection(stream.end())).message).to.include("it was ended");
    stream.release();
    await turn();
    expect(sink.brokenBy).to.equal(undefined);
    expect(sink.text).to.equal("foo");
  });

  it("tells its writer what the Writable at its end fails with", async () => {
    for (const late of [false, true]) {
      const sink = new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, callback) => {
          if (late) setImmediate(callback, new Error("disk full"));
          else callback(new Error("disk full"));
        },
      });
      const { vats, stream } = withSink(sink);
      const writable = toWritable(stream, { highWaterMark: 1 });
      writable.write("foo");
      await vats.settle();
      const error = await during(vats, rejection(ended(writable)));
      expect(error.message).to.include("disk full");
      await vats.settle();
      expect(writable.destroyed).to.equal(true);
      await vats.expectEmpty();
    }
  });

  it("tells its writer that the Writable at its end was closed", async () => {
    const sink = new Sink();
    const stream = streamTo(sink);
    sink.destroy();
    await turn();
    expect((await rejection(stream.write(bytes("foo")))).kind).to.equal("disconnected");
    expect((await rejection(stream.end())).kind).to.equal("disconnected");
    stream.release();
  });

  it("goes to streams of the web platform, and comes from them", async () => {
    const chunks: Uint8Array[] = [];
    const room: (() => void)[] = [];
    let closed = false;
    const web = new WritableStream<Uint8Array>({
      write: (chunk) => {
        chunks.push(chunk);
        return new Promise((resolve) => room.push(resolve));
      },
      close: () => {
        closed = true;
      },
    });
    const vats = new Vats({ a: { streamWindow: 1024 }, b: { bootstrap: byteStream(web) } });
    const stream: ByteStream.Client = bootstrapOf(vats.a, ByteStream);
    const source = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes(long));
        controller.enqueue(bytes("end"));
        controller.close();
      },
    });
    const piped = source.pipeTo(toWebWritable(stream));
    const state = { done: false };
    void piped.then(() => {
      state.done = true;
    });
    while (!state.done) {
      await vats.settle();
      room.shift()?.();
    }
    await piped;
    expect(Buffer.concat(chunks).toString("latin1")).to.equal(`${long}end`);
    expect(closed).to.equal(true);
    await vats.expectEmpty();
  });

  it("aborts the web stream that it goes to when it is cut off, and tells of that stream's failure", async () => {
    const reasons: unknown[] = [];
    const web = new WritableStream<Uint8Array>({ abort: (reason) => void reasons.push(reason) });
    const stream = new ByteStream.Client(byteStream(web));
    await stream.write(bytes("foo"));
    stream.release();
    await turn();
    expect(reasons).to.have.lengthOf(1);
    expect(reasons[0]).to.be.instanceOf(CapnpError).with.property("code", "CAPNP_CANCELED");
    const broken = new ByteStream.Client(
      byteStream(new WritableStream<Uint8Array>({ write: () => Promise.reject(new Error("full")) })),
    );
    broken.write(bytes("foo"));
    expect((await rejection(broken.end())).message).to.equal("full");
    broken.release();
    await turn();
  });

  it("takes all of a source, counts it, and ends", async () => {
    const sources: readonly (() => Loose)[] = [
      () => Readable.from([bytes("foo"), bytes(long)]),
      () => [bytes("foo"), bytes(long)],
      () =>
        new ReadableStream({
          start(controller) {
            controller.enqueue(bytes("foo"));
            controller.enqueue(bytes(long));
            controller.close();
          },
        }),
      () => {
        const stream = new Response(`foo${long}`).body as Loose;
        // As in a browser whose streams cannot be iterated.
        return { getReader: () => stream.getReader() };
      },
    ];
    for (const source of sources) {
      const sink = new Sink();
      const { vats, stream } = withSink(sink);
      expect(await during(vats, pump(source(), stream))).to.equal(3 + long.length);
      expect(sink.text).to.equal(`foo${long}`);
      expect(sink.writableFinished).to.equal(true);
      await vats.expectEmpty();
    }
  });

  it("is cut off when the source that is pumped fails, and ends the source when it fails itself", async () => {
    const sink = new Sink();
    const failing = async function* () {
      yield bytes("foo");
      throw new Error("torn");
    };
    expect((await rejection(pump(failing(), streamTo(sink)))).message).to.equal("torn");
    await turn();
    expect([sink.text, sink.destroyed, sink.writableFinished]).to.deep.equal(["foo", true, false]);
    let isClosed = false;
    const endless = async function* () {
      try {
        for (;;) yield bytes("foo");
      } finally {
        isClosed = true;
      }
    };
    const closed = new Sink();
    closed.destroy();
    await turn();
    expect((await rejection(pump(endless(), streamTo(closed)))).kind).to.equal("disconnected");
    expect(isClosed).to.equal(true);
  });

  it("takes bytes only, and goes to streams only", async () => {
    expect(() => byteStream({} as Loose)).to.throw(CapnpError, "Writable");
    expect((await rejection(pump(["foo"] as Loose, streamTo(new Sink())))).code).to.equal("CAPNP_TYPE");
  });

  it("works with pipeline() of Node, and through a chain of two connections", async () => {
    const sink = new Sink();
    const far = new Vats({ b: { bootstrap: byteStream(sink) } });
    const hop = bootstrapOf(far.a, ByteStream);
    const near = new Vats({ b: { bootstrap: hop } });
    const stream: ByteStream.Client = bootstrapOf(near.a, ByteStream);
    const done = pipeline(Readable.from([bytes(long), bytes(long)]), toWritable(stream));
    const state = { done: false };
    void done.then(() => {
      state.done = true;
    });
    while (!state.done) {
      await near.settle();
      await far.settle();
    }
    await done;
    expect(sink.text).to.equal(long + long);
    await near.expectEmpty();
    hop.release();
    await far.expectEmpty();
  });
});

describe("a substream", () => {
  /** What a callback hears. */
  const callback = (next?: Loose) => {
    const heard: string[] = [];
    const server = new (class extends ByteStream.SubstreamCallback.Server {
      override ended({ byteCount }: { byteCount: bigint }) {
        heard.push(`ended ${byteCount}`);
      }
      override reachedLimit() {
        heard.push("limit");
        return { next };
      }
      [Symbol.dispose]() {
        heard.push("released");
      }
    })();
    return { heard, server };
  };

  it("writes to the same destination until it is ended, which ends nothing else", async () => {
    const sink = new Sink();
    const { vats, stream } = withSink(sink);
    const { heard, server } = callback();
    await stream.write(bytes("foo"));
    const lent = stream.getSubstream({ callback: server });
    await during(vats, Promise.resolve(lent));
    const { substream } = await lent;
    await substream.write(bytes("bar"));
    await during(vats, Promise.resolve(substream.end()));
    expect(heard[0]).to.equal("ended 3");
    expect(sink.writableEnded).to.equal(false);
    expect((await during(vats, rejection(substream.end()))).message).to.include("it was ended");
    await stream.write(bytes("baz"));
    await during(vats, Promise.resolve(stream.end()));
    expect(sink.text).to.equal("foobarbaz");
    for (const client of [substream, stream]) client.release();
    await vats.settle();
    expect(heard).to.deep.equal(["ended 3", "released"]);
    await vats.expectEmpty();
  });

  it("may be used before the call that makes it has returned", async () => {
    const sink = new Sink();
    const { vats, stream } = withSink(sink);
    const { heard, server } = callback();
    const lent = stream.getSubstream({ callback: server });
    lent.substream.write(bytes("foo"));
    await during(vats, Promise.resolve(lent.substream.end()));
    expect([sink.text, heard[0]]).to.deep.equal(["foo", "ended 3"]);
    (lent as Loose)[Symbol.dispose]();
    stream.release();
    await vats.expectEmpty();
  });

  it("goes on where the callback says when its limit is reached, beginning with the rest of that piece", async () => {
    for (const pieces of [["foobar"], ["foo", "bar"], ["fo", "ob", "ar"], ["f", "", "o", "o", "bar"]]) {
      const sink = new Sink();
      const rest = new Sink();
      const { heard, server } = callback(byteStream(rest));
      const { vats, stream } = withSink(sink);
      const { substream } = await during(
        vats,
        Promise.resolve(stream.getSubstream({ callback: server, limit: 3n })) as Promise<Loose>,
      );
      for (const piece of pieces) substream.write(bytes(piece));
      await vats.settle();
      expect([sink.text, rest.text, heard[0]]).to.deep.equal(["foo", "bar", "limit"]);
      // The lender may write again; the borrower's end is that of the other stream.
      await stream.write(bytes("baz"));
      await during(vats, Promise.resolve(substream.end()));
      expect([sink.text, rest.writableFinished, sink.writableEnded]).to.deep.equal(["foobaz", true, false]);
      await during(vats, Promise.resolve(stream.end()));
      for (const client of [substream, stream]) client.release();
      await vats.settle();
      expect(heard).to.deep.equal(["limit", "released"]);
      await vats.expectEmpty();
    }
  });

  it("is one of many on the same destination, one after the other", async () => {
    const sink = new Sink();
    const { vats, stream } = withSink(sink);
    for (const [limit, text] of [
      [3n, "foo"],
      [3n, "bar"],
      [undefined, "baz"],
      [undefined, "qux"],
    ] as const) {
      const next = new Sink();
      const { heard, server } = callback(byteStream(next));
      const params = limit === undefined ? { callback: server } : { callback: server, limit };
      const { substream } = await during(vats, Promise.resolve(stream.getSubstream(params)) as Promise<Loose>);
      substream.write(bytes(text));
      await during(vats, Promise.resolve(substream.end()));
      substream.release();
      await vats.settle();
      expect(heard).to.deep.equal([limit === undefined ? "ended 3" : "limit", "released"]);
    }
    expect(sink.text).to.equal("foobarbazqux");
    stream.release();
    await vats.expectEmpty();
  });

  it("may lend what it was lent", async () => {
    const sink = new Sink();
    const [next, last] = [new Sink(), new Sink()];
    const stream = streamTo(sink);
    const outer = callback(byteStream(next));
    const inner = callback(byteStream(last));
    const first = (await stream.getSubstream({ callback: outer.server, limit: 4n })).substream as Loose;
    const second = (await first.getSubstream({ callback: inner.server, limit: 6n })).substream;
    await second.write(bytes("foobarbaz"));
    expect([sink.text, next.text, last.text]).to.deep.equal(["foob", "ar", "baz"]);
    expect([outer.heard[0], inner.heard[0]]).to.deep.equal(["limit", "limit"]);
    await second.end();
    await first.end();
    await stream.end();
    for (const client of [second, first, stream]) client.release();
    await turn();
    await turn();
    expect([outer.heard.at(-1), inner.heard.at(-1)]).to.deep.equal(["released", "released"]);
    expect([next, last, sink].map(({ writableFinished }) => writableFinished)).to.deep.equal([true, true, true]);
  });

  it("of no bytes at all has reached its limit at once", async () => {
    const rest = new Sink();
    const stream = streamTo(new Sink());
    const { heard, server } = callback(byteStream(rest));
    const { substream } = await stream.getSubstream({ callback: server, limit: 0n });
    await turn();
    expect(heard[0]).to.equal("limit");
    await substream.write(bytes("foo"));
    expect(rest.text).to.equal("foo");
    for (const client of [substream, stream]) client.release();
    await turn();
  });

  it("keeps its lender from writing, and tells it by releasing the callback that it was cut off", async () => {
    const sink = new Sink();
    const stream = streamTo(sink);
    const { heard, server } = callback();
    const { substream } = await stream.getSubstream({ callback: server });
    await substream.write(bytes("foo"));
    const second = callback();
    expect((await rejection(stream.getSubstream({ callback: second.server }))).message).to.include("lent");
    expect((await rejection(stream.end())).message).to.include("lent");
    await turn();
    expect(second.heard).to.deep.equal(["released"]);
    substream.release();
    await turn();
    expect(heard).to.deep.equal(["released"]);
    await stream.write(bytes("bar"));
    expect((await rejection(stream.getSubstream({ callback: null }))).code).to.equal("CAPNP_NULL_CAPABILITY");
    await stream.end();
    expect(sink.text).to.equal("foobar");
    stream.release();
  });

  it("fails where the callback does, or gives no stream to go on with", async () => {
    for (const next of [() => null, () => Promise.reject(new Error("nowhere"))]) {
      const stream = streamTo(new Sink());
      const { server } = callback(next());
      const { substream } = await stream.getSubstream({ callback: server, limit: 3n });
      await substream.write(bytes("foo"));
      await rejection(substream.write(bytes("bar")));
      await rejection(substream.end());
      for (const client of [substream, stream]) client.release();
      await turn();
    }
  });
});

describe("what serves a byte stream to any peer", () => {
  it("is a server object: it may be a bootstrap capability, and a new connection has its own", async () => {
    const sinks: Sink[] = [];
    const bootstrap = (): Loose => {
      const sink = new Sink();
      sinks.push(sink);
      return byteStream(sink);
    };
    const vats = new Vats({ b: { bootstrap } });
    const stream: ByteStream.Client = bootstrapOf(vats.a, ByteStream);
    await during(vats, pump([bytes("foo")], stream));
    expect(sinks.map(({ text }) => text)).to.deep.equal(["foo"]);
    expect(vats.b).to.be.instanceOf(TwoPartyServer);
    await vats.expectEmpty();
  });
});
