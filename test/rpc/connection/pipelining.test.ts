import { expect } from "chai";
import { release } from "../../../lib/release.ts";
import { expectError } from "../../support/errors.ts";
import { type Loose, loadLoosely } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, Vats } from "../../support/vats.ts";

const { Node, Other } = testSchema;

/** Records the order in which calls arrive. */
const recorder = (calls: number[]) => ({
  order({ n }: Loose) {
    calls.push(n);
    return n;
  },
});

describe("promise pipelining", () => {
  it("sends the whole of a chain of calls before anything has come back", async () => {
    const { Calculator } = loadLoosely("servers/calculator/calculator.capnp");
    const servers = new Servers();
    const value = servers.make({ read: () => 123 }, Calculator.Value);
    const calculator = servers.make({ evaluate: () => value }, Calculator);
    const vats = new Vats({ servers, b: { bootstrap: calculator } });
    const client = bootstrapOf(vats.a, Calculator);
    const evaluate = client.evaluate({ expression: { literal: 123 } });
    const read = evaluate.value.read();
    expect(vats.sent("a")).to.deep.equal(["bootstrap 0", "call 1 to answer 0[]", "call 2 to answer 1[0]"]);
    expect(vats.sent("b")).to.deep.equal([]);
    await vats.settle();
    expect((await read).value).to.equal(123);
    expect(vats.a.stats().roundTrips).to.equal(1);
    evaluate[Symbol.dispose]();
    client.release();
    await vats.expectEmpty();
  });

  it("delivers calls in the order in which they were made, whether before or after the results came", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ make: () => inner });
    const inner = vats.server(recorder(calls));
    const made = node.make("x");
    const order = [made.node.order(0), made.node.order(1)];
    await vats.settle();
    order.push(made.node.order(2));
    const results = (await made).node;
    order.push(results.order(3), made.node.order(4));
    await vats.settle();
    await Promise.all(order);
    results.release();
    expect(calls).to.deep.equal([0, 1, 2, 3, 4]);
    made[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("queues calls made before the bootstrap capability is there, in their order", async () => {
    const calls: number[] = [];
    const servers = new Servers();
    const server = servers.make(recorder(calls));
    let bootstrap: (server: Loose) => void = () => undefined;
    const promise = new Promise<Loose>((resolve) => {
      bootstrap = resolve;
    });
    const vats = new Vats({ servers, b: { bootstrap: () => promise } });
    const node = bootstrapOf(vats.a);
    const order = [node.order(0), node.order(1)];
    await vats.settle();
    order.push(node.order(2));
    await vats.settle();
    expect(calls).to.deep.equal([]);
    bootstrap(server);
    await vats.settle();
    order.push(node.order(3));
    await vats.settle();
    await Promise.all(order);
    expect(calls).to.deep.equal([0, 1, 2, 3]);
    node.release();
    await vats.expectEmpty();
  });

  it("reaches capabilities in groups, in nested structs and behind AnyPointers", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({
      packed_context(context: Loose) {
        const results = context.results;
        results.group.cap = inner;
        results.nested = { nested: { cap: inner } };
        results.any.set(inner);
        results.chosen = inner;
      },
    });
    const inner = vats.server(recorder(calls));
    const packed = node.packed();
    const order = [
      packed.group.cap.order(0),
      packed.nested.nested.cap.order(1),
      packed.any.as(Node).order(2),
      packed.chosen.order(3),
    ];
    expect(vats.sent("a").slice(2)).to.deep.equal([
      "call 2 to answer 1[3]",
      "call 3 to answer 1[5,5,0]",
      "call 4 to answer 1[2]",
      "call 5 to answer 1[6]",
    ]);
    await vats.settle();
    await Promise.all(order);
    expect([...calls].sort()).to.deep.equal([0, 1, 2, 3]);
    packed[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("gives one path one capability, as the interface that is asked for", async () => {
    const { vats, node } = Vats.withNode({
      any_context(context: Loose) {
        context.results.any.set(inner);
      },
    });
    const inner = vats.server({ other: () => "other", order: () => 5 });
    const call = node.any();
    expect(call.any.as(Node)).to.equal(call.any.as(Node));
    expect(call.any.as(Node)).to.be.instanceOf(Node.Client);
    expect(call.any.as(Other)).to.be.instanceOf(Other.Client);
    const order = call.any.as(Node).order(1);
    await vats.settle();
    expect((await order).n).to.equal(5);
    call[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("on a call that failed fails with the same error, before and after the failure is known", async () => {
    const { vats, node } = Vats.withNode({
      fail() {
        throw new Error("no luck");
      },
    });
    const failing = node.fail("x");
    const before = failing.cap.order(1);
    await vats.settle();
    const after = failing.cap.order(2);
    for (const call of [failing, before, after]) {
      expect((await rejection(call)).message).to.equal("remote exception: no luck");
    }
    failing[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("on results without the capability is a call on null", async () => {
    const { vats, node } = Vats.withNode({ make: () => undefined, deep: () => ({ level: { number: 1 } }) });
    const made = node.make("x");
    const deep = node.deep();
    const calls = [made.node.order(1), deep.level.next.next.cap.order(2), deep.level.cap.order(3)];
    const waiting = calls.map((call) => rejection(call));
    await vats.settle();
    for (const error of await Promise.all(waiting)) {
      expect(error.message).to.equal("remote exception: Called null capability.");
    }
    expect((await rejection(made.node.order(4))).code).to.equal("CAPNP_NULL_CAPABILITY");
    for (const call of [made, deep]) call[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("works although the results were dropped", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ make: () => inner });
    const inner = vats.server(recorder(calls));
    const made = node.make("x");
    const client = made.node;
    await vats.settle();
    release(await made);
    const order = client.order(1);
    await vats.settle();
    await order;
    expect(calls).to.deep.equal([1]);
    client.release();
    node.release();
    await vats.expectEmpty();
  });

  it("goes through a call that is passed on to another vat", async () => {
    const calls: number[] = [];
    const far = Vats.withNode({ make: () => inner });
    const inner = far.vats.server(recorder(calls));
    const near = Vats.withNode({
      make_context(context: Loose) {
        context.tailCall(far.node.makeRequest());
      },
    });
    const made = near.node.make("x");
    const first = made.node.order(0);
    await near.vats.settle();
    const second = made.node.order(1);
    await near.vats.settle();
    await far.vats.settle();
    await near.vats.settle();
    const third = made.node.order(2);
    await near.vats.settle();
    await far.vats.settle();
    await near.vats.settle();
    await Promise.all([first, second, third]);
    expect(calls).to.deep.equal([0, 1, 2]);
    made[Symbol.dispose]();
    near.node.release();
    await near.vats.settle();
    far.node.release();
    await far.vats.settle();
    await near.vats.expectEmpty();
    await far.vats.expectEmpty();
  });
});

describe("a transform", () => {
  const deepNode = (inner: Loose) => ({
    deep_context(context: Loose) {
      context.results.level = { number: 7, next: { next: { cap: inner } } };
    },
  });

  /** A peer that calls `deep` and then, at the place that the transform names, `order`. */
  const at = async (transform: object[], when: "before" | "after" | "failed"): Promise<Loose> => {
    const servers = new Servers();
    const inner = servers.make({ order: ({ n }: Loose) => n });
    const bootstrap = servers.make({
      ...deepNode(inner),
      fail() {
        throw new Error("failed");
      },
    });
    const peer = new ScriptedPeer({ bootstrap }, servers);
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, when === "failed" ? "fail" : "deep");
    if (when !== "before") await peer.heard();
    peer.call(2, { promisedAnswer: { questionId: 1, transform } }, "order", (params) => {
      params.n = 5;
    });
    const heard = await peer.heard();
    const answer = heard.findLast((message) => message.which() === "return" && message.return.answerId === 2);
    for (const questionId of [0, 1, 2]) peer.send({ finish: { questionId, releaseResultCaps: true } });
    if (servers.isDisposed(inner) === false && when === "failed") new Node.Client(inner).release();
    await peer.expectEmpty();
    return answer.return;
  };

  const field = (getPointerField: number) => ({ getPointerField });
  const noop = { noop: null };
  // results.level, .next, .next, .cap
  const path = [field(0), field(0), field(0), field(1)];

  for (const when of ["before", "after"] as const) {
    describe(`of a call that arrives ${when} the results are sent`, () => {
      it("follows pointers, and steps over noops, up to 64 of both", async () => {
        for (const transform of [path, [noop, ...path, noop], [...new Array(60).fill(noop), ...path]]) {
          const ret = await at(transform, when);
          expect(ret.which(), JSON.stringify(transform)).to.equal("results");
          expect(ret.results.content.as(Node.schema.allMethods.get("order").results.structClass).n).to.equal(5);
        }
      });

      it("that ends at null, or at a pointer that the struct does not have, ends at the null capability", async () => {
        for (const transform of [[field(0), field(1)], [...path.slice(0, 2), field(0), field(77)], [field(9)]]) {
          const ret = await at(transform, when);
          expect(ret.exception.reason, JSON.stringify(transform)).to.include("null capability");
        }
      });

      it("that ends at what is no capability, or leads through one, gets an exception", async () => {
        for (const transform of [[], [field(0)], [...path, field(0)]]) {
          const ret = await at(transform, when);
          expect(ret.exception.reason, JSON.stringify(transform)).to.include("was expected");
        }
      });
    });
  }

  it("on an answer that failed gets its error, whatever it is", async () => {
    for (const transform of [[], path, [field(9)]]) {
      expect((await at(transform, "failed")).exception.reason).to.equal("failed");
    }
  });

  it("of more than 64 operations ends the connection", async () => {
    const peer = ScriptedPeer.ofNode();
    const transform = new Array(65).fill(noop);
    await peer.bootstrap().heard();
    peer.call(1, { promisedAnswer: { questionId: 0, transform } }, "order");
    await peer.expectAbort("65 operations in a transform; the limit is 64 .maxTransformOps");
  });

  it("with an operation that nobody knows ends the connection", async () => {
    const peer = ScriptedPeer.ofNode();
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, "order", undefined, (call) => {
      const op = call.target.init("promisedAnswer").init("transform", 1).at(0);
      op.$segment.view.setUint16(op.$data, 2, true);
    });
    await peer.expectAbort("unknown PromisedAnswer.Op 2");
  });

  it("that is a cycle of pointers ends, at the depth that messages may have", async () => {
    const peer = new ScriptedPeer();
    const node = bootstrapOf(peer.vat);
    const deep = node.deep();
    let level = deep.level;
    for (let i = 0; i < 200; i++) level = level.next;
    const call = level.cap.order(1);
    await peer.settle();
    peer.return(0, "make");
    peer.return(1, "deep", (results) => {
      // level.next -> the struct that holds it
      const inner = results.init("level");
      inner.$segment.view.setInt32(inner.$data + inner.$dataBytes, -2 << 2, true);
      inner.$segment.view.setInt32(inner.$data + inner.$dataBytes + 4, 1 | (2 << 16), true);
    });
    peer.send({ return: { answerId: 2, releaseParamCaps: false, exception: { reason: "x" } } });
    await peer.settle();
    expect((await rejection(call)).message).to.equal("remote exception: x");
    expect((await rejection(level.cap.order(2))).code).to.be.oneOf(["CAPNP_NESTING_LIMIT", "CAPNP_OUT_OF_BOUNDS"]);
    deep[Symbol.dispose]();
    node.release();
    await peer.expectEmpty();
  });

  it("of a capability pointer beyond the table is broken, not null", async () => {
    const peer = new ScriptedPeer();
    const node = bootstrapOf(peer.vat);
    const made = node.make("x");
    const call = made.node.order(1);
    await peer.settle();
    peer.return(0, "make");
    peer.return(1, "make", (results) => setIndex(results, 0, 3));
    peer.send({ return: { answerId: 2, releaseParamCaps: false, exception: { reason: "x" } } });
    await peer.settle();
    await rejection(call);
    expect((await rejection(made.node.order(2))).code).to.equal("CAPNP_CAPABILITY_INDEX");
    const results = await made;
    expectError("CAPNP_CAPABILITY_INDEX", () => results.node);
    made[Symbol.dispose]();
    node.release();
    await peer.expectEmpty();
  });

  it("on what was read out of the results and released is an error of the caller's, and none of the connection", async () => {
    const { vats, node } = Vats.withNode({ make: () => vats.server(recorder([])) });
    const made = node.make("x");
    await vats.settle();
    (await made).node.release();
    await vats.settle();
    const late = rejection(made.node.order(1));
    await vats.settle();
    expect((await late).code).to.equal("CAPNP_RELEASED");
    made[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });
});
