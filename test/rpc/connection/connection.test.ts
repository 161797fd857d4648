import { expect } from "chai";
import fc from "fast-check";
import { CapnpError } from "../../../lib/errors.ts";
import type { Loose } from "../../support/loose.ts";
import { decode, describeMessage, encode, rpc, testSchema } from "../../support/rpc-messages.ts";
import { pending } from "../../support/nodes.ts";
import { ScriptedPeer, setIndex } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

describe("a message that is not implemented", () => {
  it("is sent back whole: levels 3 and 4, what is obsolete, what nobody knows yet", async () => {
    const peer = ScriptedPeer.ofNode();
    const messages: object[] = [
      { provide: { questionId: 3, target: { importedCap: 0 } } },
      { accept: { questionId: 4, embargo: true } },
      { join: { questionId: 5, target: { promisedAnswer: { questionId: 7, transform: [{ getPointerField: 3 }] } } } },
    ];
    for (const message of messages) {
      peer.send(message);
      const [echo] = await peer.heard();
      const [name] = Object.keys(message);
      expect(echo.unimplemented.which()).to.equal(name);
      expect(echo.unimplemented.toObject()).to.deep.equal(rpc.Message.newMessage(message).toObject());
    }
    for (const name of ["obsoleteSave", "obsoleteDelete"]) {
      peer.send((message) => {
        message.init(name).set("text");
      });
      const [echo] = await peer.heard();
      expect(echo.unimplemented[name].as("Text")).to.equal("text");
    }
    await peer.expectEmpty();
  });

  it("may have any tag from 14 to 65535", async () => {
    const peer = ScriptedPeer.ofNode();
    for (const tag of [14, 15, 255, 256, 32767, 32768, 65535]) {
      peer.send((message) => {
        message.init("finish").questionId = 0xabcdef;
        message.$segment.view.setUint16(message.$data, tag, true);
      });
      const [echo] = await peer.heard();
      expect(echo.which()).to.equal("unimplemented");
      expect(echo.unimplemented.which()).to.equal(tag);
      echo.unimplemented.$segment.view.setUint16(echo.unimplemented.$data, 4, true);
      expect(echo.unimplemented.finish.questionId).to.equal(0xabcdef);
    }
    await peer.expectEmpty();
  });

  it("keeps the capability pointers in it, and what they index", async () => {
    const peer = ScriptedPeer.ofNode();
    await peer.bootstrap().heard();
    peer.call(
      1,
      { importedCap: 0 },
      "two",
      (params) => {
        setIndex(params, 0, 1);
        setIndex(params, 1, 0);
      },
      (call) => {
        call.params.capTable = [{ senderHosted: 8 }, { senderHosted: 9 }];
        call.sendResultsTo.init("thirdParty").set("somebody");
      },
    );
    const [echo] = await peer.heard();
    const { call } = echo.unimplemented;
    expect(call.sendResultsTo.thirdParty.as("Text")).to.equal("somebody");
    expect([...call.params.capTable].map((cap: Loose) => cap.senderHosted)).to.deep.equal([8, 9]);
    const params = call.params.content.as(Node.schema.allMethods.get("two").params.structClass);
    const indices = [0, 1].map((i) =>
      params.$segment.view.getUint32(params.$data + params.$dataBytes + i * 8 + 4, true),
    );
    expect(indices).to.deep.equal([1, 0]);
    expect(peer.vat.stats()).to.include({ answers: 1, imports: 0 });
    peer.send({ finish: { questionId: 0, releaseResultCaps: true } });
    await peer.expectEmpty();
  });

  it("that points to one part many times is not sent back larger than it is", async () => {
    const peer = ScriptedPeer.ofNode();
    peer.send((message) => {
      const levels = message.init("obsoleteSave").init(testSchema.Pack);
      let at = levels;
      for (let i = 0; i < 20; i++) {
        const next = at.init("nested");
        // Both pointers lead to the same struct: 2^20 of them, to who walks all paths.
        const { $segment: segment } = at;
        const pointer = (index: number): number => at.$data + at.$dataBytes + index * 8;
        segment.view.setInt32(pointer(2), (((next.$data - pointer(2) - 8) / 8) << 2) | 0, true);
        segment.view.setInt32(pointer(2) + 4, segment.view.getInt32(pointer(5) + 4, true), true);
        at = next;
      }
    });
    const heard = await peer.heard();
    expect(heard.map((message) => message.which())).to.deep.equal(["abort"]);
    await peer.expectEmptyAfterClose();
  });

  it("of ours that comes back, and that we cannot do without, ends the connection", async () => {
    const messages: object[] = [
      { finish: { questionId: 1 } },
      { disembargo: { context: { senderLoopback: 1 } } },
      { return: { answerId: 1 } },
      { unimplemented: { finish: { questionId: 1 } } },
      { abort: { reason: "x" } },
      { call: { questionId: 5 } },
      { bootstrap: { questionId: 5 } },
    ];
    for (const unimplemented of messages) {
      await ScriptedPeer.ofNode()
        .send({ unimplemented })
        .expectAbort(/implement|unknown question 5/);
    }
  });

  it("if it is a Release is ignored: what a peer of level 0 exports lives as long as the connection", async () => {
    const peer = ScriptedPeer.ofNode();
    peer.send({ unimplemented: { release: { id: 1, referenceCount: 1 } } });
    expect(await peer.lines()).to.deep.equal([]);
    await peer.expectEmpty();
  });

  it("if it is a Resolve gives back what the promise became", async () => {
    let resolve: (value: Loose) => void = () => undefined;
    const promise = new Promise<Loose>((settle) => {
      resolve = settle;
    });
    const peer = ScriptedPeer.ofNode({ make: () => ({ node: promise }) });
    await peer.bootstrap().heard();
    peer.call(1, { importedCap: 0 }, "make");
    await peer.heard();
    const made = peer.servers.make();
    resolve(made);
    expect(await peer.lines()).to.deep.equal(["resolve 1 senderHosted 2"]);
    peer.send({ unimplemented: { resolve: { promiseId: 1, cap: { senderHosted: 2 } } } });
    await peer.settle();
    expect(peer.vat.stats().exports).to.equal(2);
    for (const questionId of [0, 1]) peer.send({ finish: { questionId, releaseResultCaps: true } });
    peer.send({ unimplemented: { resolve: { promiseId: 1, exception: { reason: "x" } } } });
    await peer.expectEmpty();
  });
});

describe("a connection that is broken by its peer", () => {
  it("tells the peer why, once, and closes", async () => {
    const peer = ScriptedPeer.ofNode();
    peer.return(5, "add").return(6, "add").bootstrap();
    expect(await peer.lines()).to.deep.equal(["abort"]);
    expect(peer.isClosed).to.equal(true);
    const reason = await peer.vat.closed;
    expect(reason).to.include({ code: "CAPNP_PROTOCOL", kind: "failed" });
    await peer.expectEmptyAfterClose();
  });

  it("by an Abort says so, and answers nothing", async () => {
    const peer = ScriptedPeer.ofNode();
    const node = bootstrapOf(peer.vat);
    const call = rejection(node.add(1, 2));
    await peer.heard();
    peer.send({ abort: { reason: "no more", type: "overloaded" } });
    expect(await peer.lines()).to.deep.equal([]);
    expect(await peer.vat.closed).to.include({ code: "CAPNP_ABORTED", kind: "overloaded" });
    const { kind, message } = await call;
    expect(kind).to.equal("disconnected");
    expect(message).to.include("no more");
    node.release();
    await peer.expectEmptyAfterClose();
  });

  it("by a message that cannot be read is aborted", async () => {
    const frames: [Uint8Array[], RegExp][] = [
      // A root that is a list, one beyond the end, and far pointers into nothing.
      [[Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0)], /struct pointer was expected/],
      [[Uint8Array.of(0, 0, 0, 0, 9, 0, 9, 0)], /out-of-bounds/],
      [[Uint8Array.of(2, 0, 0, 0, 9, 0, 0, 0)], /unknown segment/],
    ];
    for (const [segments, reason] of frames) await ScriptedPeer.ofNode().sendSegments(segments).expectAbort(reason);
  });

  it("takes an empty message for an unimplemented one without content", async () => {
    for (const segments of [[new Uint8Array(0)], [new Uint8Array(8)], []]) {
      await ScriptedPeer.ofNode().sendSegments(segments).expectAbort("does not implement unimplemented");
    }
  });
});

describe("a connection that ends", () => {
  /** Calls of all kinds that are under way when the connection ends, and clients of all kinds. */
  const busy = async () => {
    const aborted: string[] = [];
    const servers = new Servers();
    const ends: (() => void)[] = [];
    const running = (name: string) => (context: Loose) =>
      new Promise<void>((resolve) => {
        context.signal.addEventListener("abort", () => {
          aborted.push(name);
          resolve();
        });
        ends.push(resolve);
      });
    const server = servers.make({
      never_context: running("never"),
      make_context: running("make"),
      echo_context({ params, results }: Loose) {
        const { cap } = params;
        results.cap = cap;
        cap.release();
      },
      hold({ cap }: Loose) {
        held.push(cap);
      },
      two: () => ({ first: servers.make(), second: new Promise(() => undefined) }),
    });
    const held: Loose[] = [];
    const vats = new Vats({ servers, b: { bootstrap: server } });
    const node = bootstrapOf(vats.a);
    const hold = node.hold(servers.make({ add_context: running("add") }));
    const promised = node.hold(new Promise(() => undefined));
    const two = node.two(null, null);
    await vats.settle();
    await Promise.all([hold, promised]);
    const results = await two;
    const never = node.never(servers.make());
    const making = node.make("x");
    const pipelined = making.node.never(servers.make());
    const calls = [never, making, pipelined, held[0].add(1, 2), held[1].add(3, 4)];
    const errors = calls.map((call) => rejection(call));
    await vats.settle();
    return { vats, node, held, results, errors, making, aborted };
  };

  for (const how of ["closed by a", "closed by b", "destroyed", "broken by a", "aborted by b"]) {
    it(`(${how}) rejects every call at once, aborts every method, releases everything`, async () => {
      const { vats, node, held, results, errors, making, aborted } = await busy();
      if (how === "closed by a") void vats.a.close();
      else if (how === "closed by b") void vats.b.close();
      else if (how === "destroyed") vats.pair.a.destroy();
      else {
        const message = rpc.Message.newMessage(
          how === "broken by a" ? { release: { id: 99, referenceCount: 1 } } : { abort: { reason: "enough" } },
        );
        (how === "broken by a" ? vats.pair.a : vats.pair.b).send(encode(message));
      }
      await vats.settle();
      for (const error of await Promise.all(errors)) {
        expect(error).to.be.instanceOf(CapnpError);
        expect(error.kind, error.message).to.be.oneOf(
          how === "broken by a" ? ["disconnected", "failed"] : ["disconnected"],
        );
      }
      expect([...aborted].sort()).to.deep.equal(["add", "make", "never"]);
      // What is called from now on fails at once.
      const late = [node, making.node, held[0], held[1], results.first, results.second];
      for (const client of late) {
        expect((await rejection(client.add(1, 2))).kind).to.equal("disconnected");
        client.release();
      }
      expect((await rejection(bootstrapOf(vats.a).add(1, 2))).kind).to.equal("disconnected");
      await vats.expectEmptyAfterClose();
    });
  }

  it("that nobody used says nothing, and neither does one that is idle", async () => {
    const vats = new Vats();
    await vats.expectEmpty();
    expect(vats.log).to.have.lengthOf(0);
    const used = Vats.withNode({ add: () => 3 });
    const call = used.node.add(1, 2);
    await used.vats.settle();
    await call;
    used.node.release();
    await used.vats.settle();
    const sent = used.vats.log.length;
    await used.vats.expectEmpty();
    expect(used.vats.log.length).to.equal(sent);
  });

  it("is idle while it holds nothing, and only then", async () => {
    const never = pending();
    const { vats, node } = Vats.withNode({
      echo({ cap }: Loose) {
        return cap;
      },
      make: () => vats.server(),
      never_context: never.method,
    });
    const isIdle = (): boolean[] => [vats.a.isIdle, vats.b.isIdle];
    expect(isIdle(), "a question, and nothing of it at the peer yet").to.deep.equal([false, true]);
    await vats.settle();
    expect(isIdle(), "an import and an export").to.deep.equal([false, false]);
    node.release();
    await vats.settle();
    expect(isIdle()).to.deep.equal([true, true]);
    const again = bootstrapOf(vats.a);
    const making = again.make("x");
    await vats.settle();
    const { node: made } = await making;
    again.release();
    await vats.settle();
    expect(isIdle(), "the results").to.deep.equal([false, false]);
    made.release();
    await vats.settle();
    expect(isIdle()).to.deep.equal([true, true]);
    const last = bootstrapOf(vats.a);
    const waiting = last.never(null);
    last.release();
    await vats.settle();
    expect(isIdle(), "a call that runs").to.deep.equal([false, false]);
    waiting.cancel();
    await rejection(waiting);
    await vats.settle();
    expect(isIdle()).to.deep.equal([true, true]);
    never.ends[0]?.();
    await vats.expectEmpty();
  });

  it("is not disturbed by a server object that throws as it is disposed", async () => {
    const { onDisposeError } = await import("../../../lib/rpc/capability/server.ts");
    const reported: Loose[] = [];
    onDisposeError((error) => reported.push(error));
    try {
      const throwing = {
        [Symbol.dispose]() {
          throw new Error("in dispose");
        },
      };
      const { vats, node } = Vats.withNode({ make: () => vats.server(throwing), ...throwing });
      const calls = [node.make("x"), node.make("y")];
      await vats.settle();
      await Promise.all(calls);
      void vats.b.close();
      await vats.settle();
      node.release();
      await vats.expectEmptyAfterClose();
      expect(reported.map(({ message }) => message)).to.deep.equal(["in dispose", "in dispose", "in dispose"]);
    } finally {
      onDisposeError((error) => {
        throw error;
      });
    }
  });

  it("may be closed from within a method, a dispose and an abort listener", async () => {
    for (const where of ["method", "dispose", "abort"]) {
      const servers = new Servers();
      const close = (): void => void vats.b.close();
      const server = servers.make({
        void() {
          if (where === "method") close();
        },
        make: () =>
          servers.make({
            [Symbol.dispose]() {
              if (where === "dispose") close();
            },
          }),
        never_context(context: Loose) {
          return new Promise<void>((resolve) => {
            context.signal.addEventListener("abort", () => {
              resolve();
              if (where === "abort") close();
            });
          });
        },
      });
      const vats: Vats = new Vats({ servers, b: { bootstrap: server } });
      const node = bootstrapOf(vats.a);
      const never = node.never(null);
      const made = node.make("x");
      const error = rejection(never);
      await vats.settle();
      (await made).node.release();
      never.cancel();
      const last = Promise.resolve(node.void()).catch(() => undefined);
      await vats.settle();
      await Promise.all([error, last]);
      node.release();
      await vats.expectEmptyAfterClose();
    }
  });

  it("ends the calls that another connection has passed on to it, as disconnected", async () => {
    const far = Vats.withNode({ never: () => new Promise(() => undefined), make: () => far.vats.server() });
    const near = Vats.withNode({
      never_context(context: Loose) {
        context.tailCall(far.node.neverRequest());
      },
      make: () => far.node,
    });
    const call = rejection(near.node.never(null));
    const made = near.node.make("x");
    const pipelined = rejection(made.node.never(null));
    await near.vats.settle();
    await far.vats.settle();
    far.vats.pair.a.destroy();
    await far.vats.settle();
    await near.vats.settle();
    expect((await call).kind).to.equal("disconnected");
    expect((await pipelined).kind).to.equal("disconnected");
    made[Symbol.dispose]();
    near.node.release();
    far.node.release();
    await near.vats.expectEmpty();
  });
});

describe("whatever a peer sends", () => {
  /** Messages of a peer that knows the protocol and keeps none of its rules. */
  const id = fc.oneof(fc.nat({ max: 3 }), fc.constantFrom(0x80000000, 0xffffffff));
  const op = fc.oneof(fc.constant({ noop: null }), fc.record({ getPointerField: fc.nat({ max: 2 }) }));
  const promisedAnswer = fc.record({ questionId: id, transform: fc.array(op, { maxLength: 3 }) });
  const target = fc.oneof(fc.record({ importedCap: id }), fc.record({ promisedAnswer }));
  const cap = fc.oneof(
    fc.constant({ none: null }),
    fc.record({ senderHosted: id }),
    fc.record({ senderPromise: id }),
    fc.record({ receiverHosted: id }),
    fc.record({ receiverAnswer: promisedAnswer }),
    fc.record({ thirdPartyHosted: fc.record({ vineId: id }) }),
  );
  const payload = fc.record({ capTable: fc.array(cap, { maxLength: 3 }) });
  const exception = fc.record({ reason: fc.string({ maxLength: 5 }), type: fc.constantFrom("failed", "overloaded") });
  const methods = [...Node.schema.allMethods.values()].filter(({ name }) =>
    ["order", "echo", "make", "hold", "held", "fail", "two"].includes(name),
  );
  const call = fc.record({
    questionId: id,
    target,
    interfaceId: fc.constant(Node.schema.id),
    methodId: fc.constantFrom(...methods.map(({ ordinal }) => ordinal)),
    params: payload,
    onlyPromisePipeline: fc.boolean(),
    sendResultsTo: fc.constantFrom({ caller: null }, { yourself: null }),
  });
  const ret = fc
    .tuple(
      fc.record({ answerId: id, releaseParamCaps: fc.boolean(), noFinishNeeded: fc.boolean() }),
      fc.oneof(
        fc.record({ results: payload }),
        fc.record({ exception }),
        fc.constant({ canceled: null }),
        fc.record({ takeFromOtherQuestion: id }),
      ),
    )
    .map(([flags, outcome]) => ({ ...flags, ...outcome }));
  const message = fc.oneof(
    { weight: 6, arbitrary: fc.record({ call }) },
    { weight: 3, arbitrary: fc.record({ return: ret }) },
    { weight: 2, arbitrary: fc.record({ bootstrap: fc.record({ questionId: id }) }) },
    {
      weight: 3,
      arbitrary: fc.record({ finish: fc.record({ questionId: id, releaseResultCaps: fc.boolean() }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        resolve: fc.oneof(fc.record({ promiseId: id, cap }), fc.record({ promiseId: id, exception })),
      }),
    },
    { weight: 1, arbitrary: fc.record({ release: fc.record({ id, referenceCount: fc.nat({ max: 2 }) }) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        disembargo: fc.record({
          target,
          context: fc.oneof(fc.record({ senderLoopback: id }), fc.record({ receiverLoopback: id })),
        }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ unimplemented: fc.record({ call }) }) },
  );

  it("only its own connection suffers: every object is disposed once, no table holds anything afterwards", async function () {
    this.timeout(20_000);
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 25 }), async (messages) => {
        const kept: Loose[] = [];
        const servers = new Servers();
        const bootstrap = servers.make({
          order: ({ n }: Loose) => n,
          echo_context({ params, results }: Loose) {
            const { cap } = params;
            results.cap = cap;
            cap?.release();
          },
          make: () => servers.make({ order: ({ n }: Loose) => n }),
          hold({ cap }: Loose) {
            if (cap === null) return;
            kept.push(cap);
            Promise.resolve(cap.order(1)).catch(() => undefined);
          },
          held: () => ({ cap: turn().then(() => kept[0]) }),
          fail() {
            throw new Error("no");
          },
          two: () => {
            const making = kept[0]?.make("x");
            if (making === undefined) return undefined;
            pipelines.push(making);
            return { first: making.node, second: kept[0] };
          },
        });
        const pipelines: Loose[] = [];
        const peer = new ScriptedPeer({ bootstrap }, servers);
        peer.bootstrap(0);
        for (const one of messages) {
          const sent = rpc.Message.newMessage(one) as Loose;
          // Capability pointers into the table, where there is a payload.
          const payload = sent.which() === "call" ? sent.call.params : sent.which() === "return" ? sent.return : null;
          const content =
            payload === null
              ? null
              : sent.which() === "call"
                ? payload
                : payload.which() === "results" && payload.results;
          if (content) setIndex(content.content.init(testSchema.Level), 0, 0);
          peer.sendSegments(encode(sent));
          peer.pair.deliverAll();
          await Promise.resolve();
        }
        await turn();
        peer.pair.deliverAll();
        const closed = peer.vat.close();
        peer.pair.deliverAll();
        await closed;
        await turn();
        for (const client of kept) client.release();
        for (const making of pipelines) making[Symbol.dispose]();
        await turn();
        expect(peer.vat.stats()).to.include({ questions: 0, answers: 0, exports: 0, imports: 0, embargoes: 0 });
        servers.expectDisposed();
      }),
      { numRuns: 150 },
    );
  });

  it("however its bytes are damaged", async function () {
    this.timeout(20_000);
    const frames = fc.sample(message, { seed: 7, numRuns: 200 }).map((one) => encode(rpc.Message.newMessage(one)));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...frames),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 }),
        async (segments, damages) => {
          const peer = ScriptedPeer.ofNode({ hold: () => undefined });
          peer.bootstrap(9);
          const damaged = segments.map((segment) => segment.slice());
          for (const [at, value] of damages) {
            const segment = damaged[0] as Uint8Array;
            segment[at % segment.length] = value;
          }
          peer.sendSegments(damaged);
          peer.pair.deliverAll();
          await turn();
          await peer.expectEmptyAfterClose();
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("a log of messages", () => {
  it("reads every message that the vats of these tests send", async () => {
    const { vats, node } = Vats.withNode({ add: () => 3 });
    const call = node.add(1, 2);
    await vats.settle();
    await call;
    node.release();
    await vats.expectEmpty();
    expect(vats.log.map(({ message }) => describeMessage(message))).to.deep.equal([
      "bootstrap 0",
      "call 1 to answer 0[]",
      "return 0 results",
      "finish 0",
      "return 1 results",
      "release 0 x1",
    ]);
    expect(decode(encode(rpc.Message.newMessage({ abort: { reason: "x" } }))).abort.reason).to.equal("x");
  });
});
