import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred, echoBack, holder, recorder } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { rejection, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

describe("a promise that is passed as a capability", () => {
  /** b holds a promise of a's and has made a call on it. */
  const promised = async () => {
    const calls: number[] = [];
    const { held, methods } = holder();
    const { vats, node, server } = Vats.withNode({ ...methods, ...recorder(calls) });
    const { promise, resolve, reject } = deferred();
    const hold = node.hold(promise);
    await vats.settle();
    await hold;
    const order: Loose[] = [];
    const call = (n: number): void => {
      const one = held.cap.order(n);
      Promise.resolve(one).catch(() => undefined);
      order.push(one);
    };
    call(0);
    call(1);
    await vats.settle();
    call(2);
    return { calls, held, vats, node, server, resolve, reject, order, call };
  };

  it("resolves to a server of its own vat: calls keep their order without an embargo", async () => {
    const { calls, held, vats, node, resolve, order, call } = await promised();
    resolve(vats.server(recorder(calls)));
    await turn();
    call(3);
    await vats.settle();
    call(4);
    await vats.settle();
    await Promise.all(order);
    expect(calls).to.deep.equal([0, 1, 2, 3, 4]);
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    expect(vats.messages("resolve").map(({ cap }) => cap.which())).to.deep.equal(["senderHosted"]);
    held.take().release();
    node.release();
    await vats.expectEmpty();
  });

  it("resolves to a capability of the vat that it was passed to: an embargo keeps the order", async () => {
    const { calls, held, vats, node, resolve, order, call } = await promised();
    resolve(node);
    await turn();
    call(3);
    for (let n = 4; n < 12; n++) {
      vats.pair.step();
      await turn();
      call(n);
    }
    await vats.settle();
    await Promise.all(order);
    expect(calls).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(vats.messages("resolve").map(({ cap }) => cap.which())).to.deep.equal(["receiverHosted"]);
    expect(vats.messages("disembargo").map(({ context }) => context.which())).to.deep.equal([
      "senderLoopback",
      "receiverLoopback",
    ]);
    held.take().release();
    node.release();
    await vats.expectEmpty();
  });

  it("resolves to null: calls fail as on null, without an embargo", async () => {
    const { held, vats, node, resolve, order, call } = await promised();
    resolve(null);
    await vats.settle();
    call(3);
    const errors = Promise.all(order.map((one) => rejection(one)));
    await vats.settle();
    for (const { message } of await errors) expect(message).to.equal("remote exception: Called null capability.");
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    held.take().release();
    node.release();
    await vats.expectEmpty();
  });

  it("breaks: calls before and after fail with its error", async () => {
    const { held, vats, node, reject, order, call } = await promised();
    reject(new Error("broken promise"));
    await vats.settle();
    call(3);
    for (const one of order) expect((await rejection(one)).message).to.equal("remote exception: broken promise");
    expect(vats.messages("resolve").map((resolve) => resolve.which())).to.deep.equal(["exception"]);
    held.take().release();
    node.release();
    await vats.expectEmpty();
  });

  it("resolves to what is no capability: calls fail and say so", async () => {
    const { held, vats, node, resolve, order } = await promised();
    resolve(42);
    await vats.settle();
    for (const one of order) expect((await rejection(one)).message).to.include("not number");
    held.take().release();
    node.release();
    await vats.expectEmpty();
  });

  it("resolves to another promise, which the peer need not know: it hears only of the end", async () => {
    const { calls, held, vats, node, resolve, order, call } = await promised();
    const second = deferred();
    resolve(new Node.Client(second.promise));
    await vats.settle();
    call(3);
    await vats.settle();
    expect(vats.messages("resolve")).to.have.lengthOf(0);
    second.resolve(vats.server(recorder(calls)));
    await vats.settle();
    call(4);
    await vats.settle();
    await Promise.all(order);
    expect(calls).to.deep.equal([0, 1, 2, 3, 4]);
    expect(vats.messages("resolve")).to.have.lengthOf(1);
    held.take().release();
    node.release();
    // The client that was made of the second promise is nobody's but ours.
    await vats.settle();
    expect(vats.b.stats().imports).to.equal(0);
  });

  it("resolves to another promise, which the peer has already: it is told that one", async () => {
    const calls: number[] = [];
    const first = holder();
    const second = holder();
    const { vats, node } = Vats.withNode({
      hold: first.methods.hold,
      two({ first: one, second: two }: Loose) {
        first.held.cap = one;
        second.held.cap = two;
      },
    });
    const one = deferred();
    const two = deferred();
    const client = new Node.Client(two.promise);
    const call = node.two(one.promise, client);
    await vats.settle();
    await call;
    const order = [first.held.cap.order(0), second.held.cap.order(1)];
    await vats.settle();
    one.resolve(client);
    await vats.settle();
    expect(vats.messages("resolve").map(({ cap }) => cap.which())).to.deep.equal(["senderPromise"]);
    order.push(first.held.cap.order(2));
    await vats.settle();
    two.resolve(vats.server(recorder(calls)));
    await vats.settle();
    order.push(first.held.cap.order(3), second.held.cap.order(4));
    await vats.settle();
    await Promise.all(order);
    expect([...calls].sort()).to.deep.equal([0, 1, 2, 3, 4]);
    expect(calls.filter((n) => n !== 1 && n !== 4)).to.deep.equal([0, 2, 3]);
    for (const client of [first.held.take(), second.held.take()]) client.release();
    client.release();
    node.release();
    await vats.expectEmpty();
  });

  it("twice is one export, with one Resolve", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({
      two({ first, second }: Loose) {
        caps.push(first, second);
      },
    });
    const caps: Loose[] = [];
    const { promise, resolve } = deferred();
    const client = new Node.Client(promise);
    const call = node.two(client, client);
    const again = node.two(client, null);
    await vats.settle();
    await Promise.all([call, again]);
    expect(vats.a.stats().exports).to.equal(1);
    expect(vats.b.stats().imports).to.equal(1);
    const order = caps.slice(0, 2).map((cap, n) => cap.order(n));
    resolve(vats.server(recorder(calls)));
    await vats.settle();
    await Promise.all(order);
    expect(vats.messages("resolve")).to.have.lengthOf(1);
    expect(vats.messages("release", "b").map(({ referenceCount }) => referenceCount)).to.deep.equal([3]);
    expect(calls).to.deep.equal([0, 1]);
    for (const cap of caps) cap?.release();
    client.release();
    node.release();
    await vats.expectEmpty();
  });

  it("that is released before it resolves gets no Resolve", async () => {
    const { held, vats, node, resolve, order } = await promised();
    for (const one of order) one.cancel();
    held.take().release();
    await vats.settle();
    resolve(vats.server());
    await vats.settle();
    expect(vats.messages("resolve")).to.have.lengthOf(0);
    node.release();
    await vats.expectEmpty();
  });

  it("that is released while its Resolve is on the way gives back what it became", async () => {
    const { held, vats, node, resolve, order } = await promised();
    const late = vats.server(recorder([]));
    resolve(late);
    await turn();
    for (const one of order) one.cancel();
    held.take().release();
    await vats.settle();
    expect(vats.messages("resolve")).to.have.lengthOf(1);
    expect(vats.servers.isDisposed(late)).to.equal(true);
    node.release();
    await vats.expectEmpty();
  });

  it("of itself is broken", async () => {
    const { promise, resolve } = deferred();
    const client = new Node.Client(promise);
    const call = rejection(client.order(1));
    resolve(client);
    expect((await call).message).to.include("itself");
    expect((await rejection(client.order(2))).message).to.include("itself");
    client.release();
  });
});

describe("promises of the peer's", () => {
  /** The peer has passed promises with the ids 5, 6, ... as the params of calls of `hold`. */
  const promises = async (count: number) => {
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      hold({ cap }: Loose) {
        kept.push(cap);
      },
      echo_context: echoBack,
    });
    await peer.bootstrap().heard();
    for (let i = 0; i < count; i++) {
      peer.call(
        1,
        { importedCap: 0 },
        "hold",
        (params) => setIndex(params, 0, 0),
        (call) => {
          call.params.capTable = [{ senderPromise: 5 + i }];
        },
      );
      await peer.heard();
    }
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    await peer.heard();
    return { peer, kept };
  };

  it("that resolve to themselves are broken, and nothing loops", async () => {
    const { peer, kept } = await promises(1);
    peer.send({ resolve: { promiseId: 5, cap: { senderPromise: 5 } } });
    await peer.settle();
    expect((await rejection(kept[0].order(1))).message).to.include("itself");
    kept[0].release();
    await peer.expectEmpty();
  });

  it("may be a chain of any length", async () => {
    const length = 12_000;
    const { peer, kept } = await promises(1);
    for (let i = 0; i < length; i++) peer.send({ resolve: { promiseId: 5 + i, cap: { senderPromise: 6 + i } } });
    peer.send({ resolve: { promiseId: 5 + length, cap: { senderHosted: 1 } } });
    await peer.heard();
    const call = kept[0].order(3);
    expect(await peer.lines()).to.deep.equal(["call 0 to import 1"]);
    peer.return(0, "order");
    await peer.settle();
    await call;
    kept[0].release();
    await peer.expectEmpty();
  });

  it("may be resolved when we have released them: what they became is released, too", async () => {
    const { peer, kept } = await promises(1);
    kept[0].release();
    expect(await peer.lines()).to.deep.equal(["release 5 x1"]);
    peer.send({ resolve: { promiseId: 5, cap: { senderHosted: 9 } } });
    expect(await peer.lines()).to.deep.equal(["release 9 x1"]);
    peer.send({ resolve: { promiseId: 5, exception: { reason: "x" } } });
    expect(await peer.lines()).to.deep.equal([]);
    await peer.expectEmpty();
  });

  it("must not be resolved to nothing, nor what is no promise to anything", async () => {
    const first = await promises(1);
    first.peer.send({ resolve: { promiseId: 5, cap: { none: null } } });
    first.kept[0].release();
    await first.peer.expectAbort("no capability");
    for (const to of [{ cap: { senderHosted: 3 } }, { exception: { reason: "x" } }]) {
      const second = await promises(1);
      second.peer.send({ resolve: { promiseId: 5, cap: { senderHosted: 6 } } });
      await second.peer.heard();
      second.peer.send({ resolve: { promiseId: 6, ...to } });
      second.kept[0].release();
      await second.peer.settle();
      // Import 6 was released before the second Resolve was sent, or it is no promise: either way it is not resolved.
      await second.peer.expectEmptyAfterClose();
    }
  });

  it("must not be resolved twice; what a Resolve brings for an id that is not held is released", async () => {
    const held: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      hold({ cap }: Loose) {
        held.push(cap);
      },
    });
    await peer.bootstrap().heard();
    const give = (questionId: number, cap: object): void => {
      peer.call(
        questionId,
        { importedCap: 0 },
        "hold",
        (params) => setIndex(params, 0, 0),
        (call) => {
          call.params.capTable = [cap];
        },
      );
    };
    const resolve = (id: number): void => {
      peer.send({ resolve: { promiseId: 5, cap: { senderHosted: id } } });
    };
    give(1, { senderPromise: 5 });
    resolve(6);
    await peer.settle();
    resolve(7);
    expect(await peer.lines()).to.include("release 7 x1");
    give(2, { senderHosted: 8 });
    give(3, { senderPromise: 8 });
    await peer.settle();
    for (const id of [9, 10]) peer.send({ resolve: { promiseId: 8, cap: { senderHosted: id } } });
    await peer.settle();
    for (const cap of held) cap.release();
    await peer.expectAbort("import 8, which is resolved already");
  });

  it("that are released, and then sent again, are promises again", async () => {
    const { peer, kept } = await promises(1);
    kept.pop().release();
    expect(await peer.lines()).to.deep.equal(["release 5 x1"]);
    peer.bootstrap().call(
      1,
      { promisedAnswer: { questionId: 0 } },
      "hold",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    await peer.heard();
    peer.send({ resolve: { promiseId: 5, cap: { senderHosted: 2 } } });
    await peer.heard();
    const call = kept[0].order(1);
    expect(await peer.lines()).to.deep.equal(["call 0 to import 2"]);
    peer.return(0, "order");
    await peer.settle();
    await call;
    kept[0].release();
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    await peer.expectEmpty();
  });
});
