import { expect } from "chai";
import { membrane } from "../../lib/membrane.ts";
import { release } from "../../lib/release.ts";
import { CapabilityServerSet } from "../../lib/server-set.ts";
import { collectGarbage } from "../support/budget.ts";
import type { Loose } from "../support/loose.ts";
import { deferred } from "../support/nodes.ts";
import { ScriptedPeer, setIndex } from "../support/scripted-peer.ts";
import { quickStream, slowStream, stateOf, stop, streaming } from "../support/streams.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../support/vats.ts";

const { Stream } = streaming;

/** Two vats of which b exposes a stream with these methods, and a client of it in a, whose bootstrap has returned. */
const withStream = async (methods: Loose, streamWindow?: number | "adaptive") => {
  const servers = new Servers();
  const server = servers.make(methods, Stream);
  const vats = new Vats({
    servers,
    a: streamWindow === undefined ? {} : { streamWindow },
    b: { bootstrap: server },
  });
  const stream = bootstrapOf(vats.a, Stream);
  await vats.settle();
  return { vats, server, stream };
};

const padding = new Uint8Array(1000);

/** Calls until a promise has to wait; all promises, of which the last one waits. */
const fill = async (stream: Loose): Promise<Promise<void>[]> => {
  const promises: Promise<void>[] = [];
  for (let n = 0; n < 1000; n++) {
    promises.push(stream.write({ n, padding }));
    if ((await stateOf(promises.at(-1) as Promise<void>)) === "waiting") return promises;
  }
  throw new Error("the window is never full");
};

describe("a streaming call, to its server", () => {
  const local = (methods: Loose) => {
    const servers = new Servers();
    return { servers, stream: new Stream.Client(servers.make(methods, Stream)) };
  };

  it("makes the calls behind it wait, streaming or not, until it returns", async () => {
    const slow = slowStream();
    const { servers, stream } = local(slow.methods);
    const calls = [stream.write({ n: 1 }), stream.other({ n: 2 }), stream.write({ n: 3 })];
    const done = stream.done();
    await turn();
    expect(slow.started).to.deep.equal(["write 1"]);
    await slow.end();
    expect(slow.started).to.deep.equal(["write 1", "other 2"]);
    expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", "waiting", "waiting"]);
    await slow.end();
    expect(await stateOf(done)).to.equal("waiting");
    await slow.end();
    expect(slow.started).to.deep.equal(["write 1", "other 2", "write 3", "done"]);
    await done;
    expect(slow.most).to.equal(1);
    stream.release();
    await turn();
    servers.expectDisposed();
  });

  it("does not wait for calls that are not streaming and came before", async () => {
    const started: string[] = [];
    const held = deferred();
    const { servers, stream } = local({
      done: () => held.promise,
      write({ n }: Loose) {
        started.push(`write ${n}`);
      },
    });
    const done = stream.done();
    await stream.write({ n: 1 });
    expect(started).to.deep.equal(["write 1"]);
    held.resolve({ numbers: [1] });
    expect([...(await done).numbers]).to.deep.equal([1]);
    stream.release();
    await turn();
    servers.expectDisposed();
  });

  it("that is given up while it waits is skipped; one at work is told, and holds the others back until it has ended", async () => {
    const slow = slowStream();
    const { servers, stream } = local(slow.methods);
    const aborts = [new AbortController(), new AbortController(), new AbortController()];
    const calls = aborts.map(({ signal }, n) => stream.write({ n }, { signal }));
    const done = stream.done();
    await turn();
    aborts[1]?.abort();
    expect((await rejection(calls[1])).code).to.equal("CAPNP_CANCELED");
    expect(slow.started).to.deep.equal(["write 0"]);
    await slow.end();
    expect(slow.started).to.deep.equal(["write 0", "write 2"]);
    aborts[2]?.abort();
    expect((await rejection(calls[2])).code).to.equal("CAPNP_CANCELED");
    await turn();
    expect(slow.aborted).to.deep.equal(["write 2"]);
    expect(await stateOf(done)).to.equal("waiting");
    // What was given up may well fail for that reason; the stream is none the worse for it.
    await slow.end(stop());
    await done;
    stream.release();
    await turn();
    servers.expectDisposed();
  });

  it("lets go at once of calls that are given up as they wait for it, and of what they hold", async () => {
    const ends: (() => void)[] = [];
    const started: number[] = [];
    const { servers, stream } = local({
      write: ({ n }: Loose) => {
        started.push(n);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
      done: () => ({ numbers: [] }),
    });
    const held = async (): Promise<number> => {
      for (let i = 0; i < 3; i++) {
        collectGarbage();
        await turn();
      }
      return process.memoryUsage().arrayBuffers;
    };
    const first = stream.write({ n: 1 });
    await turn();
    const before = await held();
    const mebi = 1024 * 1024;
    const giveUp = async (): Promise<void> => {
      const aborts = Array.from({ length: 20 }, () => new AbortController());
      const waiting = aborts.map(({ signal }) =>
        rejection(stream.write({ n: 2, padding: new Uint8Array(mebi) }, { signal })),
      );
      await turn();
      expect((await held()) - before).to.be.above(20 * mebi - 1);
      for (const abort of aborts) abort.abort();
      for (const error of await Promise.all(waiting)) expect(error.code).to.equal("CAPNP_CANCELED");
    };
    await giveUp();
    expect((await held()) - before).to.be.below(5 * mebi);
    const last = stream.done();
    for (const end of ends) end();
    await first;
    expect([...(await last).numbers]).to.deep.equal([]);
    expect(started).to.deep.equal([1]);
    stream.release();
    await turn();
    servers.expectDisposed();
  });

  it("that throws, at once or later, makes all that follow it throw the same", async () => {
    for (const late of [false, true]) {
      const started: string[] = [];
      const { servers, stream } = local({
        write({ n }: Loose) {
          started.push(`write ${n}`);
          if (n !== 2) return undefined;
          if (late) return Promise.reject(stop());
          throw stop();
        },
        done: () => ({ numbers: [] }),
      });
      const calls = [1, 2, 3].map((n) => stream.write({ n }));
      const done = stream.done();
      expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", stop().message, stop().message]);
      expect((await rejection(done)).message).to.equal(stop().message);
      expect((await rejection(stream.write({ n: 4 }))).message).to.equal(stop().message);
      expect(started).to.deep.equal(["write 1", "write 2"]);
      stream.release();
      await turn();
      servers.expectDisposed();
    }
  });

  it("that the server lacks ends the stream as a throw does", async () => {
    const { servers, stream } = local({ done: () => ({ numbers: [] }) });
    expect((await rejection(stream.write({ n: 1 }))).kind).to.equal("unimplemented");
    expect((await rejection(stream.done())).kind).to.equal("unimplemented");
    stream.release();
    await turn();
    servers.expectDisposed();
  });

  it("keeps the object alive until it has ended, and all that were made before the last reference was released", async () => {
    const slow = slowStream();
    const { servers, stream } = local(slow.methods);
    const calls = [1, 2].map((n) => stream.write({ n }));
    stream.release();
    await slow.end();
    await slow.end();
    await turn();
    await slow.end();
    await Promise.all(calls);
    expect(slow.started).to.deep.equal(["write 1", "write 2"]);
    await turn();
    servers.expectDisposed();
  });

  it("may be passed on with a tail call: it has returned when the next stream has room", async () => {
    const slow = slowStream();
    const servers = new Servers();
    const last = new Stream.Client(servers.make(slow.methods, Stream));
    const middle = new Stream.Client(
      servers.make(
        {
          write_context(context: Loose) {
            const request = last.writeRequest();
            request.n = context.params.n * 10;
            context.tailCall(request);
          },
          done_context: (context: Loose) => context.tailCall(last.doneRequest()),
          [Symbol.dispose]: () => last.release(),
        },
        Stream,
      ),
    );
    const calls = [1, 2].map((n) => middle.write({ n }));
    const done = middle.done();
    await turn();
    expect(slow.started).to.deep.equal(["write 10"]);
    await slow.end();
    expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", "waiting"]);
    await slow.end(stop());
    expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", stop().message]);
    expect((await rejection(done)).message).to.equal(stop().message);
    middle.release();
    await turn();
    servers.expectDisposed();
  });

  it("is a promise of nothing, for the long form, too", async () => {
    const { servers, stream } = local(quickStream().methods);
    const request = stream.writeRequest();
    request.n = 7;
    const sent = request.send();
    expect(sent).to.be.instanceOf(Promise);
    expect(await sent).to.equal(undefined);
    expect([...(await stream.done()).numbers]).to.deep.equal([7]);
    stream.release();
    await turn();
    servers.expectDisposed();
  });
});

describe("a streaming call over a connection", () => {
  it("returns at once until the window is full, and then as others return", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 4096);
    const promises = await fill(stream);
    // Messages of some 1,100 bytes; the window and one of them.
    expect(promises).to.have.lengthOf(5);
    await vats.settle();
    expect(slow.started).to.deep.equal(["write 0"]);
    await slow.end();
    await vats.settle();
    expect(await stateOf(promises[4] as Promise<void>)).to.equal("room");
    const next = stream.write({ n: 5, padding });
    expect(await stateOf(next)).to.equal("waiting");
    for (let n = 0; n < 6; n++) {
      await slow.end();
      await vats.settle();
    }
    await next;
    expect(slow.started.at(-1)).to.equal("write 5");
    expect(slow.most).to.equal(1);
    stream.release();
    await vats.expectEmpty();
  });

  it("never has more under way than its window and one message, nor less while there is more to send", async () => {
    const slow = slowStream();
    const window = 16 * 1024;
    const { vats, stream } = await withStream(slow.methods, window);
    const size = (message: Loose): number => message.totalSize.wordCount * 8;
    // What the server has got and not answered: what was sent, without what was answered.
    const underWay = (): number => {
      // The first Return is that of the Bootstrap.
      const answered = vats.messages("return", "b").length - 1;
      const calls = vats.messages("call", "a").slice(answered);
      return calls.reduce((sum, call) => sum + size(call), 0);
    };
    let most = 0;
    let least = window;
    const pushAll = async (): Promise<void> => {
      for (let n = 0; n < 60; n++) await stream.write({ n, padding });
    };
    const sending = pushAll();
    await vats.settle();
    while (slow.waiting > 0) {
      const bytes = underWay();
      most = Math.max(most, bytes);
      if (vats.messages("call", "a").length < 60) least = Math.min(least, bytes);
      await slow.end();
      await vats.settle();
    }
    await sending;
    expect(most).to.be.within(window, window + 2 * 1200);
    expect(least).to.be.at.least(window - 1200);
    stream.release();
    await vats.expectEmpty();
  });

  it("may carry a message larger than the window, with another one behind it", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 64);
    const calls = [1, 2].map((n) => stream.write({ n, padding }));
    expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", "waiting"]);
    await vats.settle();
    await slow.end();
    await vats.settle();
    expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", "room"]);
    await slow.end();
    stream.release();
    await vats.expectEmpty();
  });

  it("has a window of 64 KiB where no option says otherwise", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods);
    const promises = await fill(stream);
    const { byteLength } = padding;
    expect(promises.length * byteLength).to.be.within(58_000, 66_000);
    const end = async () => {
      while (slow.waiting > 0) {
        await slow.end();
        await vats.settle();
      }
    };
    await vats.settle();
    await end();
    stream.release();
    await vats.expectEmpty();
  });

  it("works with a window that adapts itself", async () => {
    const quick = quickStream();
    const { vats, stream } = await withStream(quick.methods, "adaptive");
    for (let n = 0; n < 600; n++) {
      const sent = stream.write({ n, padding });
      if ((await Promise.race([sent.then(() => "room"), Promise.resolve("full")])) === "full") {
        await vats.settle();
        await sent;
      }
    }
    const done = stream.done();
    await vats.settle();
    expect([...(await done).numbers]).to.deep.equal(Array.from({ length: 600 }, (_, n) => n));
    stream.release();
    await vats.expectEmpty();
  });

  it("is refused a window that is no number of bytes", () => {
    for (const streamWindow of [0, -1, 1.5, Number.NaN]) {
      expect(() => new Vats({ a: { streamWindow } })).to.throw("streamWindow");
    }
  });

  it("comes before calls that were made after it, and they see all of the stream", async () => {
    const quick = quickStream();
    const { vats, stream } = await withStream(quick.methods);
    for (let n = 0; n < 10; n++) stream.write({ n });
    const done = stream.done();
    stream.write({ n: 10 });
    await vats.settle();
    expect([...(await done).numbers]).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(quick.numbers.at(-1)).to.equal(10);
    stream.release();
    await vats.expectEmpty();
  });

  it("that fails makes those fail that wait, all that follow, and other calls as the server says", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 4096);
    const promises = await fill(stream);
    await vats.settle();
    const done = stream.done();
    await slow.end(stop());
    await vats.settle();
    const states = await Promise.all(promises.map(stateOf));
    expect(states.slice(0, -1).every((state) => state === "room")).to.equal(true);
    expect(states.at(-1)).to.include(stop().message);
    const error = await rejection(done);
    expect(error.message).to.include(stop().message);
    expect((await rejection(stream.write({ n: 9 }))).message).to.include(stop().message);
    expect((await rejection(stream.other({ n: 9 }))).message).to.include(stop().message);
    await vats.settle();
    expect(slow.started).to.deep.equal(["write 0"]);
    stream.release();
    await vats.expectEmpty();
  });

  it("that fails and that nobody waits for is no unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", note);
    try {
      const slow = slowStream();
      const { vats, stream } = await withStream(slow.methods);
      stream.write({ n: 1 });
      await vats.settle();
      await slow.end(stop());
      await vats.settle();
      stream.write({ n: 2 });
      await vats.settle();
      await turn();
      expect(unhandled).to.deep.equal([]);
      stream.release();
      await vats.expectEmpty();
    } finally {
      process.off("unhandledRejection", note);
    }
  });

  it("is finished after its return and not before, also when the client is released", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 2048);
    const calls = [1, 2, 3].map((n) => stream.write({ n, padding }));
    stream.release();
    await vats.settle();
    expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", "room", "waiting"]);
    const finishes = () => vats.messages("finish", "a").length;
    const before = finishes();
    expect(slow.aborted).to.deep.equal([]);
    for (let n = 0; n < 3; n++) {
      await slow.end();
      await vats.settle();
    }
    expect(slow.started).to.deep.equal(["write 1", "write 2", "write 3"]);
    await Promise.all(calls);
    expect(slow.aborted).to.deep.equal([]);
    expect(finishes()).to.equal(before);
    await vats.expectEmpty();
  });

  it("is finished once it has returned where the peer wants that", async () => {
    const peer = new ScriptedPeer();
    const stream = peer.vat.bootstrap(Stream) as Loose;
    await peer.heard();
    peer.send((message) => {
      const ret = message.init("return");
      ret.answerId = 0;
      const payload = ret.init("results");
      payload.capTable = [{ senderHosted: 5 }];
      setIndex(payload, 0, 0);
    });
    await peer.heard();
    stream.write({ n: 1 });
    expect(await peer.lines()).to.deep.equal(["call 0 to import 5"]);
    stream.release();
    expect(await peer.lines()).to.deep.equal(["release 5 x1"]);
    peer.send((message) => {
      const ret = message.init("return");
      ret.answerId = 0;
      ret.releaseParamCaps = false;
      ret.init("results");
    });
    expect(await peer.lines()).to.deep.equal(["finish 0"]);
    await peer.expectEmpty();
  });

  it("that is given up while it waits for room is canceled at the server; one that has room is not", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 2048);
    const early = new AbortController();
    const late = new AbortController();
    const calls = [
      stream.write({ n: 1, padding }, { signal: early.signal }),
      stream.write({ n: 2, padding }),
      stream.write({ n: 3, padding }, { signal: late.signal }),
    ];
    await vats.settle();
    expect(await Promise.all(calls.map(stateOf))).to.deep.equal(["room", "room", "waiting"]);
    early.abort();
    late.abort();
    expect((await rejection(calls[2])).code).to.equal("CAPNP_CANCELED");
    await vats.settle();
    expect(slow.aborted).to.deep.equal([]);
    // Its bytes count no longer, and the stream is whole without it.
    const next = stream.write({ n: 4 });
    await vats.settle();
    for (let n = 0; n < 3; n++) {
      await slow.end();
      await vats.settle();
    }
    expect(await stateOf(next)).to.equal("room");
    expect(slow.started).to.deep.equal(["write 1", "write 2", "write 4"]);
    stream.release();
    await vats.expectEmpty();
  });

  it("rejects at once where its signal was aborted before, and is not made to run", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 64);
    stream.write({ n: 1, padding });
    const late = stream.write({ n: 2 }, { signal: AbortSignal.abort() });
    expect((await rejection(late)).code).to.equal("CAPNP_CANCELED");
    await vats.settle();
    await slow.end();
    await vats.settle();
    expect(slow.started).to.deep.equal(["write 1"]);
    stream.release();
    await vats.expectEmpty();
  });

  it("fails with disconnected where the connection is lost, and so do those that wait", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 2048);
    const promises = await fill(stream);
    await vats.settle();
    const closed = vats.b.close();
    await vats.settle();
    await closed;
    expect((await rejection(promises.at(-1) as Promise<void>)).kind).to.equal("disconnected");
    expect((await rejection(stream.write({ n: 1 }))).kind).to.equal("disconnected");
    await turn();
    expect(slow.aborted).to.deep.equal(["write 0"]);
    await slow.end();
    stream.release();
    await vats.expectEmptyAfterClose();
  });

  it("too large for a message breaks the stream, for it would have a hole", async () => {
    const quick = quickStream();
    const servers = new Servers();
    const vats = new Vats({
      servers,
      a: { limits: { maxMessageBytes: 4096 } },
      b: { bootstrap: servers.make(quick.methods, Stream) },
    });
    const stream = bootstrapOf(vats.a, Stream);
    await stream.write({ n: 1 });
    const large = stream.write({ n: 2, padding: new Uint8Array(8192) });
    expect((await rejection(large)).code).to.equal("CAPNP_FRAME_TOO_LARGE");
    expect((await rejection(stream.write({ n: 3 }))).code).to.equal("CAPNP_FRAME_TOO_LARGE");
    await vats.settle();
    stream.release();
    await vats.expectEmpty();
  });

  it("may carry capabilities, which are released as those of any call", async () => {
    const handed: Loose[] = [];
    const { vats, stream } = await withStream({
      hand({ cap }: Loose) {
        handed.push(cap);
      },
    });
    const inner = vats.server({}, Stream);
    await stream.hand({ cap: inner });
    await vats.settle();
    expect(handed).to.have.lengthOf(1);
    handed[0].release();
    stream.release();
    await vats.expectEmpty();
  });
});

describe("a stream through promises and hops", () => {
  it("keeps its window when the promise that it was begun on resolves to the same peer", async () => {
    const slow = slowStream();
    const servers = new Servers();
    const server = servers.make(slow.methods, Stream);
    const vats = new Vats({ servers, a: { streamWindow: 4096 }, b: { bootstrap: server } });
    // Nothing has returned: the stream is that of the pipelined bootstrap.
    const stream = bootstrapOf(vats.a, Stream);
    const before = await fill(stream);
    await vats.settle();
    expect(await stateOf(before.at(-1) as Promise<void>)).to.equal("waiting");
    const after = stream.write({ n: 100, padding });
    expect(await stateOf(after)).to.equal("waiting");
    for (let n = 0; n <= before.length; n++) {
      await slow.end();
      await vats.settle();
    }
    await after;
    stream.release();
    await vats.expectEmpty();
  });

  it("keeps its failure when the promise resolves", async () => {
    const next = deferred();
    const servers = new Servers();
    const broken = servers.make({ write: () => Promise.reject(stop()) }, Stream);
    const vats = new Vats({
      servers,
      b: { bootstrap: servers.make({ next: () => ({ cap: next.promise }) }, Stream) },
    });
    const first = bootstrapOf(vats.a, Stream);
    const answer = first.next();
    const stream = (await Promise.all([answer, vats.settle()]))[0].cap;
    stream.write({ n: 1 });
    await vats.settle();
    next.resolve(broken);
    await vats.settle();
    expect((await rejection(stream.write({ n: 2 }))).message).to.include(stop().message);
    await vats.settle();
    for (const client of [stream, first]) client.release();
    await vats.expectEmpty();
  });

  it("goes through a promise here: calls made before it resolves have room when there is some at the peer", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 4096);
    const later = deferred();
    const promised = new Stream.Client(later.promise);
    const queued = [0, 1].map((n) => promised.write({ n, padding }));
    expect(await Promise.all(queued.map(stateOf))).to.deep.equal(["waiting", "waiting"]);
    later.resolve(stream);
    await vats.settle();
    expect(await Promise.all(queued.map(stateOf))).to.deep.equal(["room", "room"]);
    const more = await fill(promised);
    // The same window as for calls that were made on the stream itself.
    expect(queued.length + more.length).to.equal(5);
    expect(await stateOf(stream.write({ n: 9 }))).to.equal("waiting");
    await vats.settle();
    expect(slow.started).to.deep.equal(["write 0"]);
    for (let n = 0; n < 6; n++) {
      await slow.end();
      await vats.settle();
    }
    for (const client of [stream, promised]) client.release();
    await vats.expectEmpty();
  });

  it("that a request was begun on before it resolved is that of where the call goes", async () => {
    const quick = quickStream();
    const servers = new Servers();
    const here = servers.make(quick.methods, Stream);
    const vats = new Vats({ servers, b: { bootstrap: servers.make({ next: ({ cap }: Loose) => ({ cap }) }, Stream) } });
    const first = bootstrapOf(vats.a, Stream);
    const answer = first.next({ cap: here });
    const request = answer.cap.writeRequest();
    request.n = 5;
    const results = (await Promise.all([answer, vats.settle()]))[0];
    await request.send();
    await vats.settle();
    expect(quick.numbers).to.deep.equal([5]);
    results.cap.release();
    answer[Symbol.dispose]();
    first.release();
    await vats.expectEmpty();
  });

  it("crosses two connections: a server in between that awaits what it passes on makes both windows count", async () => {
    const slow = slowStream();
    const servers = new Servers();
    const far = new Vats({ servers, a: { streamWindow: 2048 }, b: { bootstrap: servers.make(slow.methods, Stream) } });
    const next = bootstrapOf(far.a, Stream);
    const middle = servers.make(
      {
        async write({ n, padding: bytes }: Loose) {
          await next.write({ n, padding: bytes });
        },
        done_context: (context: Loose) => context.tailCall(next.doneRequest()),
        [Symbol.dispose]: () => next.release(),
      },
      Stream,
    );
    const near = new Vats({ servers, a: { streamWindow: 2048 }, b: { bootstrap: middle } });
    const settle = async () => {
      for (let i = 0; i < 4; i++) {
        await near.settle();
        await far.settle();
      }
    };
    const stream = bootstrapOf(near.a, Stream);
    let sent = 0;
    for (;;) {
      const promise = stream.write({ n: sent++, padding });
      await settle();
      if ((await stateOf(promise)) === "waiting") break;
    }
    // Three messages fill the one, three more the other.
    expect(sent).to.equal(5);
    const done = stream.done();
    for (let n = 0; n < sent; n++) {
      await settle();
      await slow.end();
    }
    await settle();
    await done;
    expect(slow.started).to.deep.equal([...Array.from({ length: sent }, (_, n) => `write ${n}`), "done"]);
    expect(slow.most).to.equal(1);
    stream.release();
    await near.settle();
    const closed = Promise.all([near.a.close(), near.b.close()]);
    await near.settle();
    await closed;
    await far.expectEmpty();
  });

  it("passes through a vat that only hands it on: the window there is that of who calls", async () => {
    const slow = slowStream();
    const servers = new Servers();
    const far = new Vats({ servers, a: { streamWindow: 64 }, b: { bootstrap: servers.make(slow.methods, Stream) } });
    const hop = bootstrapOf(far.a, Stream);
    const near = new Vats({ a: { streamWindow: 2048 }, b: { bootstrap: hop } });
    const settle = async () => {
      for (let i = 0; i < 4; i++) {
        await near.settle();
        await far.settle();
      }
    };
    const stream = bootstrapOf(near.a, Stream);
    const promises = await fill(stream);
    expect(promises).to.have.lengthOf(3);
    const done = stream.done();
    for (let n = 0; n < promises.length; n++) {
      await settle();
      expect(slow.started).to.deep.equal(Array.from({ length: n + 1 }, (_, i) => `write ${i}`));
      await slow.end(n === 2 ? stop() : undefined);
    }
    await settle();
    expect((await rejection(done)).message).to.include(stop().message);
    expect((await rejection(stream.write({ n: 9 }))).message).to.include(stop().message);
    stream.release();
    await settle();
    await near.expectEmpty();
    hop.release();
    await far.expectEmpty();
  });

  it("is complete for what comes after the stream, at the vat that hosts the object", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods);
    for (const n of [1, 2]) stream.write({ n });
    const done = stream.done();
    await vats.settle();
    expect(slow.started).to.deep.equal(["write 1"]);
    await slow.end();
    await vats.settle();
    expect(await stateOf(done)).to.equal("waiting");
    await slow.end();
    await vats.settle();
    await done;
    expect(slow.started).to.deep.equal(["write 1", "write 2", "done"]);
    stream.release();
    await vats.expectEmpty();
  });

  it("is delivered before its object is unwrapped by a server set", async () => {
    const slow = slowStream();
    const servers = new Servers();
    const set: Loose = new CapabilityServerSet(Stream);
    const server = servers.make(slow.methods, Stream);
    const member = set.add(server);
    const unwrapped: unknown[] = [];
    const vats = new Vats({
      servers,
      b: {
        bootstrap: servers.make(
          {
            next({ cap }: Loose) {
              if (cap === null) return { cap: member };
              unwrapped.push("asked");
              void set.getLocalServer(cap).then((found: unknown) => {
                unwrapped.push(found === server);
                cap.release();
              });
              return {};
            },
          },
          Stream,
        ),
      },
    });
    const first = bootstrapOf(vats.a, Stream);
    const answer = first.next();
    // Pipelined: the stream is a promise still when it is used and passed on.
    for (const n of [1, 2]) answer.cap.write({ n });
    const back = first.next({ cap: answer.cap });
    await vats.settle();
    await back;
    expect([slow.started, unwrapped]).to.deep.equal([["write 1"], ["asked"]]);
    await slow.end();
    expect([slow.started, unwrapped]).to.deep.equal([["write 1", "write 2"], ["asked"]]);
    await slow.end();
    await vats.settle();
    expect(unwrapped).to.deep.equal(["asked", true]);
    for (const results of [answer, back]) {
      release(await results);
      results[Symbol.dispose]();
    }
    for (const client of [first, member]) client.release();
    await vats.expectEmpty();
  });

  it("passes through a membrane: its window is that of the connection behind it", async () => {
    const slow = slowStream();
    const { vats, stream } = await withStream(slow.methods, 4096);
    const seen: number[] = [];
    const guarded: Loose = membrane(stream, {
      inboundCall(_interfaceId, methodId) {
        seen.push(methodId);
      },
    });
    const promises = await fill(guarded);
    expect(promises).to.have.lengthOf(5);
    expect(seen).to.deep.equal([0, 0, 0, 0, 0]);
    const done = guarded.done();
    for (let n = 0; n < 5; n++) {
      await vats.settle();
      await slow.end();
    }
    await vats.settle();
    await Promise.all([...promises, done]);
    for (const client of [guarded, stream]) client.release();
    await vats.expectEmpty();
  });
});
