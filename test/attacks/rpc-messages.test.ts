import { expect } from "chai";
import type { Loose } from "../support/loose.ts";
import { withinBudgetAsync } from "../support/budget.ts";
import { describeMessage } from "../support/rpc-messages.ts";
import { ScriptedPeer, setIndex } from "../support/scripted-peer.ts";
import { bootstrapOf, emptyTables, rejection, tablesOf } from "../support/vats.ts";

const finish = (questionId: number, releaseResultCaps = true) => ({
  finish: { questionId, releaseResultCaps, requireEarlyCancellationWorkaround: false },
});

/** A peer that has export 0 as the answer of question 0, and capability 1 as the answer of question 1. */
const withNode = async (methods: Loose = {}): Promise<ScriptedPeer> => {
  const peer = ScriptedPeer.ofNode({
    echo: () => ({ cap: null }),
    make: () => peer.servers.make(),
    void: () => undefined,
    never: (_: Loose, { signal }: Loose) =>
      new Promise<void>((resolve) => {
        signal.addEventListener("abort", () => resolve());
      }),
    data: () => new Uint8Array(8),
    ...methods,
  });
  peer.bootstrap().call(1, { importedCap: 0 }, "make");
  await peer.heard();
  return peer;
};

/** Sets the tag of a union to a number that its schema may not have. */
const setTag = (struct: Loose, offset: number, tag: number): void =>
  struct.$segment.view.setUint16(struct.$data + offset, tag, true);

/** A tag, and what is heard after it: lines, or the reason of an abort. */
type Arm = readonly [tag: number, heard: readonly string[] | RegExp];

interface Union {
  readonly of: string;
  /** Makes a message whose union has the tag. */
  readonly fill: (message: Loose, tag: number) => void;
  readonly arms: readonly Arm[];
}

const beyond = [8, 255, 256, 32_767, 32_768, 65_535];
const aborts = (reason: RegExp, ...tags: readonly number[]): Arm[] => [...tags, ...beyond].map((tag) => [tag, reason]);

const callOf = (message: Loose): Loose => {
  const call = message.init("call");
  call.questionId = 9;
  call.target = { importedCap: 0 };
  return call;
};

const unions: readonly Union[] = [
  {
    of: "Message",
    fill: (message, tag) => setTag(message, 0, tag),
    arms: [
      [0, /unimplemented/],
      [1, /^$/],
      [2, /question id 0 is already in use/],
      [3, /unknown question 0/],
      [4, ["nothing"]],
      [5, /to no capability/],
      [6, ["nothing"]],
      [8, /question id 0 is already in use/],
      [13, /does not lead back/],
      ...[7, 9, 10, 11, 12, 14, 15, ...beyond.slice(1)].map((tag): Arm => [tag, ["unimplemented"]]),
    ],
  },
  {
    of: "Call.sendResultsTo",
    fill: (message, tag) => setTag(callOf(message), 6, tag),
    arms: [
      [0, ["return 9 exception"]],
      [1, ["nothing"]],
      ...[2, 3, ...beyond].map((tag): Arm => [tag, ["unimplemented (call 9 to import 0)"]]),
    ],
  },
  {
    of: "MessageTarget",
    fill: (message, tag) => setTag(callOf(message).target, 4, tag),
    arms: [[0, ["return 9 exception"]], [1, ["return 9 exception"]], ...aborts(/unknown MessageTarget/, 2, 3)],
  },
  {
    of: "PromisedAnswer.Op",
    fill: (message, tag) => {
      const call = callOf(message);
      call.target = { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } };
      setTag(call.target.promisedAnswer.transform[0], 0, tag);
    },
    arms: [[0, ["return 9 exception"]], [1, ["return 9 exception"]], ...aborts(/unknown PromisedAnswer.Op/, 2, 3)],
  },
  {
    of: "CapDescriptor",
    fill: (message, tag) => {
      const table = callOf(message).params.init("capTable", 1);
      setTag(table[0], 0, tag);
    },
    arms: [
      ...[0, 3, 4].map((tag): Arm => [tag, ["return 9 exception"]]),
      // What we got and do not use is given back.
      ...[1, 2, 5].map((tag): Arm => [tag, ["return 9 exception", "release 0 x1"]]),
      ...aborts(/unknown CapDescriptor/, 6, 7),
    ],
  },
  {
    of: "Resolve",
    fill: (message, tag) => {
      message.init("resolve").promiseId = 77;
      setTag(message.resolve, 4, tag);
    },
    arms: [[0, /to no capability/], [1, ["nothing"]], ...aborts(/unknown Resolve/, 2, 3)],
  },
  {
    of: "Disembargo.context",
    fill: (message, tag) => {
      const disembargo = message.init("disembargo");
      disembargo.target = { importedCap: 0 };
      setTag(disembargo, 4, tag);
    },
    arms: [
      [0, /does not lead back/],
      [1, /unknown embargo 0/],
      ...[2, 3].map((tag): Arm => [tag, ["unimplemented"]]),
      ...aborts(/unknown Disembargo.context/, 4),
    ],
  },
];

const heardAfter = async (peer: ScriptedPeer): Promise<string[]> => {
  const lines = await peer.lines();
  return lines.length === 0 ? ["nothing"] : lines;
};

describe("a message from the peer", () => {
  for (const { of, fill, arms } of unions) {
    it(`is handled whatever ${of} says`, async () => {
      for (const [tag, expected] of arms) {
        const peer = await withNode();
        const before = tablesOf(peer.vat.stats());
        peer.send((message) => fill(message, tag));
        if (expected instanceof RegExp) {
          const heard = await peer.heard();
          const last = heard.at(-1);
          if (of === "Message" && tag === 1) expect(heard).to.have.lengthOf(0);
          else {
            expect(last?.which(), `${of} ${tag}: ${heard.map(describeMessage).join()}`).to.equal("abort");
            expect(last.abort.reason, `${of} ${tag}`).to.match(expected);
          }
          expect(peer.isClosed, `${of} ${tag}`).to.equal(true);
        } else {
          const lines = await heardAfter(peer);
          expect(lines, `${of} ${tag}`).to.have.lengthOf(expected.length);
          for (const [i, line] of lines.entries()) expect(line, `${of} ${tag}`).to.include(expected[i]);
          if (lines[0]?.startsWith("unimplemented")) expect(tablesOf(peer.vat.stats())).to.deep.equal(before);
        }
        await peer.expectEmptyAfterClose();
      }
    });
  }

  it("is handled whatever Return says, for a question that waits, that was canceled, and that is not known", async () => {
    for (const tag of [0, 1, 2, 3, 4, 5, 6, ...beyond]) {
      for (const state of ["waits", "canceled", "unknown"]) {
        const peer = await withNode();
        const client = bootstrapOf(peer.vat);
        const call = client.never();
        const rejected = rejection(call);
        await peer.heard();
        if (state === "canceled") call.cancel();
        await peer.settle();
        peer.received.length = 0;
        peer.send((message) => {
          const ret = message.init("return");
          ret.answerId = state === "unknown" ? 3 : 1;
          setTag(ret, 6, tag);
        });
        const heard = await peer.heard();
        const isFine = state === "canceled" || (state === "waits" && [0, 1, 5].includes(tag));
        expect(heard.at(-1)?.which() === "abort", `${state} ${tag}`).to.equal(!isFine);
        client.release();
        await peer.expectEmptyAfterClose();
        // Null results are results.
        if (state !== "waits" || tag !== 0) await rejected;
        else call[Symbol.dispose]();
      }
    }
  });

  it("with an exception of an unknown type is a failure like any other", async () => {
    for (const [type, kind] of [
      [0, "failed"],
      [1, "overloaded"],
      [2, "disconnected"],
      [3, "unimplemented"],
      [4, "failed"],
      [65_535, "failed"],
    ] as const) {
      const peer = await withNode();
      const client = bootstrapOf(peer.vat);
      await peer.heard();
      peer.send((message) => {
        const ret = message.init("return");
        ret.answerId = 0;
        ret.init("exception").reason = "no";
        setTag(ret.exception, 4, type);
      });
      await peer.heard();
      expect(await rejection(client.void())).to.include({ kind, message: "remote exception: no" });
      client.release();
      for (const id of [0, 1]) peer.send(finish(id));
      await peer.expectEmpty();
    }
  });
});

describe("an id that the peer made up", () => {
  const cases: readonly (readonly [what: string, message: object, heard: RegExp | string])[] = [
    ["the target of a Call", { call: { questionId: 5, target: { importedCap: 9 } } }, /unknown export 9/],
    [
      "the answer that a Call is pipelined on",
      { call: { questionId: 5, target: { promisedAnswer: { questionId: 9 } } } },
      "return 5 exception",
    ],
    ["the question of a Return", { return: { answerId: 9, canceled: null } }, /unknown question 9/],
    [
      "the question of a Return without a Finish to come",
      { return: { answerId: 9, noFinishNeeded: true, canceled: null } },
      /unknown question 9/,
    ],
    [
      "a question for its pipeline only",
      { return: { answerId: 2 ** 31, canceled: null } },
      /unknown question 2147483648/,
    ],
    ["the question of a Finish", finish(9), "nothing"],
    ["the promise of a Resolve", { resolve: { promiseId: 9, exception: { reason: "no" } } }, "nothing"],
    [
      "the promise of a Resolve with a capability",
      { resolve: { promiseId: 9, cap: { senderHosted: 4 } } },
      "release 4 x1",
    ],
    ["the promise of a Resolve with one of ours", { resolve: { promiseId: 9, cap: { receiverHosted: 0 } } }, "nothing"],
    ["the capability of a Resolve", { resolve: { promiseId: 9, cap: { receiverHosted: 99 } } }, "nothing"],
    ["the export of a Release", { release: { id: 9, referenceCount: 1 } }, /unknown export 9/],
    ["the export of a Release of nothing", { release: { id: 9, referenceCount: 0 } }, /unknown export 9/],
    [
      "the embargo of a Disembargo",
      { disembargo: { target: { importedCap: 0 }, context: { receiverLoopback: 9 } } },
      /unknown embargo 9/,
    ],
    [
      "the target of a Disembargo",
      { disembargo: { target: { importedCap: 9 }, context: { senderLoopback: 1 } } },
      /unknown export 9/,
    ],
    [
      "the answer that a Disembargo is for",
      { disembargo: { target: { promisedAnswer: { questionId: 9 } }, context: { senderLoopback: 1 } } },
      /broken/,
    ],
    ["the call that is not implemented", { unimplemented: { call: { questionId: 9 } } }, /unknown question 9/],
    [
      "the Bootstrap that is not implemented",
      { unimplemented: { bootstrap: { questionId: 9 } } },
      /unknown question 9/,
    ],
    [
      "the capability of a Resolve that is not implemented",
      { unimplemented: { resolve: { promiseId: 1, cap: { senderHosted: 9 } } } },
      /unknown export 9/,
    ],
    [
      "the Return that is not implemented",
      { unimplemented: { return: { answerId: 9, takeFromOtherQuestion: 1 } } },
      /does not implement Return/,
    ],
  ];
  for (const [what, message, expected] of cases) {
    it(`as ${what} ends at most the connection`, async () => {
      const peer = await withNode();
      peer.send(message);
      const heard = await peer.heard();
      const lines = heard.map(describeMessage);
      if (expected instanceof RegExp) {
        expect(heard.at(-1)?.which(), lines.join()).to.equal("abort");
        expect(heard.at(-1).abort.reason).to.match(expected);
        await peer.expectEmptyAfterClose();
      } else {
        expect(lines.length === 0 ? ["nothing"] : lines).to.deep.equal([expected]);
        for (const id of [0, 1, 5]) peer.send(finish(id));
        await peer.expectEmpty();
      }
    });
  }

  it("as a capability in params is a broken one to the method, and nothing to the connection", async () => {
    const reasons: string[] = [];
    const peer = await withNode({
      async two({ first, second }: Loose) {
        for (const cap of [first, second]) {
          reasons.push(
            await cap.void().then(
              () => "none",
              (error: Error) => error.message,
            ),
          );
          cap.release();
        }
        return {};
      },
    });
    peer.call(
      5,
      { importedCap: 0 },
      "two",
      (params) => {
        setIndex(params, 0, 0);
        setIndex(params, 1, 1);
      },
      (call) => {
        call.params.capTable = [{ receiverHosted: 99 }, { receiverAnswer: { questionId: 99 } }];
      },
    );
    await peer.heard();
    expect(reasons[0]).to.include("receiverHosted 99");
    expect(reasons[1]).to.include("already closed");
    for (const id of [0, 1, 5]) peer.send(finish(id));
    await peer.expectEmpty();
  });
});

describe("what the peer does twice", () => {
  it("is no harm as a Finish, and ends the connection as a Return, a Release or a question", async () => {
    const finished = await withNode();
    finished.send(finish(1)).send(finish(1)).send(finish(0));
    await finished.expectEmpty();

    const released = await withNode();
    released
      .send(finish(1, false))
      .send({ release: { id: 1, referenceCount: 1 } })
      .send({ release: { id: 1, referenceCount: 1 } });
    await released.expectAbort("unknown export 1");

    const asked = await withNode();
    asked.bootstrap(1);
    await asked.expectAbort("question id 1 is already in use");

    const returned = await withNode();
    const client = returned.vat.bootstrap() as Loose;
    await returned.heard();
    for (let i = 0; i < 2; i++) returned.return(0, "make");
    const heard = await returned.heard();
    expect(heard.at(-1).abort.reason).to.match(/unknown question 0/);
    client.release();
    await returned.expectEmptyAfterClose();
  });

  it("is counted as capability: n times in one table are n references, given back in one Release", async () => {
    for (const which of ["senderHosted", "senderPromise", "thirdPartyHosted"]) {
      const peer = await withNode();
      peer.call(5, { importedCap: 0 }, "void", undefined, (call) => {
        const one = which === "thirdPartyHosted" ? { [which]: { vineId: 7 } } : { [which]: 7 };
        call.params.capTable = Array.from({ length: 1024 }, () => one);
      });
      const lines = await peer.lines();
      expect(lines).to.include("release 7 x1024");
      expect(lines).to.have.lengthOf(2);
      for (const id of [0, 1, 5]) peer.send(finish(id));
      await peer.expectEmpty();
    }
  });

  it("is a Release of 0 references, of more than there are, or of 2^32 - 1", async () => {
    const none = await withNode();
    for (let i = 0; i < 100; i++) none.send({ release: { id: 1, referenceCount: 0 } });
    expect(await none.lines()).to.deep.equal([]);
    expect(none.vat.stats().exports).to.equal(2);
    for (const id of [0, 1]) none.send(finish(id));
    await none.expectEmpty();
    for (const count of [2, 2 ** 31, 2 ** 32 - 1]) {
      const peer = await withNode();
      peer.send({ release: { id: 1, referenceCount: count } });
      await peer.expectAbort(`Release of ${count} references to export 1, which has 1`);
    }
  });

  it("is a Finish that gives back results which a Release gave back before: the connection ends", async () => {
    const peer = await withNode();
    peer.send({ release: { id: 1, referenceCount: 1 } }).send(finish(1, true));
    await peer.expectAbort("unknown export 1");
  });
});

describe("a transform", () => {
  const outcome = async (questionId: number, method: string | undefined, length: number): Promise<string> => {
    const peer = await withNode();
    if (method !== undefined) peer.call(2, { importedCap: 0 }, method);
    await peer.heard();
    peer.call(5, { importedCap: 0 }, "void", undefined, (call) => {
      const answer = call.target.init("promisedAnswer");
      answer.questionId = questionId;
      const ops = answer.init("transform", length);
      for (let i = 0; i < length; i++) ops[i].getPointerField = i % 3;
    });
    const heard = await withinBudgetAsync(() => peer.heard(), {
      cpuMs: 2000,
      bufferBytes: 64 * 2 ** 20,
      heapBytes: 64 * 2 ** 20,
    });
    const last = heard.at(-1);
    await peer.expectEmptyAfterClose();
    if (last === undefined) return "waits";
    return last.which() === "abort" ? last.abort.reason : (last.return.exception?.reason ?? last.return.which());
  };

  it("of length 0, 1 or 64 finds a capability or a broken one, in whatever results", async () => {
    for (const length of [0, 1, 64]) {
      expect(await outcome(1, undefined, length)).to.match(
        length === 1 ? /unimplemented|not implemented/i : /null capability|capability/i,
      );
      expect(await outcome(2, "echo", length), "null").to.match(/capabilit/);
      expect(await outcome(2, "data", length), "data").to.match(/capabilit/);
      expect(await outcome(2, "void", length), "finished").to.match(/already closed/);
      expect(await outcome(2, "never", length), "pending").to.equal("waits");
      expect(await outcome(99, undefined, length), "unknown").to.match(/already closed/);
    }
  });

  it("of length 65 or 1,000,000 ends the connection, and is not read to its end", async () => {
    for (const length of [65, 1_000_000]) {
      expect(await outcome(1, undefined, length)).to.equal(
        `A message has ${length} operations in a transform; the limit is 64 (maxTransformOps).`,
      );
    }
  });
});

describe("the ledger of a connection", () => {
  /** What a peer may do between a bootstrap with one `make` and the Finishes of both; each ends with no row of its own. */
  const traces: Readonly<Record<string, (peer: ScriptedPeer) => void>> = {
    "a call that returns": (peer) => peer.call(5, { importedCap: 0 }, "void").send(finish(5)),
    "a call that fails": (peer) => peer.call(5, { importedCap: 0 }, "order").send(finish(5)),
    "a call that is canceled": (peer) => peer.call(5, { importedCap: 0 }, "never").send(finish(5)),
    "a call that is canceled before it is heard": (peer) =>
      peer.call(5, { promisedAnswer: { questionId: 1, transform: [{ getPointerField: 0 }] } }, "never").send(finish(5)),
    "capabilities in params that nobody reads": (peer) =>
      peer
        .call(5, { importedCap: 0 }, "void", undefined, (call) => {
          call.params.capTable = [{ senderHosted: 1 }, { senderPromise: 2 }, { receiverHosted: 0 }, { none: null }];
        })
        .send(finish(5)),
    "a promise in params that resolves when it was released": (peer) =>
      peer
        .call(5, { importedCap: 0 }, "void", undefined, (call) => {
          call.params.capTable = [{ senderPromise: 2 }];
        })
        .send(finish(5))
        .send({ resolve: { promiseId: 2, cap: { senderHosted: 3 } } })
        .send({ resolve: { promiseId: 2, cap: { senderHosted: 3 } } }),
    "results for the peer itself, which it gives up": (peer) =>
      peer
        .call(5, { importedCap: 0 }, "make", undefined, (call) => {
          call.sendResultsTo = { yourself: null };
        })
        .send(finish(5)),
    "a call for its pipeline only": (peer) =>
      peer
        .call(5, { importedCap: 0 }, "make", undefined, (call) => {
          call.onlyPromisePipeline = true;
        })
        .call(6, { promisedAnswer: { questionId: 5, transform: [{ getPointerField: 0 }] } }, "void")
        .send(finish(5))
        .send(finish(6)),
    "many results that one Finish each gives back": (peer) => {
      for (let id = 10; id < 60; id++) peer.call(id, { importedCap: 0 }, "make");
      for (let id = 10; id < 60; id++) peer.send(finish(id));
    },
    "what nobody implements": (peer) => peer.send({ provide: { questionId: 5, target: { importedCap: 0 } } }),
  };
  for (const [what, trace] of Object.entries(traces)) {
    it(`is empty after ${what}`, async () => {
      for (const atOnce of [false, true]) {
        const peer = await withNode();
        trace(peer);
        if (!atOnce) await peer.settle();
        for (const id of [0, 1]) peer.send(finish(id));
        await peer.settle();
        expect(tablesOf(peer.vat.stats())).to.deep.equal(emptyTables);
        expect(peer.vat.stats()).to.include({ calls: 0, paramBytes: 0, resultBytes: 0 });
        await peer.expectEmpty();
      }
    });
  }
});
