import { expect } from "chai";
import { referenceExternalData } from "../../../lib/schema/orphanage.ts";
import type { Loose } from "../../support/loose.ts";
import { describeCapTable, testSchema } from "../../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const finish = (questionId: number, releaseResultCaps = true) => ({
  finish: { questionId, releaseResultCaps, requireEarlyCancellationWorkaround: false },
});

/** A peer that has bootstrapped: question 0 is its, and so is export 0. */
const withNode = async (methods: Loose, options: object = {}): Promise<ScriptedPeer> => {
  const peer = ScriptedPeer.ofNode(methods, options);
  await peer.bootstrap().heard();
  return peer;
};

describe("an answer", () => {
  it("with capabilities stays until it is finished; one without says that it needs no Finish", async () => {
    const peer = await withNode({ make: () => peer.servers.make(), add: () => 3 });
    peer.call(1, { importedCap: 0 }, "make").call(2, { importedCap: 0 }, "add");
    const [make, add] = (await peer.heard()).map((message) => message.return);
    expect(make).to.include({ answerId: 1, releaseParamCaps: false, noFinishNeeded: false });
    expect(describeCapTable(make.results)).to.deep.equal(["senderHosted 1"]);
    expect(add).to.include({ answerId: 2, releaseParamCaps: false, noFinishNeeded: true });
    expect(peer.vat.stats().answers).to.equal(2);
    // An older peer finishes it all the same.
    peer.send(finish(2)).send(finish(1, false));
    await peer.heard();
    expect(peer.vat.stats()).to.include({ answers: 1, exports: 2 });
    peer.send({ release: { id: 1, referenceCount: 1 } }).send(finish(0));
    await peer.expectEmpty();
  });

  it("gives back the capabilities in its results where Finish says so", async () => {
    const peer = await withNode({ make: () => made });
    const made = peer.servers.make();
    peer.call(1, { importedCap: 0 }, "make").call(2, { importedCap: 0 }, "make");
    const rets = (await peer.heard()).map((message) => message.return);
    for (const { results } of rets) expect(describeCapTable(results)).to.deep.equal(["senderHosted 1"]);
    peer.send(finish(1, true));
    await peer.settle();
    expect(peer.servers.isDisposed(made)).to.equal(false);
    peer.send(finish(2, true));
    await peer.settle();
    expect(peer.servers.isDisposed(made)).to.equal(true);
    peer.send(finish(0));
    await peer.expectEmpty();
  });

  it("that failed stays until it is finished, for the calls that are pipelined on it", async () => {
    const peer = await withNode({
      fail() {
        throw new Error("no");
      },
    });
    peer.call(1, { importedCap: 0 }, "fail");
    const [{ return: ret }] = await peer.heard();
    expect(ret.noFinishNeeded).to.equal(false);
    peer.call(2, { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, "order");
    const [second] = await peer.heard();
    expect(second.return.exception.reason).to.equal("no");
    for (const id of [0, 1, 2]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("is given whatever hints its call has about third parties and pipelines; ours has none of them", async () => {
    const peer = ScriptedPeer.ofNode({ add: ({ a, b }: Loose) => a + b, make: ({ name }: Loose) => void name });
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "add",
      (params) => {
        params.a = 20;
        params.b = 22;
      },
      (call) => {
        call.allowThirdPartyTailCall = true;
        call.noPromisePipelining = true;
      },
    );
    const [ret] = await peer.heard();
    expect(ret.return.which()).to.equal("results");
    const node = bootstrapOf(peer.vat);
    const asked = rejection(node.add(1, 2));
    const [, call] = await peer.heard();
    expect([call.call.allowThirdPartyTailCall, call.call.noPromisePipelining]).to.deep.equal([false, false]);
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    node.release();
    await peer.expectEmptyAfterClose();
    await asked;
  });

  it("that is not there any more breaks what is pipelined on it, and the connection goes on", async () => {
    const peer = await withNode({});
    peer.call(1, { promisedAnswer: { questionId: 99 } }, "order");
    const [{ return: ret }] = await peer.heard();
    expect(ret.exception.reason).to.include("was already closed");
    for (const id of [0, 1]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("is for an id that is free: a question id twice ends the connection, for a Call and for a Bootstrap", async () => {
    const call = await withNode({});
    call.call(0, { importedCap: 0 }, "add");
    await call.expectAbort("question id 0 is already in use");
    const bootstrap = await withNode({});
    bootstrap.bootstrap(0);
    await bootstrap.expectAbort("question id 0 is already in use");
  });

  it("may have any id, and one that was finished may be used at once", async () => {
    const peer = await withNode({ add: ({ a, b }: Loose) => a + b, fail: () => Promise.reject(new Error("x")) });
    for (const id of [1, 1 << 30, 0x80000000, 0xffffffff, 1]) {
      peer.call(id, { importedCap: 0 }, "add", (params) => {
        params.a = 4;
      });
      peer.call(id === 1 ? 2 : id - 1, { importedCap: 0 }, "fail").send(finish(id === 1 ? 2 : id - 1));
      const returns = (await peer.heard()).map((message) => message.return);
      expect(returns.map((one) => one.answerId).sort()).to.deep.equal([id === 1 ? 2 : id - 1, id].sort());
    }
    peer.send(finish(0));
    await peer.expectEmpty();
  });

  it("is refused where the peer has too many calls that it does not finish", async () => {
    const peer = await withNode({ fail: () => Promise.reject(new Error("x")) }, { limits: { maxAnswers: 5 } });
    for (let id = 1; id <= 5; id++) peer.call(id, { importedCap: 0 }, "fail");
    await peer.expectAbort("5 unfinished calls");
  });

  it("to an unknown export, or to a target of an unknown kind, ends the connection", async () => {
    await ScriptedPeer.ofNode().call(1, { importedCap: 3 }, "add").expectAbort("unknown export 3");
    await ScriptedPeer.ofNode()
      .call(1, { importedCap: 0 }, "add", undefined, (call) => {
        call.target.$segment.view.setUint16(call.target.$data + 4, 2, true);
      })
      .expectAbort("unknown MessageTarget 2");
  });

  it("to an unknown interface or method is unimplemented", async () => {
    const peer = await withNode({});
    peer.call(1, { importedCap: 0 }, "add", undefined, (call) => {
      call.interfaceId = 0x1234n;
    });
    peer.call(2, { importedCap: 0 }, "add", undefined, (call) => {
      call.methodId = 999;
    });
    const returns = (await peer.heard()).map((message) => message.return);
    expect(returns.map(({ exception }) => exception.type)).to.deep.equal(["unimplemented", "unimplemented"]);
    for (const id of [0, 1, 2]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("to params that are no struct is an exception", async () => {
    const peer = await withNode({ add: ({ a, b }: Loose) => a + b });
    peer.call(1, { importedCap: 0 }, "add", undefined, (call) => call.params.content.set("a text"));
    const [{ return: ret }] = await peer.heard();
    expect(ret.exception.reason).to.include("struct pointer was expected");
    for (const id of [0, 1]) peer.send(finish(id));
    await peer.expectEmpty();
  });

  it("to no params at all has params of default values", async () => {
    const peer = await withNode({ add: ({ a, b }: Loose) => a + b + 1 });
    peer.call(1, { importedCap: 0 }, "add", undefined, (call) => {
      call.$segment.view.setInt32(call.$data + call.$dataBytes + 8, 0, true);
      call.$segment.view.setInt32(call.$data + call.$dataBytes + 12, 0, true);
    });
    const [{ return: ret }] = await peer.heard();
    expect(ret.which()).to.equal("results");
    peer.send(finish(0));
    await peer.expectEmpty();
  });

  it("keeps the kind of the error that the method threw, which says once that it is remote", async () => {
    const { CapnpError } = await import("../../../lib/errors.ts");
    for (const kind of ["failed", "overloaded", "disconnected", "unimplemented"] as const) {
      const far = Vats.withNode({
        add() {
          throw new CapnpError("CAPNP_CALL", "the reason", { kind });
        },
      });
      const near = Vats.withNode({ add: () => far.node.add(1, 2) });
      const error = rejection(near.node.add(1, 2));
      await near.vats.settle();
      await far.vats.settle();
      await near.vats.settle();
      expect(await error).to.include({ kind, message: "remote exception: the reason", code: "CAPNP_REMOTE" });
      near.node.release();
      far.node.release();
      await near.vats.expectEmpty();
      await far.vats.expectEmpty();
    }
  });

  it("whose results do not fit into a message is an exception; the connection goes on and nothing was counted", async () => {
    const servers = new Servers();
    const inner = servers.make();
    const bootstrap = servers.make({
      data: ({ size }: Loose) => new Uint8Array(size),
      packed_context(context: Loose) {
        context.results.text = "x".repeat(5000);
        context.results.cap = inner;
      },
    });
    const vats = new Vats({ servers, b: { bootstrap, limits: { maxMessageBytes: 4096 } } });
    const client = bootstrapOf(vats.a);
    const packed = client.packed();
    const order = rejection(packed.cap.order(1));
    const errors = [rejection(packed), rejection(client.data(10_000)), order];
    const fine = client.data(100);
    await vats.settle();
    for (const { message, kind } of await Promise.all(errors)) {
      expect(message).to.match(
        /^remote exception: The results of this call make a message of \d+ bytes; the limit is 4096/,
      );
      expect(kind).to.equal("failed");
    }
    expect((await fine).data).to.have.lengthOf(100);
    expect(vats.servers.isDisposed(inner)).to.equal(true);
    packed[Symbol.dispose]();
    client.release();
    await vats.expectEmpty();
  });

  it("whose results have more segments than any reader takes is an exception, too", async () => {
    const servers = new Servers();
    const inner = servers.make();
    const bootstrap = servers.make({
      packed_context({ results }: Loose) {
        results.cap = inner;
        for (let i = 0; i < 511; i++) referenceExternalData(results, new Uint8Array(8));
      },
    });
    const vats = new Vats({ servers, b: { bootstrap } });
    const client = bootstrapOf(vats.a);
    const error = rejection(client.packed());
    await vats.settle();
    expect((await error).message).to.include("The results of this call make a message of 512 segments");
    expect(vats.servers.isDisposed(inner)).to.equal(true);
    client.release();
    await vats.expectEmpty();
  });

  it("releases the capabilities in params that the method did not take, however many they are", async () => {
    const peer = await withNode({ void: () => undefined });
    peer.call(1, { importedCap: 0 }, "void", undefined, (call) => {
      call.params.capTable = [
        { senderHosted: 7 },
        { none: null },
        { senderPromise: 8 },
        { senderHosted: 7 },
        { receiverHosted: 0 },
        { receiverAnswer: { questionId: 0 } },
        { thirdPartyHosted: { vineId: 9 } },
        { receiverHosted: 55 },
        { receiverAnswer: { questionId: 77 } },
      ];
    });
    expect((await peer.lines()).sort()).to.deep.equal([
      "release 7 x2",
      "release 8 x1",
      "release 9 x1",
      "return 1 results",
    ]);
    peer.send(finish(0));
    await peer.expectEmpty();
  });

  it("reads what the peer described: an unknown import or answer is broken, none and a bad index are no capability", async () => {
    const errors: string[] = [];
    const peer = await withNode({
      async pack({ pack }: Loose) {
        for (const cap of pack.caps) {
          const order = cap.order(1);
          errors.push((await rejection(order)).message);
          cap.release();
        }
        try {
          pack.cap;
        } catch (error) {
          errors.push((error as Error).message);
        }
      },
    });
    peer.call(
      1,
      { importedCap: 0 },
      "pack",
      (params) => {
        const pack = params.init("pack");
        setIndex(pack, 0, 1000);
        const caps = pack.init("caps", 3);
        const { $segment: segment, $start: start } = caps;
        for (let i = 0; i < 3; i++) {
          segment.view.setUint32(start + i * 8, 3, true);
          segment.view.setUint32(start + i * 8 + 4, i, true);
        }
      },
      (call) => {
        call.params.capTable = [{ receiverHosted: 55 }, { receiverAnswer: { questionId: 77 } }, { none: null }];
      },
    );
    await peer.heard();
    expect(errors[0]).to.include("receiverHosted 55");
    expect(errors[1]).to.include("already closed");
    expect(errors[2]).to.include("invalid capability pointer");
    expect(errors[3]).to.include("index 1000 of a table of 3");
    peer.send(finish(0)).send(finish(1));
    await peer.expectEmpty();
  });

  it("with a descriptor of an unknown kind, or with too many, ends the connection and leaves nothing behind", async () => {
    const unknown = await withNode({});
    unknown.call(1, { importedCap: 0 }, "void", undefined, (call) => {
      call.params.capTable = [{ receiverHosted: 0 }, { none: null }];
      const [, second] = [...call.params.capTable];
      second.$segment.view.setUint16(second.$data, 6, true);
    });
    await unknown.expectAbort("unknown CapDescriptor 6");
    const many = await withNode({}, { limits: { maxCapabilitiesPerMessage: 3 } });
    many.call(1, { importedCap: 0 }, "void", undefined, (call) => {
      call.params.capTable = [1, 2, 3, 4].map((id) => ({ senderHosted: id }));
    });
    await many.expectAbort("4 capabilities; the limit is 3 .maxCapabilitiesPerMessage");
    const imports = await withNode({}, { limits: { maxImports: 2 } });
    imports.call(1, { importedCap: 0 }, "void", undefined, (call) => {
      call.params.capTable = [{ receiverHosted: 0 }, ...[1, 2, 3].map((id) => ({ senderHosted: id }))];
    });
    await imports.expectAbort("2 capabilities");
  });
});

describe("Bootstrap", () => {
  it("fails where the vat exposes nothing, or takes no object id", async () => {
    const peer = new ScriptedPeer();
    peer.bootstrap();
    const [{ return: ret }] = await peer.heard();
    expect(ret.exception.reason).to.include("does not expose");
    peer.send(finish(0));
    await peer.expectEmpty();
    const named = ScriptedPeer.ofNode();
    named.send((message) => message.init("bootstrap").deprecatedObjectId.set("name"));
    const [{ return: second }] = await named.heard();
    expect(second.exception.reason).to.include("object id");
    named.send(finish(0));
    await named.expectEmpty();
  });

  it("brings a broken capability as a promise that breaks: calls before and after fail, and their params come back", async () => {
    const servers = new Servers();
    const broken = new testSchema.Node.Client(Promise.reject(new Error("was broken")));
    await turn();
    const vats = new Vats({ servers, b: { bootstrap: () => broken } });
    const node = bootstrapOf(vats.a);
    const early = rejection(node.hold(servers.make()));
    await vats.settle();
    const late = rejection(node.hold(servers.make()));
    await vats.settle();
    for (const error of [await early, await late]) expect(error.message).to.equal("remote exception: was broken");
    expect(vats.messages("resolve", "b").map((resolve) => resolve.which())).to.deep.equal(["exception"]);
    node.release();
    await vats.expectEmpty();
  });

  it("fails where the function that makes the capability throws, and where its promise rejects", async () => {
    const throwing = new ScriptedPeer({
      bootstrap: () => {
        throw new Error("not for you");
      },
    });
    throwing.bootstrap();
    const [{ return: ret }] = await throwing.heard();
    expect(ret.exception.reason).to.equal("not for you");
    throwing.send(finish(0));
    await throwing.expectEmpty();
    const rejecting = new Vats({ b: { bootstrap: () => Promise.reject(new Error("nor for you")) } });
    const node = bootstrapOf(rejecting.a);
    const call = rejection(node.add(1, 2));
    await rejecting.settle();
    expect((await call).message).to.equal("remote exception: nor for you");
    node.release();
    await rejecting.expectEmpty();
  });

  it("gives every peer an object of its own where it is a function, disposed when the peer lets it go", async () => {
    const servers = new Servers();
    const peers: string[] = [];
    const vats = new Vats({
      servers,
      b: {
        bootstrap: ({ address }: Loose) => {
          peers.push(address);
          return servers.make();
        },
      },
    });
    const clients = [bootstrapOf(vats.a), bootstrapOf(vats.a)];
    await vats.settle();
    expect(peers).to.deep.equal(["memory:a", "memory:a"]);
    expect(vats.b.stats().exports).to.equal(2);
    for (const client of clients) client.release();
    await vats.expectEmpty();
  });
});
