import { expect } from "chai";
import { connect } from "../../../lib/connect.ts";
import { CapnpError } from "../../../lib/errors.ts";
import { listen } from "../../../lib/listen.ts";
import { connectionLimits } from "../../../lib/rpc/limits.ts";
import type { VatOptions } from "../../../lib/two-party-vat.ts";
import { expectError } from "../../support/errors.ts";
import type { Loose } from "../../support/loose.ts";
import { deferred } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer } from "../../support/scripted-peer.ts";
import { steppedClock } from "../../support/stepped-clock.ts";
import { bootstrapOf, rejection, turn, Vats } from "../../support/vats.ts";

const finish = (questionId: number, releaseResultCaps = true) => ({
  finish: { questionId, releaseResultCaps, requireEarlyCancellationWorkaround: false },
});

const promised = (questionId: number, field = 0) => ({
  promisedAnswer: { questionId, transform: [{ getPointerField: field }] },
});

const withNode = async (methods: Loose, options: VatOptions = {}): Promise<ScriptedPeer> => {
  const peer = ScriptedPeer.ofNode(methods, options);
  await peer.bootstrap().heard();
  return peer;
};

/** What was answered to each question: `results`, or the type and text of the exception. */
const outcomes = async (peer: ScriptedPeer): Promise<Record<number, string>> => {
  const returns = (await peer.heard()).flatMap((message) => (message.which() === "return" ? [message.return] : []));
  return Object.fromEntries(
    returns.map((ret) => [
      ret.answerId,
      ret.which() === "exception" ? `${ret.exception.type}: ${ret.exception.reason}` : ret.which(),
    ]),
  );
};

/** Methods of which `never` hangs, whatever its caller does, until the test ends all of them. */
const hanging = () => {
  const ends: (() => void)[] = [];
  return {
    end: () => {
      for (const end of ends.splice(0)) end();
    },
    get started() {
      return ends.length;
    },
    methods: {
      never: () =>
        new Promise<void>((resolve) => {
          ends.push(resolve);
        }),
      add: ({ a, b }: Loose) => a + b,
    },
  };
};

describe("the limits of a connection", () => {
  it("are refused by name where they are wrong, before anything is sent", async () => {
    for (const name of Object.keys(connectionLimits)) {
      for (const value of [-1, Number.NaN]) {
        expectError("CAPNP_RANGE", () => ScriptedPeer.ofNode({}, { limits: { [name]: value } }), name);
      }
      const text = { [name]: "many" } as unknown as object;
      expectError("CAPNP_TYPE", () => ScriptedPeer.ofNode({}, { limits: text }), name);
    }
    for (const refused of [
      listen("127.0.0.1:0", { limits: { maxCalls: 0 } }),
      // Nobody listens there: the limit is what is found wrong first.
      connect("127.0.0.1:1", { limits: { maxCalls: 0 } }),
    ]) {
      expect((await rejection(refused)).message).to.include("maxCalls");
    }
    expectError(
      "CAPNP_TYPE",
      () => ScriptedPeer.ofNode({}, { limits: { maxCall: 5 } as object }),
      "maxCall is no limit",
    );
  });
});

describe("maxCalls", () => {
  it("refuses the call above it as overloaded, does not start it, and lets one in for each that ends", async () => {
    const { methods, end, ...calls } = hanging();
    const peer = await withNode(methods, { limits: { maxCalls: 3 } });
    for (let id = 1; id <= 5; id++) peer.call(id, { importedCap: 0 }, "never");
    const refused = await outcomes(peer);
    expect(Object.keys(refused)).to.deep.equal(["4", "5"]);
    expect(refused[4]).to.equal("overloaded: 3 calls of this connection are at work (maxCalls). Try again later.");
    expect(peer.vat.stats()).to.include({ calls: 3, overloaded: 2 });
    expect(calls.started).to.equal(0);
    end();
    expect(await outcomes(peer)).to.deep.equal({ 1: "results", 2: "results", 3: "results" });
    peer.call(6, { importedCap: 0 }, "add");
    expect(await outcomes(peer)).to.deep.equal({ 6: "results" });
    expect(peer.vat.stats()).to.include({ calls: 0, paramBytes: 0 });
    for (const id of [0, 1, 2, 3, 4, 5, 6]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("keeps hearing Return, Finish, Release and Resolve while calls are refused, so that nothing waits for ever", async () => {
    const held: { cap?: Loose } = {};
    const { promise, resolve } = deferred();
    const peer = await withNode(
      {
        // Its answer depends on a Return of the peer's.
        echo: async () => {
          await held.cap.order(1);
          return { cap: null };
        },
        never: () => promise,
      },
      { limits: { maxCalls: 2 } },
    );
    const hold = peer.vat.bootstrap(testSchema.Node as never) as Loose;
    held.cap = hold;
    peer.call(2, { importedCap: 0 }, "echo").call(3, { importedCap: 0 }, "never").call(4, { importedCap: 0 }, "void");
    const heard = await peer.heard();
    const asked = heard.filter((message) => message.which() === "call" || message.which() === "bootstrap");
    expect(asked.map((message) => message.which())).to.deep.equal(["bootstrap", "call"]);
    expect(heard.some((message) => message.which() === "return" && message.return.answerId === 4)).to.equal(true);
    peer.return(asked[1].call.questionId, "order", (results) => {
      results.n = 1;
    });
    expect((await outcomes(peer))[2]).to.equal("results");
    peer.call(5, { importedCap: 0 }, "void");
    expect((await outcomes(peer))[5]).to.match(/unimplemented/);
    peer.send({ return: { answerId: asked[0].bootstrap.questionId, exception: { reason: "none", type: "failed" } } });
    resolve({ cap: null });
    await peer.heard();
    hold.release();
    for (const id of [0, 2, 3, 4, 5]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("counts a canceled call until its method is done, and one that never started no longer", async () => {
    const { methods, end } = hanging();
    const peer = await withNode(methods, { limits: { maxCalls: 2 } });
    peer.call(1, { importedCap: 0 }, "never").call(2, promised(1), "add");
    await peer.heard();
    expect(peer.vat.stats().calls).to.equal(2);
    peer.send(finish(2));
    await peer.heard();
    expect(peer.vat.stats().calls).to.equal(1);
    peer.send(finish(1));
    await peer.heard();
    expect(peer.vat.stats()).to.include({ calls: 1, answers: 1 });
    peer.call(3, { importedCap: 0 }, "never").call(4, { importedCap: 0 }, "add");
    expect((await outcomes(peer))[4]).to.match(/^overloaded/);
    end();
    await peer.heard();
    expect(peer.vat.stats()).to.include({ calls: 0, paramBytes: 0, canceled: 2 });
    for (const id of [0, 3, 4]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("counts a call that the vat passed on to somebody else until that has returned", async () => {
    const { methods, end } = hanging();
    const peer = await withNode(
      { never: (_: Loose, context: Loose) => context.tailCall(far.neverRequest()) },
      { limits: { maxCalls: 2 } },
    );
    const vats = new Vats({ b: { bootstrap: peer.servers.make(methods) } });
    const far = bootstrapOf(vats.a);
    for (const id of [1, 2, 3]) peer.call(id, { importedCap: 0 }, "never");
    expect(Object.keys(await outcomes(peer))).to.deep.equal(["3"]);
    await vats.settle();
    expect(peer.vat.stats().calls).to.equal(2);
    end();
    await vats.settle();
    await peer.heard();
    expect(peer.vat.stats().calls).to.equal(0);
    far.release();
    await vats.expectEmpty();
    for (const id of [0, 1, 2, 3]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("is 1,024", async () => {
    const { methods, end } = hanging();
    const peer = await withNode(methods);
    for (let id = 1; id <= 1025; id++) peer.call(id, { importedCap: 0 }, "never");
    expect(Object.keys(await outcomes(peer))).to.deep.equal(["1025"]);
    end();
    await peer.expectEmptyAfterClose();
  });
});

describe("maxParamBytes", () => {
  it("refuses the call that would exceed it as overloaded, and takes one of any size where no other is at work", async () => {
    const { methods, end } = hanging();
    const peer = await withNode(methods, { limits: { maxParamBytes: 1000 } });
    peer.call(1, { importedCap: 0 }, "never").call(2, { importedCap: 0 }, "list", (params) => {
      params.init("numbers", 300);
    });
    const refused = await outcomes(peer);
    expect(refused[2]).to.match(
      /^overloaded: Calls with \d+ bytes of params are at work, this one has \d+; the limit is 1000/,
    );
    end();
    await peer.heard();
    expect(peer.vat.stats().paramBytes).to.equal(0);
    peer.call(3, { importedCap: 0 }, "list", (params) => {
      params.init("numbers", 300);
    });
    expect((await outcomes(peer))[3]).to.match(/^unimplemented/);
    for (const id of [0, 1, 2, 3]) peer.send(finish(id));
    await peer.expectEmpty();
  });
});

describe("maxPipelinedCalls", () => {
  it("refuses calls on a promise on which too many wait, and not on another", async () => {
    const { methods, end } = hanging();
    const peer = await withNode(methods, { limits: { maxPipelinedCalls: 70 } });
    peer.call(1, { importedCap: 0 }, "never").call(2, { importedCap: 0 }, "never");
    for (let id = 10; id < 81; id++) peer.call(id, promised(1), "order");
    peer.call(100, promised(2), "order").call(101, promised(1, 1), "order");
    const refused = await outcomes(peer);
    expect(Object.keys(refused)).to.deep.equal(["80"]);
    expect(refused[80]).to.match(/^overloaded: 70 calls wait for this promise/);
    // One that is canceled makes room.
    peer.send(finish(10)).call(81, promised(1), "order");
    expect((await outcomes(peer))[81]).to.equal(undefined);
    end();
    await peer.expectEmptyAfterClose();
  });
});

describe("maxPipelinedPromises", () => {
  it("breaks what is asked for beyond it, at whatever place, and has room again when the results are there", async () => {
    const { methods, end } = hanging();
    const peer = await withNode(methods, { limits: { maxPipelinedPromises: 3 } });
    peer.call(1, { importedCap: 0 }, "never").call(2, { importedCap: 0 }, "never");
    for (const [i, id] of [10, 11, 12].entries()) peer.call(id, promised(1, i), "order");
    peer.call(13, promised(2), "order").call(14, promised(1, 2), "order");
    const refused = await outcomes(peer);
    expect(Object.keys(refused)).to.deep.equal(["13"]);
    expect(refused[13]).to.match(/^overloaded.*maxPipelinedPromises/);
    end();
    await peer.heard();
    for (const id of [0, 1, 2, 10, 11, 12, 13, 14]) peer.send(finish(id));
    await peer.expectEmpty();
  });
});

describe("maxResultBytes", () => {
  it("ends the connection where the peer leaves more results unfinished, and not where it finishes them", async () => {
    const peer = await withNode({ make: () => peer.servers.make() }, { limits: { maxResultBytes: 1000 } });
    const { resultBytes } = peer.vat.stats();
    for (let id = 1; id <= 100; id++) {
      peer.call(id, { importedCap: 0 }, "make");
      await peer.settle();
      peer.send(finish(id));
    }
    await peer.heard();
    expect(peer.vat.stats()).to.include({ resultBytes, answers: 1 });
    for (let id = 1; id <= 100; id++) peer.call(id, { importedCap: 0 }, "make");
    await peer.expectAbort("bytes of results unfinished; the limit is 1000");
  });
});

describe("maxExports", () => {
  it("fails what would send one capability more, as overloaded, until the peer releases one", async () => {
    const peer = await withNode({ make: () => peer.servers.make() }, { limits: { maxExports: 3 } });
    for (const id of [1, 2, 3]) peer.call(id, { importedCap: 0 }, "make");
    const refused = await outcomes(peer);
    expect(refused).to.include({ 1: "results", 2: "results" });
    expect(refused[3]).to.match(/^overloaded: The peer holds 3 capabilities \(maxExports\)/);
    peer.send(finish(1)).call(4, { importedCap: 0 }, "make");
    expect((await outcomes(peer))[4]).to.equal("results");
    for (const id of [0, 2, 3, 4]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("breaks a promise at the peer whose resolution it has no room for", async () => {
    const { promise, resolve } = deferred();
    const peer = await withNode({ make: () => ({ node: promise }) }, { limits: { maxExports: 2 } });
    peer.call(1, { importedCap: 0 }, "make");
    const [ret] = await peer.heard();
    const id: number = ret.return.results.capTable[0].senderPromise;
    resolve(peer.servers.make());
    const [resolved] = await peer.heard();
    expect(resolved.resolve.exception).to.include({ type: "overloaded" });
    peer
      .send(finish(1, false))
      .send({ release: { id, referenceCount: 1 } })
      .send(finish(0));
    await peer.expectEmpty();
  });

  it("holds for our own calls, which leave nothing behind when they fail", async () => {
    const vats = new Vats({ a: { limits: { maxExports: 2 } } });
    const node = bootstrapOf(vats.a);
    const caps = [1, 2, 3].map(() => vats.server());
    const error = await rejection(node.packed({ caps }));
    expect(error).to.include({ kind: "overloaded", code: "CAPNP_LIMIT" });
    expect(vats.a.stats().exports).to.equal(0);
    node.release();
    await vats.expectEmpty();
  });
});

describe("cancelBurst and cancelsPerSecond", () => {
  const limits = { cancelBurst: 5, cancelsPerSecond: 2 };

  it("end the connection of a peer that cancels more calls than they allow", async () => {
    const clock = steppedClock();
    const { methods, end } = hanging();
    const peer = await withNode(methods, { limits, clock });
    for (let id = 1; id <= 5; id++) peer.call(id, { importedCap: 0 }, "never").send(finish(id));
    await peer.heard();
    clock.pass(500);
    peer.call(1, { importedCap: 0 }, "never").send(finish(1));
    await peer.heard();
    expect(peer.vat.stats()).to.include({ canceled: 6 });
    peer.call(1, { importedCap: 0 }, "never").send(finish(1));
    await peer.settle();
    end();
    await peer.expectAbort("cancels too many calls: more than 5 at once");
  });

  it("do not count calls that the peer has waited for: who gives up a server that hangs loses no connection", async () => {
    const clock = steppedClock();
    const { methods, end } = hanging();
    const peer = await withNode(methods, { limits: { cancelBurst: 1, cancelsPerSecond: 0 }, clock });
    for (let id = 1; id <= 100; id++) peer.call(id, { importedCap: 0 }, "never");
    await peer.heard();
    clock.pass(1000);
    for (let id = 1; id <= 100; id++) peer.send(finish(id));
    await peer.heard();
    expect(peer.vat.stats()).to.include({ canceled: 100 });
    end();
    peer.send(finish(0));
    await peer.expectEmpty();
  });

  it("do not count the Finish of a call that has returned, of a Bootstrap, or of one that goes on for its pipeline", async () => {
    const { methods, end } = hanging();
    const peer = await withNode(methods, { limits: { cancelBurst: 1, cancelsPerSecond: 0 }, clock: steppedClock() });
    for (let id = 1; id <= 20; id++) {
      peer.call(id, { importedCap: 0 }, "add").bootstrap(id + 100);
      await peer.heard();
      peer.send(finish(id)).send(finish(id + 100));
      peer
        .call(id, { importedCap: 0 }, "never")
        .call(id + 200, promised(id), "order")
        .send(finish(id));
      await peer.heard();
      end();
      await peer.heard();
      peer.send(finish(id + 200));
    }
    await peer.heard();
    expect(peer.vat.stats().canceled).to.equal(0);
    peer.send(finish(0));
    await peer.expectEmpty();
  });
});

describe("callTimeout", () => {
  it("fails a call that takes longer, tells its method, and starts no timer where it is off", async () => {
    const clock = steppedClock();
    const reasons: string[] = [];
    const { promise, resolve } = deferred();
    const peer = await withNode(
      {
        never(_: Loose, { signal }: Loose) {
          signal.addEventListener("abort", () => reasons.push("aborted"));
          return promise;
        },
        add: ({ a, b }: Loose) => a + b,
      },
      { limits: { callTimeout: 500 }, clock },
    );
    peer.call(1, { importedCap: 0 }, "never").call(2, { importedCap: 0 }, "add");
    expect(await outcomes(peer)).to.deep.equal({ 2: "results" });
    expect(clock.timers).to.equal(1);
    clock.pass(499);
    expect(await outcomes(peer)).to.deep.equal({});
    clock.pass(1);
    expect(await outcomes(peer)).to.deep.equal({ 1: "failed: The call took more than 500 ms (callTimeout)." });
    expect(reasons).to.deep.equal(["aborted"]);
    expect(peer.vat.stats()).to.include({ calls: 0, paramBytes: 0 });
    resolve({ cap: null });
    expect(await outcomes(peer)).to.deep.equal({});
    for (const id of [0, 1, 2]) peer.send(finish(id));
    await peer.expectEmpty();

    const idle = steppedClock();
    const off = await withNode({ never: () => promise }, { clock: idle });
    off.call(1, { importedCap: 0 }, "never");
    await off.settle();
    expect(idle.timers).to.equal(0);
    await off.expectEmptyAfterClose();
  });

  it("gives up what the call was passed on to", async () => {
    const clock = steppedClock();
    let aborted = 0;
    const { vats: far, node } = Vats.withNode({
      never(_: Loose, { signal }: Loose) {
        return new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => {
            aborted++;
            resolve();
          });
        });
      },
    });
    const peer = await withNode(
      { never: (_: Loose, context: Loose) => context.tailCall(node.neverRequest()) },
      { limits: { callTimeout: 500 }, clock },
    );
    peer.call(1, { importedCap: 0 }, "never");
    await peer.heard();
    await far.settle();
    clock.pass(500);
    expect((await outcomes(peer))[1]).to.match(/^failed: .*callTimeout/);
    await far.settle();
    expect(aborted).to.equal(1);
    node.release();
    await far.expectEmpty();
    for (const id of [0, 1]) peer.send(finish(id));
    await peer.expectEmpty();
  });
});

describe("the text of errors", () => {
  const throwing = (error: unknown) => ({
    fail() {
      throw error;
    },
  });

  it("is cut off at maxErrorText, on its way out and on its way in", async () => {
    const long = "x".repeat(1_000_000);
    const peer = await withNode(throwing(new Error(long)), { limits: { maxErrorText: 100 } });
    peer.call(1, { importedCap: 0 }, "fail");
    expect((await outcomes(peer))[1]).to.equal(`failed: ${"x".repeat(100)}... (999900 characters more)`);
    const client = bootstrapOf(peer.vat);
    const call = rejection(client.add(1, 2));
    const asked = await peer.heard();
    peer.send({ return: { answerId: asked[1].call.questionId, exception: { reason: `a${"é".repeat(600_000)}` } } });
    await peer.heard();
    const { message } = await call;
    expect(message.length).to.be.below(200);
    expect(message).to.match(/^remote exception: aé{49}\.\.\. \(1199902 bytes more\)$/);
    client.release();
    await peer.expectEmptyAfterClose();
  });

  it("travels where it is meant to, and is an id in the log otherwise, where exposeErrors is false", async () => {
    const logged: Loose[] = [];
    const logger: Loose = new Proxy({}, { get: () => () => undefined });
    const recording = new Proxy(logger, {
      get: (_, level) => (level === "error" ? (details: Loose) => logged.push(details) : () => undefined),
    });
    const secret = new Error("password is 1234");
    const told = async (error: unknown): Promise<string | undefined> => {
      const peer = await withNode(throwing(error), { exposeErrors: false, logger: recording });
      peer.call(1, { importedCap: 0 }, "fail");
      const text = (await outcomes(peer))[1];
      for (const id of [0, 1]) peer.send(finish(id));
      await peer.expectEmpty();
      return text;
    };
    const hidden = await told(secret);
    expect(hidden).to.match(/^failed: internal error [0-9a-f-]{36}$/);
    expect(logged).to.have.lengthOf(1);
    expect(logged[0].err).to.equal(secret);
    expect(hidden).to.include(logged[0].id);
    expect(await told("a string")).to.match(/internal error/);
    expect(await told(new CapnpError("CAPNP_RANGE", "7 is too much"))).to.equal("failed: 7 is too much");
    expect(await told(Object.assign(new Error("say so"), { expose: true }))).to.equal("failed: say so");
    expect(await told(Object.assign(new Error("do not"), { expose: "yes" }))).to.match(/internal error/);
    expect(logged).to.have.lengthOf(3);
  });

  it("of a promise that breaks and of a failed Bootstrap is kept back, too", async () => {
    const peer = ScriptedPeer.ofNode({ make: () => Promise.reject(new Error("secret")) }, { exposeErrors: false });
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, "echo");
    const bare = new ScriptedPeer({
      exposeErrors: false,
      bootstrap: () => {
        throw new Error("secret");
      },
    });
    bare.bootstrap();
    expect((await outcomes(bare))[0]).to.match(/internal error/);
    bare.send(finish(0));
    await bare.expectEmpty();
    const { promise, reject } = deferred();
    const other = await withNode({ make: () => ({ node: promise }) }, { exposeErrors: false });
    other.call(1, { importedCap: 0 }, "make");
    await other.heard();
    reject(new Error("secret"));
    await turn();
    const [{ resolve }] = await other.heard();
    expect(resolve.exception.reason).to.match(/internal error/);
    await other.expectEmptyAfterClose();
    await peer.expectEmptyAfterClose();
  });
});
