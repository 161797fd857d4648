import { expect } from "chai";
import { release } from "../../../lib/release.ts";
import { whenResolved } from "../../../lib/when-resolved.ts";
import type { Loose } from "../../support/loose.ts";
import { deferred, recorder } from "../../support/nodes.ts";
import { describeCapTable, testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

describe("an export", () => {
  it("counts how often a capability was sent; one Release gives all of them back", async () => {
    const kept: Loose[] = [];
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        kept.push(cap);
      },
    });
    const mine = vats.server();
    for (let i = 0; i < 3; i++) {
      const call = node.hold(mine);
      await vats.settle();
      await call;
    }
    expect(vats.a.stats().exports).to.equal(1);
    expect(vats.b.stats().imports).to.equal(1);
    kept[0].release();
    kept[1].release();
    await vats.settle();
    expect(vats.messages("release", "b")).to.have.lengthOf(0);
    kept[2].release();
    await vats.settle();
    expect(vats.messages("release", "b").map(({ referenceCount }) => referenceCount)).to.deep.equal([3]);
    expect(vats.servers.isDisposed(mine)).to.equal(true);
    node.release();
    await vats.expectEmpty();
  });

  it("is one for a capability that stands twice in one message", async () => {
    const { vats, node } = Vats.withNode({ two: () => undefined });
    const mine = vats.server();
    const call = node.two(mine, mine);
    expect(describeCapTable(vats.messages("call")[0].params)).to.deep.equal(["senderHosted 0", "senderHosted 0"]);
    await vats.settle();
    await call;
    node.release();
    await vats.expectEmpty();
  });

  it("that is sent again while its Release is on the way stays", async () => {
    const kept: Loose[] = [];
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        kept.push(cap);
      },
      order: () => 1,
    });
    const mine = vats.server({ order: ({ n }: Loose) => n });
    const first = node.hold(mine);
    await vats.settle();
    await first;
    // b releases while a sends it once more: the two cross.
    kept.pop().release();
    expect(vats.sent("b").at(-1)).to.equal("release 0 x1");
    const second = node.hold(mine);
    vats.pair.b.deliver(1);
    expect(vats.a.stats().exports).to.equal(1);
    await vats.settle();
    await second;
    const order = kept[0].order(5);
    await vats.settle();
    expect((await order).n).to.equal(5);
    kept.pop().release();
    node.release();
    await vats.expectEmpty();
  });

  it("gets the lowest id that is free", async () => {
    const kept: Loose[] = [];
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        kept.push(cap);
      },
    });
    const hold = async (): Promise<void> => {
      const call = node.hold(vats.server());
      await vats.settle();
      await call;
    };
    for (let i = 0; i < 3; i++) await hold();
    kept[1].release();
    await vats.settle();
    await hold();
    const ids = vats.messages("call").map(({ params }) => params.capTable.at(0).senderHosted);
    expect(ids).to.deep.equal([0, 1, 2, 1]);
    for (const i of [0, 2, 3]) kept[i].release();
    node.release();
    await vats.expectEmpty();
  });

  it("that goes back to where it came from is described as the receiver's, and is the object itself there", async () => {
    let held: Loose;
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        held = cap;
      },
      held_context({ results }: Loose) {
        results.cap = held;
      },
    });
    const mine = vats.server({ add: () => 3 });
    const hold = node.hold(mine);
    const back = node.held();
    await vats.settle();
    await hold;
    const { cap } = await back;
    const [, ret] = vats.messages("return", "b").filter((one) => one.which() === "results" && one.answerId > 0);
    expect(describeCapTable(ret.results)).to.deep.equal(["receiverHosted 0"]);
    const sent = vats.log.length;
    expect((await cap.add(1, 2)).sum).to.equal(3);
    expect(vats.log.length, "the call stays within the vat").to.equal(sent);
    cap.release();
    held.release();
    node.release();
    await vats.expectEmpty();
  });

  it("of a capability in the results of a call that has not returned is described by that call", async () => {
    const { vats, node } = Vats.withNode({
      make: () => inner,
      hold({ cap }: Loose) {
        held = cap;
      },
    });
    let held: Loose;
    const inner = vats.server({ add: () => 4 });
    const made = node.make("x");
    const hold = node.hold(made.node);
    expect(describeCapTable(vats.messages("call")[1].params)).to.deep.equal(["receiverAnswer 1[0]"]);
    await vats.settle();
    await hold;
    const sent = vats.log.length;
    expect((await held.add(1, 2)).sum).to.equal(4);
    expect(vats.log.length).to.equal(sent);
    held.release();
    made[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("of a capability of another vat forwards: the calls, their capabilities and their errors", async () => {
    const far = Vats.withNode({
      echo_context({ params, results }: Loose) {
        const { cap } = params;
        results.cap = cap;
        cap.release();
      },
      fail() {
        throw new Error("far away");
      },
    });
    const near = Vats.withNode({ make: () => far.node });
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await near.vats.settle();
        await far.vats.settle();
      }
    };
    const made = near.node.make("x");
    const mine = near.vats.server({ add: () => 5 });
    const echo = made.node.echo(mine);
    const sum = echo.cap.add(1, 2);
    const failing = rejection(made.node.fail("x"));
    await settle();
    expect((await sum).sum).to.equal(5);
    expect((await failing).message).to.equal("remote exception: far away");
    const { cap } = await echo;
    const sent = near.vats.log.length + far.vats.log.length;
    expect((await cap.add(1, 2)).sum).to.equal(5);
    expect(near.vats.log.length + far.vats.log.length, "the echo is the object itself").to.equal(sent);
    cap.release();
    for (const one of [echo, made]) one[Symbol.dispose]();
    near.node.release();
    await settle();
    far.node.release();
    await settle();
    await near.vats.expectEmpty();
    await far.vats.expectEmpty();
  });

  it("of a broken capability is a promise that breaks at once, under an id of its own each time", async () => {
    const kept: Loose[] = [];
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        kept.push(cap);
      },
    });
    const broken = new Node.Client(Promise.reject(new Error("was broken")));
    await turn();
    const calls = [node.hold(broken), node.hold(broken)];
    await vats.settle();
    await Promise.all(calls);
    expect(vats.messages("call").map(({ params }) => describeCapTable(params))).to.deep.equal([
      ["senderPromise 0"],
      ["senderPromise 1"],
    ]);
    expect(vats.sent("a").filter((line) => line.startsWith("resolve"))).to.deep.equal([
      "resolve 0 exception",
      "resolve 1 exception",
    ]);
    for (const cap of kept) {
      expect((await rejection(cap.add(1, 2))).message).to.equal("remote exception: was broken");
      cap.release();
    }
    broken.release();
    node.release();
    await vats.expectEmpty();
  });

  it("is counted down by a Release, never below zero, and never where there is none", async () => {
    const over = ScriptedPeer.ofNode();
    await over.bootstrap().heard();
    over.send({ release: { id: 0, referenceCount: 0 } });
    expect(await over.lines()).to.deep.equal([]);
    over.send({ release: { id: 0, referenceCount: 2 } });
    await over.expectAbort("Release of 2 references to export 0, which has 1");
    await ScriptedPeer.ofNode()
      .send({ release: { id: 9, referenceCount: 1 } })
      .expectAbort("Release of unknown export 9");
    const twice = ScriptedPeer.ofNode();
    await twice.bootstrap().heard();
    twice.send({ release: { id: 0, referenceCount: 1 } }).send({ finish: { questionId: 0, releaseResultCaps: true } });
    await twice.expectAbort("Release of unknown export 0");
  });

  it("lives for as long as it is called, though it was released in the meantime", async () => {
    let finish: (sum: number) => void = () => undefined;
    const peer = ScriptedPeer.ofNode({ make: () => made });
    const made = peer.servers.make({
      add: () =>
        new Promise<number>((resolve) => {
          finish = resolve;
        }),
    });
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, "make");
    await peer.heard();
    peer.call(2, { importedCap: 1 }, "add").send({ finish: { questionId: 1, releaseResultCaps: true } });
    await peer.heard();
    expect(peer.servers.isDisposed(made)).to.equal(false);
    finish(3);
    expect(await peer.lines()).to.deep.equal(["return 2 results"]);
    expect(peer.servers.isDisposed(made)).to.equal(true);
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    await peer.expectEmpty();
  });
});

describe("an import", () => {
  it("is released by the reader of results that holds it, and by release() of the results", async () => {
    const { vats, node } = Vats.withNode({ make: () => vats.server() });
    const calls = [node.make("a"), node.make("b"), node.make("c")];
    await vats.settle();
    const [a, b] = await Promise.all(calls);
    a.node.release();
    release(b);
    calls[2][Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is released when its last client was collected", async function () {
    const gc = globalThis.gc;
    if (gc === undefined) return this.skip();
    const { vats, node } = Vats.withNode({ make: () => vats.server(), pack: () => ({ pack: { cap: vats.server() } }) });
    await (async () => {
      const read = node.make("x");
      const unread = node.pack({});
      const pipelined = node.make("z").node;
      await vats.settle();
      expect((await read).node).to.be.instanceOf(Node.Client);
      await unread;
      expect(pipelined).to.be.instanceOf(Node.Client);
    })();
    node.release();
    for (let i = 0; i < 50 && vats.b.stats().exports > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
      await vats.settle();
    }
    await vats.expectEmpty();
  });

  it("is released when a client that somebody forgot and one that was released were its last", async function () {
    const gc = globalThis.gc;
    if (gc === undefined) return this.skip();
    const { vats, node } = Vats.withNode({ make: () => made });
    const made = vats.server();
    const forgetOne = async (): Promise<void> => {
      const call = node.make("x");
      await vats.settle();
      expect((await call).node).to.be.instanceOf(Node.Client);
    };
    await forgetOne();
    await (async () => {
      const call = node.make("y");
      await vats.settle();
      const { node: kept } = await call;
      gc();
      await new Promise((resolve) => setTimeout(resolve, 5));
      await vats.settle();
      // One is held: the other was no reason to tell the peer anything.
      expect(vats.messages("release", "a")).to.have.lengthOf(0);
      expect(vats.servers.isDisposed(made)).to.equal(false);
      kept.release();
    })();
    node.release();
    for (let i = 0; i < 50 && vats.b.stats().exports > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
      await vats.settle();
    }
    expect(vats.servers.isDisposed(made)).to.equal(true);
    await vats.expectEmpty();
  });

  it("that arrives again after its last client was collected, and before that was told, is held again", async function () {
    const gc = globalThis.gc;
    if (gc === undefined) return this.skip();
    const { vats, node } = Vats.withNode({ make: () => made });
    const made = vats.server({ add: () => 1 });
    await (async () => {
      const call = node.make("x");
      await vats.settle();
      expect((await call).node).to.be.instanceOf(Node.Client);
    })();
    const call = node.make("y");
    // The peer answers, and the answer is on its way.
    vats.pair.step();
    await turn();
    await turn();
    gc();
    expect(vats.pair.deliverAll()).to.be.greaterThan(0);
    await turn();
    expect(vats.messages("release", "a")).to.have.lengthOf(0);
    const { node: client } = await call;
    const sum = client.add(1, 2);
    await vats.settle();
    expect((await sum).sum).to.equal(1);
    client.release();
    await vats.settle();
    // Both times that it was received: nobody waits for the collector to tell of the first client.
    expect(vats.messages("release", "a").map(({ referenceCount }) => referenceCount)).to.deep.equal([2]);
    node.release();
    await vats.expectEmpty();
  });

  it("of ours that a forgotten promise became is released with that", async function () {
    const gc = globalThis.gc;
    if (gc === undefined) return this.skip();
    const { vats, node } = Vats.withNode({ make: () => kept[0], hold: ({ cap }: Loose) => void kept.push(cap) });
    const kept: Loose[] = [];
    const mine = vats.server({ add: () => 1 });
    const held = node.hold(mine);
    await vats.settle();
    await held;
    await (async () => {
      // Called through before it is known to be ours: there is an embargo.
      const pipelined = node.make("x").node;
      const sum = pipelined.add(1, 2);
      await vats.settle();
      expect((await sum).sum).to.equal(1);
    })();
    kept[0].release();
    node.release();
    for (let i = 0; i < 50 && !vats.servers.isDisposed(mine); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
      await vats.settle();
    }
    expect(vats.servers.isDisposed(mine)).to.equal(true);
    await vats.expectEmpty();
  });

  it("that arrives again after it was released is another one", async () => {
    const { vats, node } = Vats.withNode({ make: () => made, hold: () => undefined });
    const made = vats.server({ add: () => 1 });
    const kept = new Node.Client(made);
    const first = node.make("x");
    await vats.settle();
    const client = (await first).node;
    const second = node.make("y");
    client.release();
    await vats.settle();
    const again = (await second).node;
    const sum = again.add(1, 2);
    await vats.settle();
    expect((await sum).sum).to.equal(1);
    // It is known as what the peer hosts, though its id was that of what is gone.
    const hold = node.hold(again);
    await vats.settle();
    await hold;
    const [sent] = vats.messages("call", "a").slice(-1);
    const [{ senderHosted }] = vats.messages("return", "b").at(2).results.capTable;
    expect(describeCapTable(sent.params)).to.deep.equal([`receiverHosted ${senderHosted}`]);
    again.release();
    node.release();
    await vats.settle();
    kept.release();
    await vats.expectEmpty();
  });

  it("is not given up while somebody waits for what it becomes, and for nothing else of it", async function () {
    // Each full collection visits what all tests before have left.
    this.timeout(60_000);
    const gc = globalThis.gc;
    if (gc === undefined) return this.skip();
    const promised = deferred();
    const { vats, node } = Vats.withNode({ make: () => ({ node: promised.promise }) });
    const become = async (): Promise<{ readonly broken: Promise<Loose> }> => {
      const making = node.make("x");
      await vats.settle();
      return { broken: rejection(whenResolved((await making).node)) };
    };
    const { broken } = await become();
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      gc();
      await vats.settle();
    }
    expect(vats.b.stats().exports).to.equal(2);
    promised.reject(new Error("broken after all"));
    await vats.settle();
    expect((await broken).message).to.equal("remote exception: broken after all");
    node.release();
    for (let i = 0; i < 50 && vats.b.stats().exports > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
      await vats.settle();
    }
    await vats.expectEmpty();
  });

  it("of the peer's that goes back to it twice, and is given up at once, comes again with the results", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({
      two: ({ first, second }: Loose) => ({ first, second }),
      ...recorder(calls),
    });
    await vats.settle();
    const call = node.two(node, node);
    node.release();
    expect(vats.sent("a").slice(-2)).to.deep.equal(["call 0 to import 0", "release 0 x1"]);
    await vats.settle();
    const { first, second } = await call;
    const order = [first.order(1), second.order(2)];
    await vats.settle();
    await Promise.all(order);
    expect(calls).to.deep.equal([1, 2]);
    expect(vats.b.stats().exports).to.equal(1);
    for (const client of [first, second]) client.release();
    await vats.expectEmpty();
  });

  it("of a third party is called through its vine", async () => {
    const peer = new ScriptedPeer();
    const node = bootstrapOf(peer.vat);
    await peer.heard();
    peer.send((message) => {
      const ret = message.init("return");
      ret.releaseParamCaps = false;
      const results = ret.init("results");
      setIndex(results, 0, 0);
      results.init("capTable", 1).at(0).init("thirdPartyHosted").vineId = 6;
    });
    await peer.heard();
    const call = rejection(node.add(1, 2));
    expect(await peer.lines()).to.deep.equal(["call 0 to import 6"]);
    peer.send({ return: { answerId: 0, releaseParamCaps: false, exception: { reason: "x" } } });
    await peer.heard();
    await call;
    node.release();
    expect(await peer.lines()).to.deep.equal(["release 6 x1"]);
    await peer.expectEmpty();
  });
});
