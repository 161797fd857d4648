import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

const recorder = (calls: number[]) => ({
  order({ n }: Loose) {
    calls.push(n);
    return n;
  },
});

/** Returns its param, of which it keeps nothing. */
const echoBack = ({ params, results }: Loose): void => {
  const { cap } = params;
  results.cap = cap;
  cap?.release();
};

/** A promise, and what settles it. */
const deferred = () => {
  let resolve: (value: Loose) => void = () => undefined;
  let reject: (error: Loose) => void = () => undefined;
  const promise = new Promise<Loose>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

/** A node that keeps the capability that it is given, for the test to call. */
const holder = () => {
  const held: { cap: Loose; take(): Loose } = {
    cap: undefined,
    take() {
      const { cap } = held;
      held.cap = undefined;
      return cap;
    },
  };
  return {
    held,
    methods: {
      hold({ cap }: Loose) {
        held.cap = cap;
      },
    },
  };
};

describe("an embargo", () => {
  it("keeps calls in order when the results of a call are a capability of our own: 0 to 5", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    await vats.settle();
    const early = node.order(99);
    const echo = node.echo(mine);
    const order = [echo.cap.order(0), echo.cap.order(1)];
    // The calls are on their way, and nothing is back.
    while (vats.pair.a.held.length > 0) vats.pair.a.deliver(1);
    await turn();
    order.push(echo.cap.order(2));
    while (vats.messages("return", "b").length < 3) {
      vats.pair.deliverAll();
      await turn();
    }
    order.push(echo.cap.order(3), echo.cap.order(4));
    await vats.settle();
    order.push(echo.cap.order(5));
    await vats.settle();
    const results = await Promise.all(order);
    expect(results.map(({ n }) => n)).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(calls).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect((await rejection(early)).kind).to.equal("unimplemented");
    const contexts = vats.messages("disembargo").map(({ context }) => context.which());
    expect(contexts).to.deep.equal(["senderLoopback", "receiverLoopback"]);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("holds calls back until the Disembargo is back, and no longer", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const first = echo.cap.order(0);
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(9);
    const second = echo.cap.order(1);
    await turn();
    expect(vats.a.stats().embargoes).to.equal(1);
    expect(calls).to.deep.equal([0]);
    await vats.settle();
    expect(vats.a.stats().embargoes).to.equal(0);
    await Promise.all([first, second]);
    expect(calls).to.deep.equal([0, 1]);
    const sent = vats.log.length;
    await echo.cap.order(2);
    expect(vats.log.length, "a call after the embargo crosses no connection").to.equal(sent);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is not needed where no call was made through the promise", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const client = echo.cap;
    await vats.settle();
    await client.order(0);
    expect(calls).to.deep.equal([0]);
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is never put on null", async () => {
    const { vats, node } = Vats.withNode({ echo: () => undefined, hold: () => undefined });
    const echo = node.echo(null);
    const first = rejection(echo.cap.order(0));
    await vats.settle();
    expect((await first).message).to.include("null capability");
    expect((await rejection(echo.cap.order(1))).code).to.equal("CAPNP_NULL_CAPABILITY");
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is not put on a promise that breaks: calls before and after fail with its error", async () => {
    const { vats, node } = Vats.withNode({
      async echo() {
        await turn();
        throw new Error("no echo");
      },
    });
    const mine = vats.server();
    const echo = node.echo(mine);
    const calls = [0, 1].map((n) => rejection(echo.cap.order(n)));
    await vats.settle();
    calls.push(rejection(echo.cap.order(2)));
    for (const { message } of await Promise.all(calls)) expect(message).to.equal("remote exception: no echo");
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("breaks with the connection: calls that it holds fail as disconnected, the capability is released", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const first = rejection(echo.cap.order(0));
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(2);
    const second = rejection(echo.cap.order(1));
    expect(vats.a.stats().embargoes).to.equal(1);
    vats.pair.a.destroy();
    await vats.settle();
    for (const { kind } of await Promise.all([first, second])) expect(kind).to.equal("disconnected");
    expect(calls).to.deep.equal([]);
    expect((await rejection(echo.cap.order(2))).kind).to.equal("disconnected");
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmptyAfterClose();
  });

  it("passes a cancellation of a call that it holds, whose params are released at once", async () => {
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server({ never: () => expect.fail("this was canceled before it was delivered") });
    const param = vats.server();
    const echo = node.echo(mine);
    const first = rejection(echo.cap.order(0));
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(2);
    expect(vats.a.stats().embargoes).to.equal(1);
    const call = echo.cap.never(param);
    expect(vats.servers.isDisposed(param)).to.equal(false);
    call.cancel();
    expect(vats.servers.isDisposed(param)).to.equal(true);
    expect((await rejection(call)).code).to.equal("CAPNP_CANCELED");
    await vats.settle();
    await first;
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is sent to the peer as the promise that it is", async () => {
    const calls: number[] = [];
    const { held, methods } = holder();
    const { vats, node } = Vats.withNode({ echo_context: echoBack, ...methods });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const first = echo.cap.order(0);
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(2);
    expect(vats.a.stats().embargoes).to.equal(1);
    const second = echo.cap.order(1);
    const hold = node.hold(echo.cap);
    await vats.settle();
    const third = held.cap.order(2);
    await vats.settle();
    await Promise.all([first, second, hold, third]);
    expect(calls).to.deep.equal([0, 1, 2]);
    held.take().release();
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });
});

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

describe("an embargo over two hops", () => {
  /** a - b - c, where c serves and b passes on what it has. */
  const cases = [
    ["a", "Return"],
    ["a", "Resolve"],
    ["b", "Return"],
    ["b", "Resolve"],
  ] as const;
  for (const [where, kind] of cases) {
    it(`keeps the order of calls on a promise that c resolves to a capability of ${where}, by a ${kind}`, async () => {
      const calls: number[] = [];
      const [farServers, servers] = [new Servers(), new Servers()];
      const { promise, resolve } = deferred();
      // b's client of c, which a's calls go through
      const far = new Vats({
        servers: farServers,
        b: {
          bootstrap: farServers.make({
            echo({ cap }: Loose) {
              echoed = cap;
              return kind === "Return" ? promise : { cap: promise };
            },
          }),
        },
      });
      let echoed: Loose;
      const farNode = bootstrapOf(far.a);
      const near = new Vats({
        servers,
        b: {
          bootstrap: servers.make({
            echo_context(context: Loose) {
              const request = farNode.echoRequest();
              const { cap } = context.params;
              request.cap = where === "a" ? cap : local;
              cap.release();
              context.tailCall(request);
            },
          }),
        },
      });
      const local = where === "b" ? servers.make(recorder(calls)) : undefined;
      const mine = servers.make(recorder(calls));
      const node = bootstrapOf(near.a);
      const step = async (): Promise<void> => {
        for (let i = 0; i < 4; i++) {
          near.pair.deliverAll();
          await turn();
          far.pair.deliverAll();
          await turn();
        }
      };
      const echo = node.echo(mine);
      const order: Loose[] = [];
      const call = (n: number): void => {
        order.push(echo.cap.order(n));
      };
      call(0);
      await step();
      call(1);
      near.pair.deliverAll();
      call(2);
      resolve(echoed);
      await turn();
      for (let n = 3; n < 30; n++) {
        call(n);
        if (n % 3 === 0) far.pair.step();
        else near.pair.step();
        await turn();
      }
      await step();
      await step();
      call(30);
      await step();
      await Promise.all(order);
      expect(calls).to.deep.equal([...new Array(31).keys()]);
      echo[Symbol.dispose]();
      node.release();
      await step();
      farNode.release();
      echoed.release();
      await step();
      await near.expectEmpty();
      await far.expectEmpty();
    });
  }
});

describe("a Disembargo from the peer", () => {
  const disembargo = (target: object, context: object) => ({ disembargo: { target, context } });

  it("that comes back for an embargo which does not stand ends the connection", async () => {
    const peer = ScriptedPeer.ofNode();
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 7 }));
    await peer.expectAbort("unknown embargo 7");
  });

  it("for a capability that does not lead back to it ends the connection", async () => {
    const peer = ScriptedPeer.ofNode();
    await peer.bootstrap().heard();
    peer.send(disembargo({ importedCap: 0 }, { senderLoopback: 7 }));
    await peer.expectAbort("does not lead back");
  });

  it("for an unknown export ends the connection, and so does one for an unknown answer", async () => {
    await ScriptedPeer.ofNode()
      .send(disembargo({ importedCap: 3 }, { senderLoopback: 7 }))
      .expectAbort("unknown export 3");
    await ScriptedPeer.ofNode()
      .send(disembargo({ promisedAnswer: { questionId: 5 } }, { senderLoopback: 7 }))
      .expectAbort("broken");
  });

  it("of level 3 ends the connection", async () => {
    const target = { importedCap: 0 };
    await ScriptedPeer.ofNode()
      .send(disembargo(target, { accept: null }))
      .expectAbort("unknown Disembargo");
    await ScriptedPeer.ofNode()
      .send(disembargo(target, { provide: 1 }))
      .expectAbort("unknown Disembargo");
  });

  /** The peer gives us a capability (its export 5) and gets a promise of ours as the result of question 1. */
  const promised = async () => {
    const { promise, resolve } = deferred();
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        kept.push(cap);
        return { cap: promise };
      },
    });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderHosted: 5 }];
      },
    );
    const [ret] = await peer.heard();
    const id: number = ret.return.results.capTable[0].senderPromise;
    return { peer, kept, id, resolve };
  };

  it("waits until its target has resolved, and is sent back after the calls before it", async () => {
    const { peer, kept, id, resolve } = await promised();
    peer.call(2, { importedCap: id }, "order", (params) => {
      params.n = 1;
    });
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 7 }));
    expect(await peer.lines()).to.deep.equal([]);
    resolve(kept[0]);
    expect(await peer.lines()).to.deep.equal([
      "call 0 to import 5",
      `resolve ${id} receiverHosted 5`,
      "disembargo receiverLoopback to import 5",
    ]);
    peer.return(0, "order");
    await peer.settle();
    peer.send({ release: { id, referenceCount: 1 } });
    for (const questionId of [0, 1]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    kept[0].release();
    await peer.expectEmpty();
  });

  it("whose target resolves to something else ends the connection, and nothing else", async () => {
    const { peer, kept, id, resolve } = await promised();
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 7 }));
    await peer.settle();
    const local = peer.servers.make();
    resolve(local);
    await peer.settle();
    kept[0].release();
    await peer.expectAbort("does not lead back");
  });

  it("whose target never resolves is forgotten with the connection", async () => {
    const { peer, kept, id, resolve } = await promised();
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 7 }));
    await peer.settle();
    kept[0].release();
    await peer.expectEmptyAfterClose();
    resolve(null);
    await turn();
  });

  it("goes where the Return said, though the promise there has resolved to our own capability since", async () => {
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        kept.push(cap);
        return cap;
      },
      order: ({ n }: Loose) => n,
    });
    await peer.bootstrap().heard();
    // The peer passes a promise (its export 5), gets it back, and only then resolves it to our own export 0.
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    const [ret] = await peer.heard();
    expect(ret.return.results.capTable[0].receiverHosted).to.equal(5);
    peer.send({ resolve: { promiseId: 5, cap: { receiverHosted: 0 } } });
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to import 5"]);
    // What the peer pipelined before it saw the Return arrives now, and its Disembargo behind it.
    peer.call(2, { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, "order");
    peer.send(
      disembargo({ promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, { senderLoopback: 9 }),
    );
    expect(await peer.lines()).to.deep.equal(["call 0 to import 5", "disembargo receiverLoopback to import 5"]);
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 0 }));
    peer.return(0, "order");
    await peer.settle();
    kept[0].release();
    for (const questionId of [0, 1]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    await peer.expectEmpty();
  });

  it("goes where the Resolve said, though the promise there has resolved to our own capability since", async () => {
    const { promise, resolve } = deferred();
    const kept: Loose[] = [];
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        kept.push(cap);
        return { cap: promise };
      },
    });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    const [ret] = await peer.heard();
    const id: number = ret.return.results.capTable[0].senderPromise;
    resolve(kept[0]);
    expect(await peer.lines()).to.deep.equal([`resolve ${id} receiverHosted 5`]);
    peer.send({ resolve: { promiseId: 5, cap: { receiverHosted: 0 } } });
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to import 5"]);
    peer.call(2, { importedCap: id }, "order");
    peer.send(disembargo({ importedCap: id }, { senderLoopback: 9 }));
    expect(await peer.lines()).to.deep.equal(["call 0 to import 5", "disembargo receiverLoopback to import 5"]);
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 0 }));
    peer.return(0, "order");
    peer.send({ release: { id, referenceCount: 1 } });
    await peer.settle();
    kept[0].release();
    for (const questionId of [0, 1]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    await peer.expectEmpty();
  });

  it("goes to the question that the Return named, which stays open for it", async () => {
    // Our question 0 is pipelined on, and its capability is what we return; then it resolves to our own export.
    const peer = ScriptedPeer.ofNode({
      echo({ cap }: Loose) {
        const making = cap.make("x");
        cap.release();
        pipelines.push(making);
        return making.node;
      },
      order: ({ n }: Loose) => n,
    });
    const pipelines: Loose[] = [];
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "echo",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderHosted: 5 }];
      },
    );
    const ret = (await peer.heard()).find((message) => message.which() === "return");
    expect(ret.return.results.capTable[0].receiverAnswer.questionId).to.equal(0);
    peer.return(0, "make", (results, answer) => {
      setIndex(results, 0, 0);
      answer.results.capTable = [{ receiverHosted: 0 }];
    });
    // Everything but Finish: the peer may yet call, or disembargo, what we described by this question.
    expect(await peer.lines()).to.deep.equal(["disembargo senderLoopback to answer 0[0]"]);
    peer.send(
      disembargo({ promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, { senderLoopback: 9 }),
    );
    expect(await peer.lines()).to.deep.equal(["disembargo receiverLoopback to answer 0[0]"]);
    peer.send(disembargo({ importedCap: 0 }, { receiverLoopback: 0 }));
    for (const questionId of [0, 1]) peer.send({ finish: { questionId, releaseResultCaps: questionId === 0 } });
    expect(await peer.lines()).to.deep.equal(["finish 0"]);
    pipelines[0][Symbol.dispose]();
    await peer.expectEmpty();
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
