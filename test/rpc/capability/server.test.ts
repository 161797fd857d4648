import { expect } from "chai";
import { CapnpError } from "../../../lib/errors.ts";
import { expectError } from "../../support/errors.ts";
import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node, Left, Right, Both, Base, Words, Other, Cell, Cells } = testSchema;

const lateSum = async ({ a, b }: Loose): Promise<number> => {
  await turn();
  return a + b;
};

describe("a server method", () => {
  /** Calls a method of a server with these methods, across a connection, and expects that nothing is left of it. */
  const ask = async (methods: Loose, use: (node: Loose, vats: Vats) => Promise<unknown>): Promise<void> => {
    const { vats, node } = Vats.withNode(methods);
    await use(node, vats);
    node.release();
    await vats.expectEmpty();
  };

  /** Awaits while messages move. */
  const over = async (vats: Vats, promise: PromiseLike<unknown>): Promise<Loose> => {
    const outcome = Promise.resolve(promise);
    outcome.catch(() => undefined);
    await vats.settle();
    return outcome;
  };

  it("is called with its params, by name", () =>
    ask({ add: ({ a, b }: Loose) => ({ sum: a + b }) }, async (node, vats) => {
      expect((await over(vats, node.add({ a: 2, b: 3 }))).sum).to.equal(5);
    }));

  it("is called as the _context form where both exist", () =>
    ask(
      {
        add: () => ({ sum: 0 }),
        add_context(context: Loose) {
          context.results.sum = context.params.a * context.params.b;
        },
      },
      async (node, vats) => expect((await over(vats, node.add(6, 7))).sum).to.equal(42),
    ));

  it("may return a single result bare, by name, or as a promise of either", async () => {
    for (const returned of [7, { sum: 7 }, Promise.resolve(7), Promise.resolve({ sum: 7 })]) {
      await ask({ add: () => returned }, async (node, vats) => {
        expect((await over(vats, node.add(1, 2))).sum).to.equal(7);
      });
    }
  });

  it("may return several results by name or as an array in the order of the schema", async () => {
    for (const returned of [{ quotient: 3, remainder: 1 }, [3, 1], { remainder: 1, quotient: 3 }]) {
      await ask({ divide: () => returned }, async (node, vats) => {
        const { quotient, remainder } = await over(vats, node.divide(7, 2));
        expect([quotient, remainder]).to.deep.equal([3, 1]);
      });
    }
  });

  it("that returns an array as its one result returns that list", () =>
    ask({ list: ({ numbers }: Loose) => [...numbers].reverse() }, async (node, vats) => {
      expect([...(await over(vats, node.list([1, 2, 3]))).numbers]).to.deep.equal([3, 2, 1]);
    }));

  it("that returns nothing returns an empty struct", () =>
    ask({ void: () => undefined, add: () => undefined }, async (node, vats) => {
      await over(vats, node.void());
      expect((await over(vats, node.add(1, 2))).sum).to.equal(0);
      const [, { results }] = vats.messages("return", "b");
      expect(results.content.isNull).to.equal(false);
    }));

  it("may return the results that another call has brought", () =>
    ask(
      {
        async divide() {
          using other = new Node.Client(one);
          return await other.divide(9, 4);
        },
      },
      async (node, vats) => {
        one = vats.server({ divide: ({ a, b }: Loose) => [Math.trunc(a / b), a % b] });
        const { quotient, remainder } = await over(vats, node.divide(0, 0));
        expect([quotient, remainder]).to.deep.equal([2, 1]);
      },
    ));
  let one: Loose;

  it("whose results do not fit the schema fails, and the call says how", () =>
    ask({ add: () => "five", divide: () => 3, void: () => 1 }, async (node, vats) => {
      expect((await rejection(over(vats, node.add(1, 2)))).message).to.include("sum");
      expect((await rejection(over(vats, node.divide(1, 2)))).message).to.include("2 results");
      expect((await rejection(over(vats, node.void()))).message).to.include("0 results");
    }));

  it("whose results are not sent leaves no promise among them without a handler", async () => {
    const unhandled: unknown[] = [];
    const hear = (reason: unknown): unknown => unhandled.push(reason);
    process.on("unhandledRejection", hear);
    try {
      const broken = (): Promise<never> => Promise.reject(new Error("never awaited"));
      const methods = { add: () => ({ sum: broken() }), divide: () => [broken(), broken(), broken()] };
      await ask(methods, async (node, vats) => {
        expect((await rejection(over(vats, node.add(1, 2)))).message).to.include("sum");
        expect((await rejection(over(vats, node.divide(1, 2)))).message).to.include("2 results");
      });
      await ask({ add: () => turn().then(() => ({ sum: broken() })) }, async (node, vats) => {
        const given = node.add(1, 2);
        const outcome = rejection(given);
        await turn();
        given.cancel();
        await vats.settle();
        expect((await outcome).code).to.equal("CAPNP_CANCELED");
      });
      await turn();
      expect(unhandled).to.deep.equal([]);
    } finally {
      process.off("unhandledRejection", hear);
    }
  });

  it("that throws at once, or rejects, fails the call", () =>
    ask(
      {
        add() {
          throw new Error("at once");
        },
        void: () => Promise.reject(new Error("later")),
      },
      async (node, vats) => {
        expect((await rejection(over(vats, node.add(1, 2)))).message).to.equal("remote exception: at once");
        expect((await rejection(over(vats, node.void()))).message).to.equal("remote exception: later");
      },
    ));

  it("may throw anything at all", async () => {
    const thrown = [
      "text",
      undefined,
      null,
      42,
      Symbol("s"),
      { toString: () => "an object" },
      Object.create(null),
      {
        toString() {
          throw new Error("no text");
        },
      },
      Object.assign(new Error("x"), { message: 42 }),
      Object.defineProperty(new Error("x"), "message", {
        get() {
          throw new Error("no message");
        },
      }),
    ];
    for (const error of thrown) {
      await ask(
        {
          void() {
            throw error;
          },
          add: () => Promise.reject(error),
        },
        async (node, vats) => {
          expect(await rejection(over(vats, node.void()))).to.be.instanceOf(CapnpError);
          expect(await rejection(over(vats, node.add(1, 2)))).to.be.instanceOf(CapnpError);
        },
      );
    }
  });

  it("may return a promise of its own making, even a broken one", () =>
    ask(
      {
        add: () => ({ then: (resolve: (value: number) => void) => resolve(9) }),
        void: () => ({
          then() {
            throw new Error("then threw");
          },
        }),
      },
      async (node, vats) => {
        expect((await over(vats, node.add(1, 2))).sum).to.equal(9);
        expect((await rejection(over(vats, node.void()))).message).to.equal("remote exception: then threw");
      },
    ));

  it("that the class lacks is unimplemented, as is one of an interface that the object does not have", () =>
    ask({}, async (node, vats) => {
      const missing = await rejection(over(vats, node.add(1, 2)));
      expect(missing.kind).to.equal("unimplemented");
      expect(missing.message).to.include("add");
      using other = node.castAs(Other);
      const wrong = await rejection(over(vats, other.other()));
      expect(wrong.kind).to.equal("unimplemented");
    }));

  it("is found in the class, in the classes it extends and on the object, never on Object.prototype", async () => {
    class First extends Words.Server {
      delete() {
        return "First.delete";
      }
    }
    class Second extends First {
      class() {
        return "Second.class";
      }
    }
    const vats = new Vats();
    const local = new Second() as Loose;
    local.valueOf = () => "own valueOf";
    const words = new Words.Client(local);
    expect((await words.delete()).text).to.equal("First.delete");
    expect((await words.class()).text).to.equal("Second.class");
    expect((await words.valueOf()).text).to.equal("own valueOf");
    for (const name of ["constructor", "toString", "hasOwnProperty", "dispatch"]) {
      expect((await rejection(words[name]())).kind, name).to.equal("unimplemented");
    }
    (words as Loose)[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("serves every interface that it inherits, by the id of the one that declares it; of a diamond each once", async () => {
    const { vats, node } = Vats.withNode({});
    const server = vats.server(
      { base: () => "base", left: () => "left", right: () => "right", both: () => "both", side: () => "side" },
      Both,
    );
    node.release();
    const both = new Both.Client(server);
    for (const [type, names] of [
      [Base, ["base"]],
      [Left, ["base", "left", "side"]],
      [Right, ["base", "right", "side"]],
      [Both, ["base", "left", "right", "both", "side"]],
    ] as const) {
      using one = both.castAs(type);
      for (const name of names) expect((await one[name]()).text, name).to.equal(name);
    }
    both.release();
    await vats.expectEmpty();
  });

  it("runs in a later microtask than the call, and the calls of one turn run in their order", async () => {
    const calls: number[] = [];
    const vats = new Vats();
    const server = vats.server({
      order({ n }: Loose) {
        calls.push(n);
        return n;
      },
    });
    const node = new Node.Client(server);
    const all = [node.order(0), node.order(1), node.order(2)];
    expect(calls).to.deep.equal([]);
    await Promise.all(all);
    expect(calls).to.deep.equal([0, 1, 2]);
    node.release();
    await vats.expectEmpty();
  });
});

describe("a method's context", () => {
  it("gives results in place, the peer, and a signal that is not aborted", async () => {
    let peer: Loose;
    let aborted: Loose;
    const { vats, node } = Vats.withNode({
      divide_context(context: Loose) {
        ({ peer } = context);
        aborted = context.signal.aborted;
        context.allowCancellation();
        context.results.quotient = 4;
        context.results.remainder = 2;
      },
    });
    const call = node.divide(1, 1);
    await vats.settle();
    const { quotient, remainder } = await call;
    expect([quotient, remainder]).to.deep.equal([4, 2]);
    expect(peer.address).to.equal("memory:a");
    expect(aborted).to.equal(false);
    node.release();
    await vats.expectEmpty();
  });

  it("releases params early: what they hold is released, and reading them is an error", async () => {
    let error: Loose;
    let after: Promise<void> | undefined;
    const { vats, node } = Vats.withNode({
      async never_context(context: Loose) {
        context.releaseParams();
        after = turn();
        try {
          context.params;
        } catch (thrown) {
          error = thrown;
        }
        await new Promise((resolve) => {
          finish = () => resolve(undefined);
        });
      },
    });
    let finish: () => void = () => undefined;
    const mine = vats.server();
    const call = node.never(mine);
    await vats.settle();
    await after;
    expect(error.code).to.equal("CAPNP_RELEASED");
    expect(vats.servers.isDisposed(mine)).to.equal(true);
    finish();
    await vats.settle();
    await call;
    node.release();
    await vats.expectEmpty();
  });

  it("has no results any more once the call is done, whichever vat called", async () => {
    const kept: Loose[] = [];
    const { vats, node, server } = Vats.withNode({
      divide_context(context: Loose) {
        kept.push(context);
        context.results.quotient = 5;
      },
    });
    const local = new Node.Client(server);
    const calls = [node.divide(1, 1), local.divide(1, 1)];
    await vats.settle();
    expect((await Promise.all(calls)).map(({ quotient }) => quotient)).to.deep.equal([5, 5]);
    expect(kept).to.have.lengthOf(2);
    for (const context of kept) expectError("CAPNP_RELEASED", () => context.results, /goes nowhere/);
    node.release();
    local.release();
    await vats.expectEmpty();
  });

  it("sends a tail call's results as the results of the call, whatever the method returns", async () => {
    for (const after of ["nothing", "results", "an error"]) {
      const { vats, node } = Vats.withNode({
        add_context(context: Loose) {
          const request = other.addRequest();
          request.a = context.params.a;
          request.b = context.params.b;
          context.tailCall(request);
          if (after === "results") return 99;
          if (after === "an error") throw new Error("too late");
          return undefined;
        },
      });
      const other = new Node.Client(vats.server({ add: lateSum }));
      const call = node.add(20, 22);
      await vats.settle();
      expect((await call).sum, after).to.equal(42);
      other.release();
      node.release();
      await vats.expectEmpty();
    }
  });

  it("sends a tail call within the vat, too", async () => {
    const vats = new Vats();
    const other = new Node.Client(vats.server({ add: lateSum }));
    const node = new Node.Client(
      vats.server({
        add_context(context: Loose) {
          const request = other.addRequest();
          request.a = context.params.a;
          request.b = context.params.b;
          context.tailCall(request);
        },
      }),
    );
    expect((await node.add(20, 22)).sum).to.equal(42);
    other.release();
    node.release();
    await vats.expectEmpty();
  });

  it("passes a call on from one to the next more often than the stack is deep: it returns, fails and is given up", async () => {
    const servers = new Servers();
    const links = 20_000;
    let canceled = 0;
    const server = servers.make({
      divide_context(context: Loose) {
        const { a, b } = context.params;
        if (a > 0) context.tailCall(self.divideRequest({ a: a - 1, b }));
        else if (b === 0) context.results.quotient = 5;
        else if (b === 1) throw new Error("the last one failed");
        else {
          context.signal.addEventListener("abort", () => canceled++);
          return new Promise(() => undefined);
        }
        return undefined;
      },
    });
    const self = new Node.Client(server);
    expect((await self.divide(links, 0)).quotient).to.equal(5);
    expect((await rejection(self.divide(links, 1))).message).to.equal("the last one failed");
    const givingUp = new AbortController();
    const call = rejection(self.divide(links, 2, { signal: givingUp.signal }));
    await turn();
    givingUp.abort();
    expect((await call).code).to.equal("CAPNP_CANCELED");
    await turn();
    expect(canceled).to.equal(1);
    self.release();
  });

  it("takes for a tail call only a request that was not sent", async () => {
    const errors: Loose[] = [];
    const { vats, node } = Vats.withNode({
      add_context(context: Loose) {
        const request = other.addRequest();
        request.send().cancel();
        for (const wrong of [request, {}, null, 1]) {
          try {
            context.tailCall(wrong);
          } catch (error) {
            errors.push(error);
          }
        }
        context.results.sum = 1;
      },
    });
    const other = new Node.Client(vats.server({ add: () => 5 }));
    const call = node.add(1, 2);
    await vats.settle();
    expect((await call).sum).to.equal(1);
    expect(errors.map(({ code }) => code)).to.deep.equal(new Array(4).fill("CAPNP_CALL"));
    other.release();
    node.release();
    await vats.expectEmpty();
  });

  it("tells where pipelined calls go before the method is done", async () => {
    const calls: number[] = [];
    let finish: () => void = () => undefined;
    const { vats, node } = Vats.withNode({
      async make_context(context: Loose) {
        context.setPipeline({ node: inner });
        await new Promise((resolve) => {
          finish = () => resolve(undefined);
        });
        context.results.node = inner;
      },
    });
    const inner = vats.server({
      order({ n }: Loose) {
        calls.push(n);
        return n;
      },
    });
    const making = node.make("x");
    const first = making.node.order(1);
    await vats.settle();
    await first;
    expect(calls).to.deep.equal([1]);
    const second = making.node.order(2);
    await vats.settle();
    await second;
    finish();
    await vats.settle();
    const { node: made } = await making;
    const third = made.order(3);
    await vats.settle();
    await third;
    expect(calls).to.deep.equal([1, 2, 3]);
    for (const client of [made, making.node, node]) client.release();
    await vats.expectEmpty();
  });

  it("gives back what the pipeline was set to, also where the results hold nothing or the call fails", async () => {
    for (const outcome of ["nothing", "error", "again", "local"]) {
      const { vats, node } = Vats.withNode({
        make_context(context: Loose) {
          context.setPipeline({ node: inner });
          if (outcome === "again") context.setPipeline({ node: inner });
          if (outcome === "error") throw new Error("no");
        },
      });
      const inner = vats.server({}, Node);
      const target = outcome === "local" ? new Node.Client(vats.server({ make_context: makeLocal })) : node;
      function makeLocal(context: Loose) {
        context.setPipeline({ node: inner });
      }
      const call = target.make("x");
      await vats.settle();
      await Promise.resolve(call).catch(() => undefined);
      expect(vats.servers.isDisposed(inner), outcome).to.equal(true);
      if (target !== node) target.release();
      node.release();
      await vats.expectEmpty();
    }
  });
});

describe("a server object", () => {
  it("is disposed once, when its last reference is gone", async () => {
    const vats = new Vats();
    const server = vats.server();
    const first = new Node.Client(server);
    const second = new Node.Client(server);
    first.release();
    first.release();
    expect(vats.servers.isDisposed(server)).to.equal(false);
    second.release();
    expect(vats.servers.isDisposed(server)).to.equal(true);
    await vats.expectEmpty();
  });

  it("is closed by close() where it has no [Symbol.dispose]()", async () => {
    let closed = 0;
    class Closing extends Node.Server {
      async close() {
        closed++;
      }
    }
    new Node.Client(new Closing()).release();
    await turn();
    expect(closed).to.equal(1);
  });

  it("whose interface has a method named close is not closed by it", async () => {
    let closed = 0;
    class Closing extends Words.Server {
      close({ reason }: Loose) {
        closed++;
        return reason;
      }
    }
    const words = new Words.Client(new Closing());
    expect((await words.close("why")).text).to.equal("why");
    words[Symbol.dispose]();
    await turn();
    expect(closed).to.equal(1);
  });

  it("lives until its running calls are done, though the last reference is gone", async () => {
    let finish: (value: number) => void = () => undefined;
    const vats = new Vats();
    const server = vats.server({
      add: () =>
        new Promise<number>((resolve) => {
          finish = resolve;
        }),
    });
    const node = new Node.Client(server);
    const call = node.add(1, 2);
    node.release();
    await turn();
    expect(vats.servers.isDisposed(server)).to.equal(false);
    finish(3);
    expect((await call).sum).to.equal(3);
    await turn();
    await vats.expectEmpty();
  });

  it("whose class has a method named then may be returned and passed", async () => {
    const { vats, node } = Vats.withNode({
      any_context(context: Loose) {
        context.results.any.set(words);
      },
    });
    const words = vats.server({ then: () => ({ valueOf: "thenned" }) }, Words);
    const call = node.any();
    await vats.settle();
    const result = (await call).any.as(Words);
    const then = result.then_("a", "b");
    await vats.settle();
    expect((await then).valueOf).to.equal("thenned");
    result[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("of a generic interface gives typed capabilities", async () => {
    const vats = new Vats();
    const inner = vats.server({ add: () => 8 });
    const nodesCell = vats.server({ get: () => inner }, Cell);
    const textsCell = vats.server({ get: () => "text" }, Cell);
    const cells = new Cells.Client(vats.server({ nodes: () => nodesCell, texts: () => textsCell }, Cells));
    const nodes = cells.nodes();
    const get = nodes.cell.get();
    expect((await get.value.add(1, 2)).sum).to.equal(8);
    const { value } = await get;
    expect(value).to.be.instanceOf(Node.Client);
    value.release();
    const texts = cells.texts();
    expect((await texts.cell.get()).value).to.equal("text");
    for (const call of [get, nodes, texts]) call[Symbol.dispose]();
    cells.release();
    await vats.expectEmpty();
  });
});
