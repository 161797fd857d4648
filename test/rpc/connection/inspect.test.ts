import { expect } from "chai";
import { check, dump } from "../../../lib/rpc/connection/inspect.ts";
import { Connection } from "../../../lib/rpc/connection/connection.ts";
import { memoryTransportPair } from "../../../lib/transport/memory.ts";
import { TwoPartyClient, TwoPartyServer } from "../../../lib/stream-vat.ts";
import type { Loose } from "../../support/loose.ts";
import { deferred, holder, pending } from "../../support/nodes.ts";
import { ScriptedPeer } from "../../support/scripted-peer.ts";
import { bootstrapOf, rejection, Servers, settle, Vats } from "../../support/vats.ts";

describe("the dump of a connection", () => {
  it("shows what is in the tables, in words", async () => {
    const held: Loose[] = [];
    const never = pending();
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        held.push(cap);
      },
      never_context: never.method,
    });
    const promised = deferred();
    const holding = [node.hold(vats.server()), node.hold(promised.promise)];
    await vats.settle();
    await Promise.all(holding);
    const waiting = node.never(null);
    const piped = waiting.cap.order(1);
    await vats.settle();
    expect(vats.a.dump()).to.deep.equal({
      closedBy: undefined,
      questions: [
        { id: 0, status: "waiting", resultsFor: "caller", pipelined: 1 },
        { id: 1, status: "waiting", resultsFor: "caller", pipelined: 0 },
      ],
      answers: [],
      exports: [
        { id: 0, references: 1, what: "an object" },
        { id: 1, references: 1, what: "a promise" },
      ],
      imports: [{ id: 0, received: 1, promised: "no" }],
      embargoes: [],
    });
    expect(vats.b.dump().answers).to.deep.equal([
      { id: 0, status: "running", finished: false },
      { id: 1, status: "running", finished: false },
    ]);
    expect(vats.b.dump().imports).to.deep.equal([
      { id: 0, received: 1, promised: "no" },
      { id: 1, received: 1, promised: "pending" },
    ]);
    waiting.cancel();
    never.ends[0]?.();
    promised.resolve(null);
    await vats.settle();
    for (const call of [waiting, piped]) await rejection(call);
    for (const client of [...held, node]) client.release();
    waiting[Symbol.dispose]();
    await vats.expectEmpty();
    expect(vats.a.dump().closedBy).to.be.a("string");
  });
});

describe("the check of a connection", () => {
  /** A connection whose tables the test spoils. */
  const spoiled = (spoil: (state: Loose) => void): string[] => {
    const connection = new Connection(
      { send: () => undefined, queued: 0 } as Loose,
      { bootstrap: () => undefined as Loose, caller: undefined },
      () => undefined,
    );
    connection.bootstrap();
    // The state is what the hook of a bootstrap knows as its connection.
    const state = connection.bootstrap().connection as Loose;
    expect(check(state)).to.deep.equal([]);
    spoil(state);
    expect(dump(state)).to.be.an("object");
    return check(state);
  };

  it("finds rows that are not where they should be, and counts that cannot be", () => {
    const hook: Loose = { isDestroyed: false, isPromise: false, connection: null, resolved: null };
    expect(
      spoiled(({ exports }) => exports.add((id: number) => ({ id, references: 0, hook, stopWaiting: undefined }))),
    ).to.deep.equal(["export 0 has 0 references"]);
    expect(
      spoiled(({ exports }) =>
        exports.add((id: number) => ({ id, references: 1, hook, stopWaiting: () => undefined })),
      ),
    ).to.deep.equal(["export 0 waits for what is no promise"]);
    expect(
      spoiled(({ exports }) =>
        exports.add(() => ({ id: 7, references: 1, hook: { ...hook, isDestroyed: true }, stopWaiting: undefined })),
      ),
    ).to.deep.equal(["export 7 is not where its id says", "export 7 holds a capability that was destroyed"]);
    expect(spoiled(({ exportsByHook }) => exportsByHook.set(hook, { id: 3, hook }))).to.deep.equal([
      "a capability would be sent as export 3, which is gone",
    ]);
    expect(
      spoiled(({ imports }) =>
        imports.set(4, { client: { id: 5, isDestroyed: true }, received: 0, promise: undefined, promised: "no" }),
      ),
    ).to.deep.equal([
      "import 5 is kept as 4",
      "import 4 was given up and not released",
      "import 4 was received 0 times",
    ]);
    expect(
      spoiled(({ imports }) =>
        imports.set(4, {
          client: { id: 4, isDestroyed: false },
          received: 1,
          promise: { isPromise: true, isDestroyed: true },
          promised: "resolved",
        }),
      ),
    ).to.deep.equal(["import 4 was resolved, and its promise waits", "import 4 has a promise that was given up"]);
    expect(
      spoiled(({ embargoes }) =>
        embargoes.add((id: number) => ({
          id,
          queued: { isPromise: false },
          replacement: { ...hook, isDestroyed: true },
        })),
      ),
    ).to.deep.equal(["embargo 0 was lifted and is still here", "embargo 0 is of a capability that was destroyed"]);
    expect(
      spoiled(({ answers }) =>
        answers.set(1, { id: 2, isFinished: true, status: "canceled", isRedirected: false, check: () => [] }),
      ),
    ).to.deep.equal([
      "answer 2 is kept as 1",
      "answer 1 was finished and is still here",
      "answer 1 was canceled and is still here",
    ]);
    expect(spoiled((state) => state.pipelineQuestions.set(3, state.questions.get(0)))).to.deep.equal([
      "question 0 is kept as 3, for its pipeline only",
    ]);
  });

  it("finds what is left of a connection that is over", () => {
    const problems = spoiled((state) => {
      state.closedBy = new Error("over");
    });
    expect(problems).to.deep.equal(["the connection is over, and questions has 2 rows"]);
  });

  it("is clean at every step of a conversation", async () => {
    const { held, methods } = holder();
    const { vats, node } = Vats.withNode({ ...methods, echo: ({ cap }: Loose) => cap });
    const mine = vats.server({ order: ({ n }: Loose) => n });
    const calls = [node.hold(mine), node.echo(mine)];
    const piped = calls[1].cap.order(1);
    for (let quiet = 0; quiet < 3; ) {
      quiet = vats.pair.step() ? 0 : quiet + 1;
      vats.expectConsistent();
      await new Promise((resolve) => setImmediate(resolve));
      vats.expectConsistent();
    }
    await Promise.all([...calls, piped]);
    for (const client of [calls[1].cap, held.take(), node]) client.release();
    calls[1][Symbol.dispose]();
    await vats.expectEmpty();
  });
});

describe("the trace of a connection", () => {
  it("is a line for each message, with the names of methods", async () => {
    const lines: string[] = [];
    const servers = new Servers();
    const bootstrap = servers.make({ echo: ({ cap }: Loose) => cap, fail: () => Promise.reject(new Error("no")) });
    const pair = memoryTransportPair({ mode: "stepped" });
    const a = new TwoPartyClient(pair.a, { trace: (line) => lines.push(line) });
    const b = new TwoPartyServer(pair.b, { bootstrap });
    const node = bootstrapOf(a);
    const echoed = node.echo(servers.make());
    await settle(pair);
    const { cap } = await echoed;
    const failing = rejection(node.fail("x"));
    await settle(pair);
    await failing;
    for (const client of [cap, node]) client.release();
    await settle(pair);
    expect(lines).to.deep.equal([
      "-> bootstrap 0",
      "-> call 1 to answer 0[]: Node.echo with senderHosted 0",
      "<- return 0: results with senderHosted 0",
      "-> finish 0",
      "<- return 1 of Node.echo: results with receiverHosted 0",
      "-> finish 1",
      "<- release 0 x1",
      "-> call 0 to export 0: Node.fail",
      "<- return 0 of Node.fail: exception, failed: no",
      "-> finish 0",
      "-> release 0 x1",
    ]);
    await Promise.all([a.close(), b.close(), settle(pair)]);
    servers.expectDisposed();
  });

  it("is one line whatever text the peer sends", async () => {
    const lines: string[] = [];
    const peer = new ScriptedPeer({ trace: (line) => lines.push(line) });
    peer.send({ abort: { reason: "over\n-> return 7 of Node.fail: results\r\u001b[2J\u2028\u202eé" } });
    await peer.settle();
    expect(lines).to.deep.equal([
      "<- abort, failed: over\\u000a-> return 7 of Node.fail: results\\u000d\\u001b[2J\\u2028\\u202eé",
    ]);
    await peer.expectEmptyAfterClose();
  });

  it("shows messages of every kind, and what cannot be read", async () => {
    const lines: string[] = [];
    const peer = new ScriptedPeer({ trace: (line) => lines.push(line) });
    peer.send((message) => {
      const call = message.init("unimplemented").init("call");
      call.questionId = 3;
      call.onlyPromisePipeline = true;
    });
    await peer.settle();
    const later = new ScriptedPeer({ trace: (line) => lines.push(line) });
    later.send({ resolve: { promiseId: 8, exception: { reason: "broken", type: "overloaded" } } });
    later.send({ resolve: { promiseId: 8, cap: { senderPromise: 2 } } });
    later.send({ provide: { questionId: 1 } });
    later.send({ disembargo: { target: { importedCap: 1 }, context: { accept: null } } });
    later.send({ abort: { reason: "enough" } });
    await later.settle();
    const garbled = new ScriptedPeer({ trace: (line) => lines.push(line) });
    garbled.sendSegments([new Uint8Array(8).fill(0xff)]);
    await garbled.settle();
    expect(lines[0]).to.equal("<- unimplemented call 3");
    expect(lines[1]).to.match(/^-> abort, failed: .*unknown question 3/);
    expect(lines.slice(2, 10)).to.deep.equal([
      "<- resolve 8 to overloaded: broken",
      "<- resolve 8 to senderPromise 2",
      "-> release 2 x1",
      "<- provide",
      "-> unimplemented provide 1",
      "<- disembargo accept 0 to export 1",
      "-> unimplemented disembargo 0",
      "<- abort, failed: enough",
    ]);
    expect(lines[10]).to.match(/^<- what cannot be read: /);
    for (const one of [peer, later, garbled]) await one.expectEmptyAfterClose();
  });
});
