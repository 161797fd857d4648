import { expect } from "chai";
import { referenceExternalData } from "../../../lib/schema/orphanage.ts";
import type { Loose } from "../../support/loose.ts";
import { decode, describeCapTable, testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

/** A vat that has bootstrapped the peer's export 0, and a client of that. */
const withPeer = async (options: object = {}) => {
  const peer = new ScriptedPeer(options);
  const node = bootstrapOf(peer.vat);
  await peer.settle();
  peer.return(0, "make", (_results, ret) => {
    setIndex(ret.results, 0, 0);
    ret.results.capTable = [{ senderHosted: 0 }];
  });
  expect(await peer.lines()).to.deep.equal(["bootstrap 0", "finish 0"]);
  return { peer, node };
};

describe("a question", () => {
  it("is finished when its Return has come, without giving up the capabilities in it", async () => {
    const { peer, node } = await withPeer();
    const call = node.make("x");
    await peer.heard();
    peer.return(0, "make", (results, ret) => {
      setIndex(results, 0, 0);
      ret.results.capTable = [{ senderHosted: 1 }];
    });
    const [finish] = await peer.heard();
    expect(finish.finish).to.include({ questionId: 0, releaseResultCaps: false });
    expect(finish.finish.requireEarlyCancellationWorkaround).to.equal(false);
    (await call).node.release();
    expect(await peer.lines()).to.deep.equal(["release 1 x1"]);
    node.release();
    await peer.expectEmpty();
  });

  it("needs no Finish where its Return says so", async () => {
    const { peer, node } = await withPeer();
    const call = node.add(1, 2);
    await peer.heard();
    peer.return(
      0,
      "add",
      (results) => {
        results.sum = 3;
      },
      { releaseParamCaps: false, noFinishNeeded: true },
    );
    expect(await peer.lines()).to.deep.equal([]);
    expect((await call).sum).to.equal(3);
    expect(peer.vat.stats().questions).to.equal(0);
    node.release();
    await peer.expectEmpty();
  });

  it("that is canceled is finished at once; its id is free when the Return has come, whose capabilities are left alone", async () => {
    const { peer, node } = await withPeer();
    const call = node.make("x");
    await peer.heard();
    call.cancel();
    expect((await rejection(call)).code).to.equal("CAPNP_CANCELED");
    const [finish] = await peer.heard();
    expect(finish.finish).to.include({ questionId: 0, releaseResultCaps: true });
    const second = node.add(1, 2);
    expect(await peer.lines()).to.deep.equal(["call 1 to import 0"]);
    peer.return(0, "make", (results, ret) => {
      setIndex(results, 0, 0);
      ret.results.capTable = [{ senderHosted: 1 }];
    });
    expect(await peer.lines()).to.deep.equal([]);
    const third = node.add(3, 4);
    expect(await peer.lines()).to.deep.equal(["call 0 to import 0"]);
    for (const id of [0, 1]) peer.return(id, "add");
    await peer.settle();
    await Promise.all([second, third]);
    node.release();
    await peer.expectEmpty();
  });

  it("that is canceled may be answered with canceled, an exception, or nothing that anybody reads", async () => {
    const outcomes: object[] = [{ canceled: null }, { exception: { reason: "x" } }, { resultsSentElsewhere: null }];
    for (const outcome of [...outcomes, { takeFromOtherQuestion: 77 }, { acceptFromThirdParty: null }]) {
      const { peer, node } = await withPeer();
      const call = node.make("x");
      await peer.heard();
      call.cancel();
      await rejection(call);
      peer.send({ return: { answerId: 0, releaseParamCaps: false, ...outcome } });
      expect(await peer.lines()).to.deep.equal(["finish 0"]);
      node.release();
      await peer.expectEmpty();
    }
  });

  it("gives its params' capabilities back where the Return says so, and not otherwise", async () => {
    for (const releaseParamCaps of [true, false]) {
      for (const cancel of [true, false]) {
        const { peer, node } = await withPeer();
        const mine = peer.servers.make();
        const call = node.hold(mine);
        const [sent] = await peer.heard();
        expect(describeCapTable(sent.call.params)).to.deep.equal(["senderHosted 0"]);
        if (cancel) call.cancel();
        Promise.resolve(call).catch(() => undefined);
        peer.send({ return: { answerId: 0, releaseParamCaps, exception: { reason: "x" } } });
        await peer.settle();
        expect(peer.servers.isDisposed(mine)).to.equal(releaseParamCaps);
        if (!releaseParamCaps) peer.send({ release: { id: 0, referenceCount: 1 } });
        node.release();
        await peer.expectEmpty();
      }
    }
  });

  it("is finished although its Return says that it need not be, where that has capabilities", async () => {
    const { peer, node } = await withPeer();
    const making = node.make("x");
    await peer.heard();
    peer.return(
      0,
      "make",
      (results, ret) => {
        setIndex(results, 0, 0);
        ret.results.capTable = [{ senderHosted: 7 }];
      },
      { releaseParamCaps: false, noFinishNeeded: true },
    );
    const [finish] = await peer.heard();
    expect(finish.finish.questionId).to.equal(0);
    expect(finish.finish.releaseResultCaps).to.equal(false);
    (await making).node.release();
    node.release();
    await peer.expectEmpty();
  });

  it("gives back a capability that stands twice in its params twice, also where the call was canceled", async () => {
    for (const canceled of [false, true]) {
      const { peer, node } = await withPeer();
      const mine = peer.servers.make();
      const calls = [node.two(mine, mine), node.hold(mine)];
      await peer.heard();
      const references = (): number[] => peer.vat.dump().exports.map((row) => row.references);
      expect(references()).to.deep.equal([3]);
      if (canceled) {
        calls[0].cancel();
        await rejection(calls[0]);
      }
      peer.return(0, "two", undefined, { releaseParamCaps: true });
      await peer.settle();
      expect(references()).to.deep.equal([1]);
      peer.return(1, "hold", undefined, { releaseParamCaps: true });
      await peer.settle();
      expect(references()).to.deep.equal([]);
      await calls[1];
      calls[0][Symbol.dispose]();
      node.release();
      await peer.expectEmpty();
    }
  });

  it("fails as the Return says, of whatever kind that is; what is no known kind is failed", async () => {
    for (const kind of ["failed", "overloaded", "disconnected", "unimplemented", 77]) {
      const { peer, node } = await withPeer();
      const call = node.add(1, 2);
      await peer.heard();
      peer.send({ return: { answerId: 0, releaseParamCaps: false, exception: { reason: "why", type: kind } } });
      await peer.settle();
      const error = await rejection(call);
      expect(error).to.include({ code: "CAPNP_REMOTE", kind: kind === 77 ? "failed" : kind });
      expect(error.message).to.equal("remote exception: why");
      node.release();
      await peer.expectEmpty();
    }
  });

  it("fails where the results would have to be fetched from a third party", async () => {
    const { peer, node } = await withPeer();
    const call = node.add(1, 2);
    await peer.heard();
    peer.send({ return: { answerId: 0, releaseParamCaps: false, acceptFromThirdParty: null } });
    await peer.settle();
    expect((await rejection(call)).kind).to.equal("unimplemented");
    node.release();
    await peer.expectEmpty();
  });

  it("is answered once: a second Return ends the connection, and so does one for an unknown question", async () => {
    const { peer, node } = await withPeer();
    const call = node.add(1, 2);
    await peer.heard();
    peer.return(0, "add").return(0, "add");
    await peer.settle();
    await call;
    node.release();
    await peer.expectAbort("unknown question 0");
    await ScriptedPeer.ofNode().return(4_294_967_295, "add").expectAbort("unknown question 4294967295");
  });

  it("must not be answered with what it did not ask for", async () => {
    const wrong: [object, string][] = [
      [{ canceled: null }, "was canceled, and it was not"],
      [{ resultsSentElsewhere: null }, "unasked"],
      [{ takeFromOtherQuestion: 0 }, "takeFromOtherQuestion names 0"],
    ];
    for (const [outcome, reason] of wrong) {
      const { peer, node } = await withPeer();
      const call = node.add(1, 2);
      await peer.heard();
      peer.send({ return: { answerId: 0, releaseParamCaps: false, ...outcome } });
      await peer.settle();
      expect((await rejection(call)).kind).to.equal("disconnected");
      node.release();
      await peer.expectAbort(reason);
    }
  });

  it("must not be answered with an unknown kind of Return", async () => {
    const { peer, node } = await withPeer();
    const call = node.add(1, 2);
    await peer.heard();
    peer.send((message) => {
      const ret = message.init("return");
      ret.resultsSentElsewhere = null;
      ret.$segment.view.setUint16(ret.$data + 6, 9, true);
    });
    await peer.settle();
    await rejection(call);
    node.release();
    await peer.expectAbort("unknown Return 9");
  });

  it("whose results are not of their type fails where they are read, and the connection goes on", async () => {
    const { peer, node } = await withPeer();
    const call = node.add(1, 2);
    await peer.heard();
    peer.send((message) => {
      const ret = message.init("return");
      ret.releaseParamCaps = false;
      ret.init("results").content.set("a text");
    });
    await peer.settle();
    expect((await rejection(call)).code).to.equal("CAPNP_POINTER_KIND");
    node.release();
    await peer.expectEmpty();
  });

  it("may be answered with a null payload, and with capabilities that no pointer uses, which are released", async () => {
    const { peer, node } = await withPeer();
    const calls = [node.add(1, 2), node.add(1, 2)];
    await peer.heard();
    peer.send((message) => {
      const ret = message.init("return");
      ret.releaseParamCaps = false;
      ret.init("results").capTable = [{ senderHosted: 1 }, { senderPromise: 2 }, { none: null }, { senderHosted: 1 }];
    });
    peer.send((message) => {
      const ret = message.init("return");
      ret.answerId = 1;
      ret.releaseParamCaps = false;
      message.$segment.view.setInt32(ret.$data + ret.$dataBytes, 0, true);
    });
    await peer.heard();
    expect((await calls[0]).sum).to.equal(0);
    expect((await calls[1]).sum).to.equal(0);
    calls[0][Symbol.dispose]();
    expect((await peer.lines()).sort()).to.deep.equal(["release 1 x2", "release 2 x1"]);
    node.release();
    await peer.expectEmpty();
  });

  it("that the peer does not implement fails as unimplemented, and its params are given back", async () => {
    const { peer, node } = await withPeer();
    const mine = peer.servers.make();
    const calls = [node.hold(mine), node.hold(mine)];
    await peer.settle();
    const frames = [...peer.frames];
    calls[1].cancel();
    await peer.heard();
    for (const segments of frames) {
      // The whole message comes back.
      peer.send((message) => {
        message.unimplemented = readCall(segments);
      });
    }
    await peer.settle();
    expect((await rejection(calls[0])).kind).to.equal("unimplemented");
    expect((await rejection(calls[1])).code).to.equal("CAPNP_CANCELED");
    expect(peer.servers.isDisposed(mine)).to.equal(true);
    node.release();
    await peer.expectEmpty();
  });

  it("for a bootstrap that was given up ends with its Return, of which nothing is kept", async () => {
    const peer = new ScriptedPeer();
    bootstrapOf(peer.vat).release();
    expect(await peer.lines()).to.deep.equal(["bootstrap 0"]);
    peer.send((message) => {
      const ret = message.init("return");
      ret.releaseParamCaps = false;
      const results = ret.init("results");
      setIndex(results, 0, 0);
      results.capTable = [{ senderHosted: 3 }];
    });
    expect(await peer.lines()).to.deep.equal(["finish 0", "release 3 x1"]);
    await peer.expectEmpty();
  });

  it("for a bootstrap that the peer does not implement breaks that capability", async () => {
    const peer = new ScriptedPeer();
    const node = bootstrapOf(peer.vat);
    await peer.heard();
    peer.send({ unimplemented: { bootstrap: { questionId: 0 } } });
    await peer.settle();
    expect((await rejection(node.add(1, 2))).kind).to.equal("unimplemented");
    node.release();
    await peer.expectEmpty();
  });

  it("is sent once: the calls of a chain that was queued are not sent again", async () => {
    const { vats, node } = Vats.withNode({ make: () => vats.server({ add: () => 3 }) });
    const made = node.make("x");
    const sum = made.node.add(1, 2);
    await vats.settle();
    await made;
    expect((await sum).sum).to.equal(3);
    expect(await sum).to.equal(await sum);
    expect(vats.messages("call")).to.have.lengthOf(2);
    made[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });
});

/** The call that a frame holds, without its payload: capabilities cannot be copied from a message that was only read. */
const readCall = (segments: Uint8Array[]): object => {
  const { questionId, interfaceId, methodId } = decode(segments).call;
  return { call: { questionId, interfaceId, methodId } };
};

describe("a call whose params do not fit into a message", () => {
  it("fails, and nothing was sent or counted", async () => {
    const { peer, node } = await withPeer({ limits: { maxMessageBytes: 4096 } });
    const mine = peer.servers.make();
    const call = node.pack({ pack: { cap: mine, text: "x".repeat(5000) } });
    expect((await rejection(call)).code).to.equal("CAPNP_FRAME_TOO_LARGE");
    expect(await peer.lines()).to.deep.equal([]);
    expect(peer.servers.isDisposed(mine)).to.equal(true);
    expect((await rejection(call.pack.cap.order(1))).code).to.equal("CAPNP_FRAME_TOO_LARGE");
    call[Symbol.dispose]();
    node.release();
    await peer.expectEmpty();
  });

  it("fails likewise where they have more segments than any reader takes", async () => {
    const { peer, node } = await withPeer();
    const mine = peer.servers.make();
    const request = node.packRequest();
    request.init("pack").cap = mine;
    for (let i = 0; i < 511; i++) referenceExternalData(request, new Uint8Array(8));
    const error = await rejection(request.send());
    expect(error.code).to.equal("CAPNP_FRAME_TOO_LARGE");
    expect(error.message).to.include("512 segments");
    expect(await peer.lines()).to.deep.equal([]);
    expect(peer.servers.isDisposed(mine)).to.equal(true);
    node.release();
    await peer.expectEmpty();
  });
});

describe("a request", () => {
  it("is sent to what the client stood for, though the client was released", async () => {
    const { peer, node } = await withPeer();
    const request = node.addRequest();
    request.a = 1;
    node.release();
    expect(await peer.lines(), "the import is held").to.deep.equal([]);
    const call = request.send();
    const [sent, release] = await peer.heard();
    expect([sent.which(), release.which()]).to.deep.equal(["call", "release"]);
    peer.return(0, "add");
    await peer.settle();
    await call;
    await peer.expectEmpty();
  });

  it("to a server here keeps it alive until the call is done", async () => {
    const vats = new Vats();
    const server = vats.server({ add: () => 3 });
    const node = new Node.Client(server);
    const request = node.addRequest();
    node.release();
    expect(vats.servers.isDisposed(server)).to.equal(false);
    expect((await request.send()).sum).to.equal(3);
    await vats.expectEmpty();
  });

  it("on a promise that has resolved by the time it is sent stays behind those made before, and before those after", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({
      echo_context({ params, results }: Loose) {
        const { cap } = params;
        results.cap = cap;
        cap.release();
      },
    });
    const echo = node.echo(vats.server({ order: ({ n }: Loose) => void calls.push(n) }));
    const { cap } = echo;
    const begun = cap.orderRequest();
    begun.n = 1;
    const all = [cap.order(0)];
    while (vats.messages("return", "b").length < 2) {
      vats.pair.deliverAll();
      await turn();
    }
    // What was called before is on its way back, and the promise is the object here.
    all.push(begun.send(), cap.order(2));
    await vats.settle();
    await Promise.all(all);
    expect(calls).to.deep.equal([0, 1, 2]);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("on a promise goes where that has resolved to by the time it is sent", async () => {
    const { vats, node } = Vats.withNode({
      echo_context({ params, results }: Loose) {
        const { cap } = params;
        results.cap = cap;
        cap.release();
      },
    });
    const mine = vats.server({ add: ({ a, b }: Loose) => a + b });
    const echo = node.echo(mine);
    const request = echo.cap.addRequest();
    request.a = 2;
    request.b = 3;
    await vats.settle();
    const sent = vats.log.length;
    const call = request.send();
    expect((await call).sum).to.equal(5);
    expect(vats.log.length).to.equal(sent);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("that is collected without having been sent gives back what it holds", async function () {
    const gc = globalThis.gc;
    if (gc === undefined) return this.skip();
    const vats = new Vats();
    const server = vats.server();
    const param = vats.server();
    const node = new Node.Client(server);
    (() => {
      node.holdRequest().cap = param;
    })();
    node.release();
    for (let i = 0; i < 20 && !(vats.servers.isDisposed(server) && vats.servers.isDisposed(param)); i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gc();
    }
    await vats.expectEmpty();
  });
});

describe("canceling a call", () => {
  it("by a signal, a timeout or dispose tells the callee, whose own signal is aborted", async () => {
    for (const how of ["signal", "timeout", "dispose", "cancel", "aborted before"]) {
      let started = 0;
      let aborted = 0;
      const { vats, node } = Vats.withNode({
        never_context(context: Loose) {
          started++;
          return new Promise((resolve) => {
            context.signal.addEventListener("abort", () => {
              aborted++;
              resolve(undefined);
            });
          });
        },
      });
      const abort = new AbortController();
      if (how === "aborted before") abort.abort();
      const options = how === "timeout" ? { timeout: 15 } : { signal: abort.signal };
      const call = node.never({ cap: vats.server() }, options);
      const error = rejection(call);
      await vats.settle();
      if (how === "signal") abort.abort(new Error("enough"));
      else if (how === "dispose") call[Symbol.dispose]();
      else if (how === "cancel") call.cancel();
      const { code, cause } = await error;
      expect(code, how).to.equal(how === "timeout" ? "CAPNP_TIMEOUT" : "CAPNP_CANCELED");
      if (how === "signal") expect(cause.message).to.equal("enough");
      await vats.settle();
      expect([started, aborted], how).to.deep.equal(how === "aborted before" ? [0, 0] : [1, 1]);
      node.release();
      await vats.expectEmpty();
    }
  });

  it("that has returned does nothing", async () => {
    const { vats, node } = Vats.withNode({ add: () => 3 });
    const call = node.add(1, 2);
    await vats.settle();
    call.cancel();
    expect((await call).sum).to.equal(3);
    expect(vats.messages("finish", "a").map(({ releaseResultCaps }) => releaseResultCaps)).to.deep.equal([false]);
    node.release();
    await vats.expectEmpty();
  });

  it("works where a result is named cancel", async () => {
    const vats = new Vats();
    const { Words } = testSchema;
    const words = new Words.Client(vats.server({ cancel: () => running }, Words));
    let finish: () => void = () => undefined;
    const running = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const abort = new AbortController();
    const call = words.cancel({}, { signal: abort.signal });
    expect(call.cancel).to.be.instanceOf(Words.Client);
    abort.abort();
    expect((await rejection(call)).code).to.equal("CAPNP_CANCELED");
    call[Symbol.dispose]();
    words[Symbol.dispose]();
    finish();
    await vats.expectEmpty();
  });

  it("lets a call that was not delivered yet never start, and releases its params", async () => {
    const { vats, node } = Vats.withNode({ never: () => expect.fail("this was canceled before it was delivered") });
    const param = vats.server();
    const call = node.never(param);
    call.cancel();
    await rejection(call);
    await vats.settle();
    expect(vats.servers.isDisposed(param)).to.equal(true);
    const locally = new Node.Client(vats.server({ never: () => expect.fail("nor this") }));
    const local = locally.never(vats.server());
    local.cancel();
    await rejection(local);
    locally.release();
    node.release();
    await vats.expectEmpty();
  });

  it("releases the params of a method that has allowed it at once", async () => {
    const ends: (() => void)[] = [];
    const { vats, node } = Vats.withNode({
      never_context(context: Loose) {
        context.allowCancellation();
        return new Promise<void>((resolve) => ends.push(resolve));
      },
    });
    const mine = vats.server();
    const call = node.never(mine);
    await vats.settle();
    expect(vats.servers.isDisposed(mine)).to.equal(false);
    call.cancel();
    await rejection(call);
    await vats.settle();
    expect(vats.servers.isDisposed(mine), "the method is still at work").to.equal(true);
    ends[0]?.();
    node.release();
    await vats.expectEmpty();
  });

  it("within the vat releases the params when the method is done with them", async () => {
    for (const end of ["return", "throw", "tailCall"]) {
      const vats = new Vats();
      let finish: () => void = () => undefined;
      const server = vats.server({
        async never_context(context: Loose) {
          await new Promise((resolve) => {
            finish = () => resolve(undefined);
          });
          context.results.cap = param;
          if (end === "throw") throw new Error("too late");
          if (end === "tailCall") context.tailCall(node.addRequest());
        },
      });
      const node = new Node.Client(server);
      const param = vats.server();
      const call = node.never(param);
      await turn();
      call.cancel();
      await rejection(call);
      expect(vats.servers.isDisposed(param)).to.equal(false);
      finish();
      await turn();
      expect(vats.servers.isDisposed(param), end).to.equal(true);
      node.release();
      await vats.expectEmpty();
    }
  });

  it("cancels the calls that the callee passed it on with", async () => {
    let aborted = false;
    const far = Vats.withNode({
      never_context(context: Loose) {
        const { signal } = context;
        return new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted = true;
            resolve(undefined);
          });
        });
      },
    });
    const near = Vats.withNode({
      never_context(context: Loose) {
        context.tailCall(far.node.neverRequest());
      },
    });
    const call = near.node.never(null);
    const error = rejection(call);
    await near.vats.settle();
    await far.vats.settle();
    call.cancel();
    await error;
    await near.vats.settle();
    await far.vats.settle();
    expect(aborted).to.equal(true);
    near.node.release();
    far.node.release();
    await near.vats.expectEmpty();
    await far.vats.expectEmpty();
  });

  it("crosses with its Return: the capabilities in it are released", async () => {
    const { vats, node } = Vats.withNode({ make: () => inner });
    const inner = vats.server();
    const call = node.make("x");
    vats.pair.a.deliver(2);
    await turn();
    expect(vats.sent("b")).to.deep.equal(["return 0 results", "return 1 results"]);
    call.cancel();
    await rejection(call);
    await vats.settle();
    expect(vats.servers.isDisposed(inner)).to.equal(true);
    expect(vats.messages("release", "a")).to.have.lengthOf(0);
    node.release();
    await vats.expectEmpty();
  });
});
