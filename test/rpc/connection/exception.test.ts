import { Duplex } from "node:stream";
import { expect } from "chai";
import { CapnpError } from "../../../lib/errors.ts";
import { TwoPartyClient } from "../../../lib/two-party-vat.ts";
import type { Loose } from "../../support/loose.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, emptyTables, rejection, Servers, tablesOf, Vats } from "../../support/vats.ts";

/** Vats of which b fails every call with what the test throws. */
const failing = (thrown: () => unknown, b: object = {}, a: object = {}) => {
  const servers = new Servers();
  const bootstrap = servers.make({
    fail() {
      throw thrown();
    },
  });
  const vats = new Vats({ servers, a, b: { bootstrap, ...b } });
  return { vats, node: bootstrapOf(vats.a) };
};

const failureOf = async (vats: Vats, node: Loose): Promise<Loose> => {
  const failed = rejection(node.fail("x"));
  await vats.settle();
  return failed;
};

describe("the exception of a method", () => {
  it("arrives with its text and kind, and without a trace", async () => {
    const { vats, node } = failing(() => new Error("test exception"));
    const error = await failureOf(vats, node);
    expect(error.message).to.equal("remote exception: test exception");
    expect(error.kind).to.equal("failed");
    expect(error.code).to.equal("CAPNP_REMOTE");
    expect(error).to.not.have.property("remoteTrace");
    node.release();
    await vats.expectEmpty();
  });

  it("says once that it is remote, however many vats it has passed", async () => {
    const { vats, node } = failing(() => new Error("remote exception: test exception"));
    expect((await failureOf(vats, node)).message).to.equal("remote exception: test exception");
    node.release();
    await vats.expectEmpty();
  });

  it("brings the trace that the callee's encodeTrace makes of it", async () => {
    const traced: unknown[] = [];
    const cause = new Error("test exception");
    const { vats, node } = failing(() => cause, {
      encodeTrace(error: unknown) {
        traced.push(error);
        return "a trace for you";
      },
    });
    const error = await failureOf(vats, node);
    expect(error.remoteTrace).to.equal("a trace for you");
    expect(traced).to.deep.equal([cause]);
    node.release();
    await vats.expectEmpty();
  });

  it("arrives whatever encodeTrace does", async () => {
    const { vats, node } = failing(() => new Error("test exception"), {
      encodeTrace() {
        throw new Error("no stack");
      },
    });
    const error = await failureOf(vats, node);
    expect(error.message).to.equal("remote exception: test exception");
    expect(error.remoteTrace).to.equal("no trace: no stack");
    node.release();
    await vats.expectEmpty();
  });

  it("has no trace where its text is withheld from peers", async () => {
    const { vats, node } = failing(() => new Error("secret"), {
      exposeErrors: false,
      encodeTrace: () => "at secret.ts:1",
    });
    const error = await failureOf(vats, node);
    expect(error.message).to.match(/^remote exception: internal error /);
    expect(error.remoteTrace).to.equal(undefined);
    node.release();
    await vats.expectEmpty();
  });

  const details = new Map([
    [0x123456789abcdef0n, Uint8Array.of(1, 2, 3)],
    [2n ** 64n - 1n, new Uint8Array(0)],
  ]);

  it("brings its details, also through a vat between", async () => {
    const { vats: far, node: behind } = failing(() => new CapnpError("CAPNP_CALL", "far away", { details }));
    const { vats, node } = Vats.withNode({ fail: () => behind.fail("y") });
    const failed = rejection(node.fail("x"));
    for (let i = 0; i < 3; i++) {
      await vats.settle();
      await far.settle();
    }
    expect((await failed).details).to.deep.equal(details);
    const [first] = vats.messages("return", "b").filter((ret) => ret.which() === "exception");
    expect(first.exception.details.toArray().map((one: Loose) => [one.detailId, one.data])).to.deep.equal([...details]);
    for (const client of [behind, node]) client.release();
    await vats.expectEmpty();
    await far.expectEmpty();
  });

  it("has details of at most maxErrorText bytes, of which none is cut, and no more than make sense", async () => {
    const many = new Map<unknown, unknown>([
      [1n, new Uint8Array(600)],
      ["two", new Uint8Array(1)],
      [3n, "three"],
      [4n, new Uint8Array(500)],
      [5n, new Uint8Array(1)],
    ]);
    const thrown = new CapnpError("CAPNP_CALL", "much to say", { details: many as never });
    const { vats, node } = failing(() => thrown, { limits: { maxErrorText: 1000 } });
    expect((await failureOf(vats, node)).details).to.deep.equal(new Map([[1n, new Uint8Array(600)]]));
    node.release();
    await vats.expectEmpty();
  });

  it("has no details where its text is withheld from peers, nor where it has none", async () => {
    const hidden = Object.assign(new Error("secret"), { details });
    for (const options of [{ exposeErrors: false }, {}]) {
      const { vats, node } = failing(() => hidden, options);
      expect(await failureOf(vats, node)).to.not.have.property("details");
      node.release();
      await vats.expectEmpty();
    }
  });

  it("is read with the details that are there: as many as maxErrorText has room for, and those with data", async () => {
    const peer = new ScriptedPeer({ limits: { maxErrorText: 64 * 10 } });
    const node = bootstrapOf(peer.vat);
    const failed = rejection(node.fail("x"));
    await peer.heard();
    const list = Array.from({ length: 1000 }, (_, i) => ({ detailId: BigInt(i) }));
    peer.send((message) => {
      const ret = message.init("return");
      ret.answerId = 1;
      const exception = ret.init("exception");
      exception.reason = "no bootstrap";
      exception.details = list;
      for (let i = 1; i < 1000; i++) exception.details[i].data = Uint8Array.of(i & 0xff);
    });
    await peer.settle();
    const error = await failed;
    expect([...error.details.keys()]).to.deep.equal([1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n]);
    node.release();
    await peer.expectEmptyAfterClose();
  });

  it("is passed on with its kind and its text by a vat between", async () => {
    for (const kind of ["failed", "overloaded", "disconnected", "unimplemented"] as const) {
      const { vats: far, node: behind } = failing(() => new CapnpError("CAPNP_CALL", "far away", { kind }));
      const { vats, node } = Vats.withNode({ fail: () => behind.fail("y") });
      const failed = rejection(node.fail("x"));
      for (let i = 0; i < 3; i++) {
        await vats.settle();
        await far.settle();
      }
      const error = await failed;
      expect([error.kind, error.message]).to.deep.equal([kind, "remote exception: far away"]);
      for (const client of [behind, node]) client.release();
      await vats.expectEmpty();
      await far.expectEmpty();
    }
  });

  it("breaks a promise of the peer's with the trace that the peer gave", async () => {
    const held: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      hold({ cap }: Loose) {
        held.push(cap);
      },
    });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "hold",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 3 }];
      },
    );
    peer.send({ resolve: { promiseId: 3, exception: { reason: "broken", trace: "at peer.ts:9" } } });
    await peer.settle();
    const error = await rejection(held[0].order(1));
    expect([error.message, error.remoteTrace]).to.deep.equal(["remote exception: broken", "at peer.ts:9"]);
    held[0].release();
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    await peer.expectEmpty();
  });
});

describe("the exception that ends a connection", () => {
  it("is known to every call that fails for it, with the trace and the details that the peer gave", async () => {
    const peer = new ScriptedPeer();
    const node = bootstrapOf(peer.vat);
    const failed = rejection(node.fail("x"));
    await peer.settle();
    const details = [{ detailId: 9n, data: Uint8Array.of(4, 5) }];
    peer.send({ abort: { reason: "I had enough", type: "overloaded", trace: "at peer.ts:7", details } });
    await peer.settle();
    for (const error of [await failed, await rejection(node.fail("y"))]) {
      expect(error.kind).to.equal("disconnected");
      expect(error.message).to.include("I had enough");
      expect(error.cause.code).to.equal("CAPNP_ABORTED");
      expect(error.cause.kind).to.equal("overloaded");
      expect(error.cause.remoteTrace).to.equal("at peer.ts:7");
      expect(error.details).to.deep.equal(new Map([[9n, Uint8Array.of(4, 5)]]));
    }
    node.release();
    await peer.expectEmptyAfterClose();
  });

  it("that a write fails with is the reason of every call that fails, though nothing is wrong with what is read", async () => {
    const stream = new Duplex({
      read: () => undefined,
      write: (_chunk, _encoding, done) => done(new Error("the other end reads no more")),
    });
    const vat = new TwoPartyClient(stream);
    const node = bootstrapOf(vat);
    const failed = await rejection(node.fail("x"));
    for (const error of [failed, await rejection(node.fail("y")), await vat.closed]) {
      expect(error.kind).to.equal("disconnected");
      expect(error.message).to.include("the other end reads no more");
    }
    node.release();
    expect(tablesOf(vat.stats())).to.deep.equal(emptyTables);
  });

  it("that the transport reports is the reason of every call that fails", async () => {
    const { vats, node } = failing(() => new Error("x"));
    const failed = rejection(node.fail("x"));
    vats.pair.a.destroy(new CapnpError("CAPNP_DISCONNECTED", "the cable was cut"));
    await vats.settle();
    expect((await failed).message).to.equal("the cable was cut");
    expect((await rejection(node.fail("y"))).message).to.equal("the cable was cut");
    node.release();
    await vats.expectEmptyAfterClose();
  });
});
