import { expect } from "chai";
import { CapabilityServerSet } from "../../../lib/server-set.ts";
import type { Loose } from "../../support/loose.ts";
import { deferred, recorder } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

const newSet = (): Loose => new CapabilityServerSet(Node);
const finish = (questionId: number, releaseResultCaps = true) => ({
  finish: { questionId, releaseResultCaps, requireEarlyCancellationWorkaround: false },
});

describe("a capability of ours that the peer describes", () => {
  /** A vat whose bootstrap is in a set, and tells which of the capabilities that it is given are members. */
  const known = () => {
    const servers = new Servers();
    const set = newSet();
    const found: unknown[] = [];
    const held: Loose[] = [];
    const object = servers.make({
      async hold({ cap }: Loose) {
        held.push(cap);
        found.push(await set.getLocalServer(cap));
      },
      make: () => object,
    });
    const client = set.add(object);
    const peer = new ScriptedPeer({ bootstrap: () => client }, servers);
    const end = async (...questions: number[]): Promise<void> => {
      for (const id of questions) peer.send(finish(id));
      for (const cap of held) cap.release();
      client.release();
      await peer.expectEmpty();
    };
    return { peer, object, found, end };
  };

  const give = (peer: ScriptedPeer, questionId: number, target: object, cap: object): void => {
    peer.call(
      questionId,
      target,
      "hold",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [cap];
      },
    );
  };

  it("as the answer of a bootstrap is the object itself, before and after that has returned", async () => {
    const { peer, object, found, end } = known();
    const bootstrap = { questionId: 0 };
    peer.bootstrap();
    give(peer, 1, { promisedAnswer: bootstrap }, { receiverAnswer: bootstrap });
    await peer.heard();
    give(peer, 2, { importedCap: 0 }, { receiverAnswer: bootstrap });
    give(peer, 3, { importedCap: 0 }, { receiverHosted: 0 });
    await peer.heard();
    expect(found).to.deep.equal([object, object, object]);
    await end(0);
  });

  it("as a place in the results of a call is the object itself, before and after that has returned", async () => {
    const { peer, object, found, end } = known();
    await peer.bootstrap().heard();
    const made = { questionId: 1, transform: [{ getPointerField: 0 }] };
    peer.call(1, { importedCap: 0 }, "make");
    give(peer, 2, { promisedAnswer: made }, { receiverAnswer: made });
    await peer.heard();
    give(peer, 3, { importedCap: 0 }, { receiverAnswer: made });
    await peer.heard();
    expect(found).to.deep.equal([object, object]);
    await end(1, 0);
  });

  it("as what the peer called it on, and holds no more, is the object itself", async () => {
    const found: unknown[] = [];
    const servers = new Servers();
    const set = newSet();
    const object = servers.make({
      async hold({ cap }: Loose) {
        found.push(await set.getLocalServer(cap));
        cap.release();
      },
      make: () => object,
    });
    const client = set.add(object);
    const vats = new Vats({ servers, b: { bootstrap: () => client } });
    const early = bootstrapOf(vats.a);
    const calls = [early.hold(early)];
    const making = early.make("x");
    calls.push(making.node.hold(making.node));
    early.release();
    await vats.settle();
    await Promise.all(calls);
    expect(found).to.deep.equal([object, object]);
    making[Symbol.dispose]();
    client.release();
    await vats.expectEmpty();
  });

  it("while it is a promise is recognised when that resolves, in either form", async () => {
    for (const form of ["receiverHosted", "receiverAnswer"]) {
      const calls: number[] = [];
      const servers = new Servers();
      const set = newSet();
      const promised = deferred();
      const object = servers.make(recorder(calls));
      const client = set.add(object);
      const held: Loose[] = [];
      const peer = new ScriptedPeer(
        {
          bootstrap: servers.make({
            make: () => ({ node: promised.promise }),
            hold({ cap }: Loose) {
              held.push(cap);
            },
          }),
        },
        servers,
      );
      await peer.bootstrap().heard();
      peer.call(1, { importedCap: 0 }, "make");
      const [ret] = await peer.heard();
      const id: number = ret.return.results.capTable[0].senderPromise;
      const made = { questionId: 1, transform: [{ getPointerField: 0 }] };
      give(peer, 2, { importedCap: 0 }, form === "receiverHosted" ? { receiverHosted: id } : { receiverAnswer: made });
      // Calls of the peer's come first: they were made before.
      peer.call(3, { importedCap: id }, "order", (params) => {
        params.n = 1;
      });
      await peer.heard();
      const ordered = held[0].order(2);
      const found = set.getLocalServer(held[0]);
      promised.resolve(client);
      await peer.heard();
      expect(await found, form).to.equal(object);
      await ordered;
      expect(calls).to.deep.equal([1, 2]);
      for (const questionId of [1, 0]) peer.send(finish(questionId));
      peer.send({ release: { id: 2, referenceCount: 1 } });
      held[0].release();
      client.release();
      await peer.expectEmpty();
    }
  });
});

describe("a promise of the peer's, held here", () => {
  it("that resolves to an answer of ours which then turns out to be that promise is broken", async () => {
    const held: Loose[] = [];
    const answer = deferred();
    const peer = ScriptedPeer.ofNode({
      hold({ cap }: Loose) {
        held.push(cap);
      },
      make: () => answer.promise,
    });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "hold",
      (params) => setIndex(params, 0, 0),
      (call) => {
        call.params.capTable = [{ senderPromise: 5 }];
      },
    );
    peer.call(2, { importedCap: 0 }, "make");
    await peer.heard();
    const made = { questionId: 2, transform: [{ getPointerField: 0 }] };
    peer.send({ resolve: { promiseId: 5, cap: { receiverAnswer: made } } });
    await peer.settle();
    const early = rejection(held[0].order(1));
    answer.resolve({ node: held[0] });
    await peer.settle();
    for (const failed of [early, rejection(held[0].order(2))]) {
      expect((await failed).message).to.include("resolved to itself");
    }
    expect(peer.vat.stats().embargoes).to.equal(0);
    held[0].release();
    for (const id of [2, 0]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("breaks with the connection, as disconnected, together with the calls on it", async () => {
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
        call.params.capTable = [{ senderPromise: 7 }];
      },
    );
    await peer.heard();
    const called = rejection(held[0].order(1));
    expect(await peer.lines()).to.deep.equal(["call 0 to import 7"]);
    void peer.pair.b.close();
    await peer.settle();
    expect((await called).kind).to.equal("disconnected");
    expect((await rejection(held[0].order(2))).kind).to.equal("disconnected");
    held[0].release();
    await peer.expectEmptyAfterClose();
  });

  it("keeps the order of a thousand calls when it resolves among them, and then needs the connection no more", async () => {
    const calls: number[] = [];
    const promised = deferred();
    const servers = new Servers();
    const mine = servers.make(recorder(calls));
    const vats = new Vats({
      servers,
      a: { bootstrap: mine },
      b: { bootstrap: servers.make({ make: () => ({ node: promised.promise }) }) },
    });
    const node = bootstrapOf(vats.a);
    const making = node.make("x");
    await vats.settle();
    const { node: promise } = await making;
    const toMine = bootstrapOf(vats.b);
    const results: Promise<Loose>[] = [];
    for (let n = 0; n < 1000; n++) {
      results.push(promise.order(n).then((result: Loose) => result.n));
      if (n === 100) promised.resolve(toMine);
      if (n % 10 === 0) {
        vats.pair.step();
        await turn();
      }
    }
    await vats.settle();
    expect(await Promise.all(results)).to.deep.equal([...results.keys()]);
    expect(calls).to.deep.equal([...results.keys()]);
    const kept = promise.castAs(Node);
    for (const client of [promise, toMine, node]) client.release();
    vats.pair.a.destroy();
    await vats.settle();
    expect((await kept.order(1000)).n, "the way was cut short").to.equal(1000);
    kept.release();
    await turn();
    await vats.expectEmptyAfterClose();
  });
});
