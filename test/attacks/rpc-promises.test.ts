import { expect } from "chai";
import { collectGarbage, withinBudgetAsync } from "../support/budget.ts";
import type { Loose } from "../support/loose.ts";
import { deferred } from "../support/nodes.ts";
import { ScriptedPeer, setIndex } from "../support/scripted-peer.ts";
import { bootstrapOf, rejection, turn, Vats } from "../support/vats.ts";

const finish = (questionId: number, releaseResultCaps = true) => ({
  finish: { questionId, releaseResultCaps, requireEarlyCancellationWorkaround: false },
});

const answer = (questionId: number, ...path: readonly number[]) => ({
  questionId,
  transform: path.map((field) => ({ getPointerField: field })),
});

const resolve = (promiseId: number, cap: object) => ({ resolve: { promiseId, cap } });

/** A vat that keeps every capability that it is given by `hold`, and hangs in `never` until the test ends it. */
const keeper = async (options: object = {}) => {
  const kept: Loose[] = [];
  const ends: ((value?: unknown) => void)[] = [];
  const peer = ScriptedPeer.ofNode(
    {
      hold({ cap }: Loose) {
        kept.push(cap);
      },
      never: () =>
        new Promise((end) => {
          ends.push(end);
        }),
      order: ({ n }: Loose) => n,
    },
    options,
  );
  await peer.bootstrap().heard();
  let question = 1000;
  return {
    peer,
    kept,
    ends,
    /** Gives the vat a capability of the peer's, to keep. */
    hold(descriptor: object) {
      const id = question++;
      return peer.call(
        id,
        { importedCap: 0 },
        "hold",
        (params) => setIndex(params, 0, 0),
        (call) => {
          call.params.capTable = [descriptor];
        },
      );
    },
    async end() {
      for (const cap of kept) cap.release();
      for (const end of ends) end({});
      await peer.expectEmptyAfterClose();
    },
  };
};

describe("a promise that the peer resolves to itself", () => {
  it("at once is broken, and calls on it fail instead of waiting for ever", async () => {
    const { peer, kept, hold, end } = await keeper();
    hold({ senderPromise: 5 });
    await peer.heard();
    const waiting = rejection(kept[0].order(1));
    peer.send(resolve(5, { senderPromise: 5 }));
    await peer.heard();
    expect((await rejection(kept[0].order(2))).message).to.match(/resolved to itself/);
    // The peer has the call that was sent before.
    peer.send({ return: { answerId: 0, exception: { reason: "no" } } });
    await peer.heard();
    expect((await waiting).message).to.include("no");
    await end();
  });

  it("by way of others, 2 to 50 of them, in any order, round and round, costs nothing and keeps nothing", async () => {
    for (const length of [2, 3, 50]) {
      for (const backwards of [false, true]) {
        const { peer, kept, hold, end } = await keeper();
        for (let i = 0; i < length; i++) hold({ senderPromise: 10 + i });
        await peer.heard();
        const steps = Array.from({ length }, (_, i) => i);
        if (backwards) steps.reverse();
        for (const i of steps) peer.send(resolve(10 + i, { senderPromise: 10 + ((i + 1) % length) }));
        await peer.heard();
        await peer.heard();
        const outcomes = kept.map((cap) => rejection(cap.order(1)));
        // Each Resolve lets a row go, so that the promise at the end is always the peer's own, and the peer must answer.
        await withinBudgetAsync(
          async () => {
            for (let round = 0; round < 20; round++) {
              for (const i of steps) peer.send(resolve(10 + i, { senderPromise: 10 + ((i + 1) % length) }));
              await peer.settle();
              expect(peer.vat.stats().imports).to.be.at.most(length);
            }
            peer.received.length = 0;
            peer.frames.length = 0;
            collectGarbage();
          },
          { cpuMs: 5000, heapBytes: 16 * 2 ** 20, bufferBytes: 4 * 2 ** 20 },
        );
        await end();
        for (const error of await Promise.all(outcomes)) expect(error.message).to.match(/resolved to itself|closed/);
      }
    }
  });

  it("by way of a promise of ours, which resolves to the peer's, ends at maxCalls however often the peer sends a call round", async () => {
    const { promise, resolve: settle } = deferred();
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode(
      {
        make: () => ({ node: promise }),
        hold({ cap }: Loose) {
          kept.push(cap);
        },
      },
      { limits: { maxCalls: 20 } },
    );
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, "make");
    const [made] = await peer.heard();
    const ours: number = made.return.results.capTable[0].senderPromise;
    peer.call(
      2,
      { importedCap: 0 },
      "hold",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    await peer.heard();
    settle(kept[0]);
    await turn();
    peer.send(resolve(5, { receiverHosted: ours }));
    for (const { disembargo } of (await peer.heard()).filter((message) => message.which() === "disembargo")) {
      const context = { receiverLoopback: disembargo.context.senderLoopback };
      peer.send({ disembargo: { target: { importedCap: ours }, context } });
    }
    const outcome = rejection(kept[0].order(1));
    const asked: number[] = [];
    for (let id = 100; ; id++) {
      const heard = await peer.heard();
      const returned = heard.find((message) => message.which() === "return");
      if (returned?.return.which() === "exception") {
        expect(returned.return.exception.type).to.equal("overloaded");
        break;
      }
      const [{ call }] = heard.filter((message) => message.which() === "call");
      asked.push(call.questionId);
      peer.call(id, { importedCap: ours }, "order");
    }
    expect(asked).to.have.lengthOf(21);
    for (const answerId of asked.slice(1)) peer.send({ return: { answerId, resultsSentElsewhere: null } });
    peer.send({ return: { answerId: asked[0], exception: { reason: "round and round", type: "overloaded" } } });
    await peer.heard();
    expect(await outcome).to.include({ kind: "overloaded" });
    kept[0].release();
    await peer.expectEmptyAfterClose();
  });

  it("by way of an answer that waits for it is broken", async () => {
    const { peer, kept, ends, hold, end } = await keeper();
    peer.call(1, { importedCap: 0 }, "never");
    hold({ senderPromise: 5 });
    await peer.heard();
    peer.send({ resolve: { promiseId: 5, cap: { receiverAnswer: answer(1, 0) } } });
    await peer.heard();
    ends[0]!({ cap: kept[0] });
    ends.length = 0;
    await peer.heard();
    const outcome = rejection(kept[0].order(1));
    await peer.heard();
    expect((await outcome).message).to.match(/resolved to itself/);
    await end();
  });
});

describe("a Resolve that comes late or again", () => {
  it("for a promise that was released gives back what it brings", async () => {
    const { peer, kept, hold, end } = await keeper();
    hold({ senderPromise: 5 });
    await peer.heard();
    kept.pop().release();
    expect(await peer.lines()).to.deep.equal(["release 5 x1"]);
    for (let i = 0; i < 3; i++) peer.send(resolve(5, { senderHosted: 6 }));
    expect(await peer.lines()).to.deep.equal(["release 6 x1", "release 6 x1", "release 6 x1"]);
    await end();
  });

  it("for a promise that has resolved changes nothing, and gives back what it brings", async () => {
    const { peer, kept, hold, end } = await keeper();
    hold({ senderPromise: 5 });
    await peer.heard();
    peer.send(resolve(5, { senderHosted: 6 })).send(resolve(5, { senderHosted: 7 }));
    peer.send({ resolve: { promiseId: 5, exception: { reason: "no" } } });
    expect(await peer.lines()).to.deep.equal(["release 5 x1", "release 7 x1"]);
    const call = kept[0].order(1);
    expect(await peer.lines()).to.deep.equal(["call 0 to import 6"]);
    call.cancel();
    await rejection(call);
    await end();
  });

  it("for what is no promise, or to no capability, ends the connection", async () => {
    const hosted = await keeper();
    hosted.hold({ senderHosted: 5 });
    await hosted.peer.heard();
    hosted.peer.send(resolve(5, { senderHosted: 6 }));
    expect((await hosted.peer.heard()).at(-1).abort.reason).to.match(/import 5, which is no promise/);
    await hosted.end();
    const none = await keeper();
    none.hold({ senderPromise: 5 });
    await none.peer.heard();
    none.peer.send(resolve(5, { none: null }));
    expect((await none.peer.heard()).at(-1).abort.reason).to.match(/to no capability/);
    await none.end();
  });
});

describe("promises in great number", () => {
  it("that form a long chain cost no more for each than for the first", async () => {
    // One chain of 3,000, then 3,000 promises that each resolve to its beginning.
    const length = 3000;
    const { peer, kept, hold, end } = await keeper();
    const holdFrom = async (first: number): Promise<void> => {
      for (let i = 0; i < length; i++) {
        hold({ senderPromise: first + i });
        if (i % 500 === 0) await peer.heard();
      }
      await peer.heard();
    };
    await holdFrom(1);
    for (let i = 0; i < length - 1; i++) peer.send(resolve(i + 1, { senderPromise: i + 2 }));
    await withinBudgetAsync(() => peer.heard(), { cpuMs: 3000, heapBytes: 64 * 2 ** 20, bufferBytes: 8 * 2 ** 20 });
    await holdFrom(length + 1);
    for (let i = 0; i < length; i++) peer.send(resolve(length + 1 + i, { senderPromise: 1 }));
    await withinBudgetAsync(() => peer.heard(), { cpuMs: 3000, heapBytes: 64 * 2 ** 20, bufferBytes: 8 * 2 ** 20 });
    expect(kept).to.have.lengthOf(2 * length);
    await end();
  });

  it("that each resolve to the next are no more than maxImports, though only one is in a table", async () => {
    const { peer, hold, end } = await keeper({ limits: { maxImports: 1000 } });
    hold({ senderPromise: 1 });
    await peer.heard();
    for (let i = 1; i < 999; i++) peer.send(resolve(i, { senderPromise: i + 1 }));
    await peer.heard();
    expect(peer.vat.stats().imports).to.equal(1);
    for (let i = 999; i < 1010; i++) peer.send(resolve(i, { senderPromise: i + 1 }));
    expect((await peer.heard()).at(-1).abort.reason).to.match(
      /1000 promises of the peer's are held here \(maxImports\)/,
    );
    await end();
  });

  it("that are released make room for others", async () => {
    const { peer, kept, hold, end } = await keeper({ limits: { maxImports: 10 } });
    for (let i = 1; i <= 100; i++) {
      hold({ senderPromise: i }).send(resolve(i, { senderPromise: i + 1000 }));
      await peer.settle();
      kept.pop().release();
      await peer.settle();
    }
    expect(peer.isClosed).to.equal(false);
    await end();
  });

  it("that resolve to what is ours while calls are on their way end the connection at maxEmbargoes", async () => {
    const { peer, kept, hold, end } = await keeper({ limits: { maxEmbargoes: 10 } });
    for (let i = 1; i <= 20; i++) hold({ senderPromise: i });
    await peer.heard();
    const outcomes = kept.map((cap) => rejection(cap.order(1)));
    await peer.heard();
    for (let i = 1; i <= 20; i++) peer.send(resolve(i, { receiverHosted: 0 }));
    await peer.settle();
    expect(peer.received.at(-1)?.abort.reason).to.match(/not lifted 10 embargoes \(maxEmbargoes\)/);
    expect(peer.received.filter((message) => message.which() === "disembargo")).to.have.lengthOf(10);
    for (const error of await Promise.all(outcomes)) expect(error.kind).to.equal("disconnected");
    await end();
  });

  it("that the peer sends Disembargoes for while they do not resolve end the connection at maxEmbargoes", async () => {
    const { peer, ends, end } = await keeper({ limits: { maxEmbargoes: 10 } });
    peer.call(1, { importedCap: 0 }, "never");
    await peer.heard();
    const disembargo = (id: number) => ({
      disembargo: { target: { promisedAnswer: answer(1, 0) }, context: { senderLoopback: id } },
    });
    for (let id = 0; id < 10; id++) peer.send(disembargo(id));
    expect(await peer.lines()).to.deep.equal([]);
    peer.send(disembargo(10));
    await peer.settle();
    expect(peer.received.at(-1)?.abort.reason).to.match(
      /10 embargoes of the peer's wait for promises \(maxEmbargoes\)/,
    );
    expect(ends).to.have.lengthOf(1);
    await end();
  });

  it("that are mentioned at ever other places of one answer are no more than maxPipelinedPromises", async () => {
    const { peer, end } = await keeper({ limits: { maxPipelinedPromises: 1000 } });
    peer.call(1, { importedCap: 0 }, "never");
    await peer.heard();
    for (let n = 0; n < 5; n++) {
      peer.call(2 + n, { importedCap: 0 }, "order", undefined, (call) => {
        call.params.capTable = Array.from({ length: 1000 }, (_, i) => ({
          receiverAnswer: answer(1, ...Array.from({ length: 64 }, (_, k) => (k === 0 ? n : k === 1 ? i : 0))),
        }));
      });
      peer.send(finish(2 + n));
    }
    await withinBudgetAsync(() => peer.heard(), { cpuMs: 2000, heapBytes: 16 * 2 ** 20, bufferBytes: 16 * 2 ** 20 });
    expect(peer.vat.closed).to.be.instanceOf(Promise);
    expect(peer.isClosed).to.equal(false);
    await end();
  });

  it("whose calls are canceled as they are made are forgotten with them", async () => {
    const { peer, end } = await keeper({ limits: { cancelBurst: Number.POSITIVE_INFINITY } });
    peer.call(1, { importedCap: 0 }, "never");
    await peer.heard();
    await withinBudgetAsync(
      async () => {
        for (let round = 0; round < 20; round++) {
          for (let id = 2; id < 502; id++) {
            peer.call(id, { promisedAnswer: answer(1, 0) }, "order").send(finish(id));
          }
          await peer.settle();
          peer.received.length = 0;
          peer.frames.length = 0;
        }
        collectGarbage();
      },
      { cpuMs: 20_000, heapBytes: 8 * 2 ** 20, bufferBytes: 4 * 2 ** 20 },
    );
    expect(peer.vat.stats()).to.include({ calls: 1, answers: 2 });
    await end();
  });

  it("is the most that one message may bring: a table of 1,024 capabilities is one too many with one more", async () => {
    for (const [count, isFine] of [
      [1024, true],
      [1025, false],
      [100_000, false],
    ] as const) {
      const { peer, end } = await keeper();
      peer.call(1, { importedCap: 0 }, "order", undefined, (call) => {
        const table = call.params.init("capTable", count);
        for (let i = 0; i < count; i++) table[i].senderHosted = i;
      });
      const heard = await peer.heard();
      if (isFine) {
        expect(heard.filter((message) => message.which() === "release")).to.have.lengthOf(1024);
        expect(peer.vat.stats().imports).to.equal(0);
      } else {
        const text = `A message has ${count} capabilities; the limit is 1024 (maxCapabilitiesPerMessage).`;
        expect(heard.at(-1).abort.reason).to.equal(text);
      }
      await end();
    }
  });
});

describe("calls that are pipelined", () => {
  it("on one answer are served once each, however many they are: nothing multiplies", async () => {
    let orders = 0;
    const {
      vats: pair,
      node,
      server,
    } = Vats.withNode({
      make: () => ({ node: server }),
      order({ n }: Loose) {
        orders++;
        return n;
      },
    });
    const made = node.make("x");
    const calls = Array.from({ length: 500 }, (_, n) => made.node.order(n));
    await pair.settle();
    await Promise.all(calls);
    expect(orders).to.equal(500);
    made[Symbol.dispose]();
    node.release();
    await pair.expectEmpty();
  });

  it("in a chain, each on the answer of the one before, are refused at maxCalls", async () => {
    const { peer, end } = await keeper({ limits: { maxCalls: 50 } });
    peer.call(1, { importedCap: 0 }, "never");
    for (let id = 2; id <= 200; id++) peer.call(id, { promisedAnswer: answer(id - 1, 0) }, "never");
    const refused = (await peer.heard()).filter((message) => message.which() === "return");
    expect(refused).to.have.lengthOf(150);
    expect(peer.vat.stats()).to.include({ calls: 50 });
    await end();
  });
});

describe("a slow callee", () => {
  it("holds nothing up by one large message, of any size: what comes behind it is sent", async () => {
    const vats = new Vats({ a: { limits: { maxOutboundBytes: 100_000 } } });
    const node = bootstrapOf(vats.a);
    const numbers = (count: number) =>
      node.list(Array.from({ length: count }, () => 0)).then(
        () => "",
        (error: Loose) => error.kind,
      );
    const large = numbers(100_000);
    const small = Array.from({ length: 50 }, () => numbers(100));
    await turn();
    expect(vats.pair.a.queued).to.be.above(400_000);
    const beyond = Array.from({ length: 50 }, () => numbers(1000));
    await vats.settle();
    expect(await large).to.equal("failed");
    expect(new Set(await Promise.all(small))).to.deep.equal(new Set(["failed"]));
    expect(await Promise.all(beyond))
      .to.include("overloaded")
      .and.to.include("failed");
    node.release();
    await vats.expectEmpty();
  });

  it("is sent no more than maxOutboundBytes: calls on top of that reject as overloaded, and go again when it reads", async () => {
    const vats = new Vats({ a: { limits: { maxOutboundBytes: 100_000 } } });
    const node = bootstrapOf(vats.a);
    const outcomes = Array.from({ length: 50 }, () =>
      node.list(Array.from({ length: 1000 }, () => 0)).then(
        () => "results",
        (error: Loose) => `${error.kind} ${error.code}`,
      ),
    );
    await turn();
    expect(vats.pair.a.queued).to.be.below(110_000);
    await vats.settle();
    const told = await Promise.all(outcomes);
    const overloaded = told.filter((one) => one === "overloaded CAPNP_LIMIT");
    expect(overloaded.length).to.be.within(20, 30);
    expect(told.filter((one) => one.startsWith("failed"))).to.have.lengthOf(50 - overloaded.length);
    expect(vats.a.stats().overloaded).to.equal(overloaded.length);
    expect(vats.a.closed).to.be.instanceOf(Promise);
    node.release();
    await vats.expectEmpty();
  });
});
