import { getEventListeners } from "node:events";
import { expect } from "chai";
import { release } from "../../../lib/release.ts";
import { onDisposeError } from "../../../lib/rpc/capability/server.ts";
import { RemotePromise } from "../../../lib/rpc/capability/remote-promise.ts";
import { expectError } from "../../support/errors.ts";
import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { rejection, turn, Vats } from "../../support/vats.ts";

const { Node, Base, Left, Right, Both, Other, Words } = testSchema;

describe("a client", () => {
  it("gives a request the params that it was made with, and refuses what are no params of it", async () => {
    const { vats, node } = Vats.withNode({ divide: ({ a, b }: Loose) => [a, b] });
    const { structClass } = Node.schema.allMethods.get("divide").params;
    const byName = node.divideRequest({ a: 1, b: 2 });
    byName.b = 3;
    const requests = [byName, node.divideRequest(4, 5), node.divideRequest(structClass.newMessage({ a: 6, b: 7 }))];
    const calls = [...requests, node.divideRequest({})].map((request) => request.send());
    await vats.settle();
    const results = await Promise.all(calls);
    expect(results.map(({ quotient, remainder }) => [quotient, remainder])).to.deep.equal([
      [1, 3],
      [4, 5],
      [6, 7],
      [0, 0],
    ]);
    expectError("CAPNP_NO_SUCH_FIELD", () => node.divideRequest({ a: 1, c: 2 }), '"c"');
    expectError("CAPNP_TYPE", () => node.divideRequest({ a: 1 }, { timeout: 5 }), /go to send\(\)/);
    expectError("CAPNP_TYPE", () => node.divideRequest(1, 2, 3), /at most 2 params; 3 arguments/);
    node.release();
    await vats.expectEmpty();
  });

  it("takes params by name, by position, and as a struct of params", async () => {
    const { vats, node } = Vats.withNode({ divide: ({ a, b }: Loose) => [a, b] });
    const request = node.divideRequest();
    request.a = 5;
    request.b = 6;
    const calls = [node.divide({ a: 1, b: 2 }), node.divide(3, 4), request.send(), node.divide({ b: 7 })];
    calls.push(node.divide(undefined, 8), node.divide(), node.divide({}));
    const { structClass } = Node.schema.allMethods.get("divide").params;
    calls.push(node.divide(structClass.newMessage({ a: 9, b: 10 })));
    calls.push(node.divide(structClass.newMessage({ a: 11, b: 12 }).asReader()));
    await vats.settle();
    const results = await Promise.all(calls);
    expect(results.map(({ quotient, remainder }) => [quotient, remainder])).to.deep.equal([
      [1, 2],
      [3, 4],
      [5, 6],
      [0, 7],
      [0, 8],
      [0, 0],
      [0, 0],
      [9, 10],
      [11, 12],
    ]);
    node.release();
    await vats.expectEmpty();
  });

  it("tells a param that is a struct from params by name", async () => {
    const { vats, node } = Vats.withNode({ pack: ({ pack }: Loose) => ({ pack: { number: pack.number } }) });
    const calls = [node.pack({ pack: { number: 1 } }), node.pack({ number: 2 })];
    await vats.settle();
    const numbers = (await Promise.all(calls)).map(({ pack }) => pack.number);
    expect(numbers).to.deep.equal([1, 2]);
    node.release();
    await vats.expectEmpty();
  });

  it("takes options after the params, whichever way these are given, and nothing else", async () => {
    const { vats, node } = Vats.withNode({ add: ({ a, b }: Loose) => a + b, void: () => undefined });
    const { signal } = new AbortController();
    const calls = [node.add(1, 2, { signal }), node.add({ a: 1, b: 2 }, { timeout: 1000 }), node.add(1, 2, undefined)];
    const nothing = node.void({ signal });
    await vats.settle();
    for (const { sum } of await Promise.all(calls)) expect(sum).to.equal(3);
    await nothing;
    for (const wrong of [
      [1, 2, 3],
      [1, 2, null],
      [1, 2, {}, {}],
      [{ a: 1 }, 5],
      [{ a: 1 }, {}, {}],
    ]) {
      expectError("CAPNP_TYPE", () => node.add(...wrong), "Node.add takes 2 params");
    }
    node.release();
    await vats.expectEmpty();
  });

  it("says at once what is wrong with params, and sends nothing", async () => {
    const { vats, node } = Vats.withNode({});
    const mine = vats.server();
    await vats.settle();
    const sent = vats.log.length;
    expectError("CAPNP_RANGE", () => node.add(1.5, 2));
    expectError("CAPNP_NO_SUCH_FIELD", () => node.pack({ pack: { nope: 1 } }));
    expectError("CAPNP_TYPE", () => node.two(mine, 42), "number");
    expectError("CAPNP_TYPE", () => node.two(null, {}), "Object");
    expect(vats.log.length).to.equal(sent);
    expect(vats.servers.isDisposed(mine), "what a param held was given back").to.equal(true);
    node.release();
    await vats.expectEmpty();
  });

  it("takes a server, a client, and a promise of either, as a capability", async () => {
    const { vats, node } = Vats.withNode({ two: async ({ first, second }: Loose) => use(first, second) });
    const use = async (first: Loose, second: Loose) => {
      sums.push((await first.add(1, 2)).sum, (await second.add(3, 4)).sum);
      first.release();
      second.release();
    };
    const sums: number[] = [];
    const add = { add: ({ a, b }: Loose) => a + b };
    const client = new Node.Client(vats.server(add));
    const server = vats.server(add);
    const calls = [node.two(client, server), node.two(Promise.resolve(client), Promise.resolve(server))];
    calls.push(
      node.two(
        Promise.resolve().then(() => new Node.Client(Promise.resolve(client))),
        client,
      ),
    );
    await vats.settle();
    await Promise.all(calls);
    expect(sums).to.deep.equal([3, 7, 3, 7, 3, 7]);
    client.release();
    node.release();
    await vats.settle();
    // The client that only a promise held is collected some day; its connection knows nothing of it any more.
    expect(vats.a.stats().exports).to.equal(0);
  });

  it("is refused where another interface is expected, and taken where it extends that", async () => {
    const { vats, node } = Vats.withNode({ hold: () => undefined });
    const other = new Other.Client(vats.server({}, Other));
    expectError("CAPNP_TYPE", () => node.hold(other), "Other", "Node", "castAs");
    const forced = other.castAs(Node);
    const call = node.hold(forced);
    await vats.settle();
    await call;
    forced.release();
    other.release();
    expect(Both.schema.extends(Base.schema)).to.equal(true);
    expect(Left.schema.extends(Right.schema)).to.equal(false);
    node.release();
    await vats.expectEmpty();
  });

  it("of castAs holds a reference of its own", async () => {
    const vats = new Vats();
    const server = vats.server({ left: () => "left", base: () => "base" }, Both);
    const both = new Both.Client(server);
    const left = both.castAs(Left);
    both.release();
    expect((await left.left()).text).to.equal("left");
    expect((await left.base()).text).to.equal("base");
    expect(left.right).to.equal(undefined);
    left.release();
    await vats.expectEmpty();
  });

  it("that was released says so, and can be released again", async () => {
    const vats = new Vats();
    const node = new Node.Client(vats.server());
    {
      using held = node;
      expect(held).to.equal(node);
    }
    node.release();
    release(node);
    for (const use of [() => node.add(1, 2), () => node.addRequest(), () => node.castAs(Other)]) {
      expectError("CAPNP_RELEASED", use);
    }
    expectError("CAPNP_RELEASED", () => new Node.Client(node));
    await vats.expectEmpty();
  });

  it("is made of no null, and of nothing that is no capability", () => {
    expectError("CAPNP_NULL_CAPABILITY", () => new Node.Client(null));
    expectError("CAPNP_TYPE", () => new Node.Client({}));
  });

  it("is never a thenable, whatever methods the interface has", async () => {
    const vats = new Vats();
    const methods = { then: (params: Loose) => ({ valueOf: params.constructor }), class: () => "class" };
    const words = new Words.Client(vats.server(methods, Words));
    expect(words.then).to.equal(undefined);
    expect(await words).to.equal(words);
    expect((await words.then_("a", "b")).valueOf).to.equal("a");
    expect((await words.then_({ constructor: "c", toString: "d" })).valueOf).to.equal("c");
    expect((await words.class()).text).to.equal("class");
    release(words);
    await vats.expectEmpty();
  });

  it("has every method of the interface, even where it hides one of ours, and the request forms", async () => {
    const vats = new Vats();
    const names = ["constructor", "toString", "valueOf", "delete", "class", "release", "castAs", "toJSON", "dispatch"];
    const methods: Loose = { __proto__: null };
    for (const name of names) methods[name] = () => name;
    methods.send = ({ send }: Loose) => send;
    const words = new Words.Client(vats.server(methods, Words));
    for (const name of names) {
      expect((await words[name]()).text, name).to.equal(name);
      expect((await words[`${name}Request`]().send()).text, name).to.equal(name);
    }
    // A param named `send` hides the method of the request; the function of that name does not mind.
    const request = words.sendRequest();
    request.send = "a word";
    const { send } = await import("../../../lib/schema/method-call.ts");
    expect(((await send(request)) as Loose).send).to.equal("a word");
    expectError("CAPNP_CALL", () => send(request), "sent already");
    release(words);
    await vats.expectEmpty();
  });
});

describe("the promise of a call", () => {
  it("is awaited as often as one likes, has catch and finally, and reads its results once", async () => {
    const { vats, node } = Vats.withNode({ add: () => 3, void: () => Promise.reject(new Error("no")) });
    const call = node.add(1, 2);
    const failing = node.void();
    expect(call).to.be.instanceOf(RemotePromise);
    expect(Object.prototype.toString.call(call)).to.equal("[object RemotePromise]");
    await vats.settle();
    expect(await call).to.equal(await call);
    expect(await call.then(({ sum }: Loose) => sum + 1)).to.equal(4);
    let finals = 0;
    await call.finally(() => finals++);
    expect(await failing.catch(({ message }: Loose) => message)).to.equal("remote exception: no");
    expect((await rejection(failing.finally(() => finals++))).message).to.equal("remote exception: no");
    expect(finals).to.equal(2);
    node.release();
    await vats.expectEmpty();
  });

  it("that nobody awaits is no unhandled rejection", async () => {
    const { vats, node } = Vats.withNode({ void: () => Promise.reject(new Error("no")) });
    const unhandled: unknown[] = [];
    const listener = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", listener);
    node.void();
    await vats.settle();
    await turn();
    process.off("unhandledRejection", listener);
    expect(unhandled).to.deep.equal([]);
    node.release();
    await vats.expectEmpty();
  });

  it("that is disposed cancels the call, or releases the results with the clients that it gave", async () => {
    const { vats, node } = Vats.withNode({ make: () => vats.server() });
    const pending = node.make("x");
    const error = rejection(pending);
    pending[Symbol.dispose]();
    expect((await error).code).to.equal("CAPNP_CANCELED");
    const made = node.make("y");
    const client = made.node;
    await vats.settle();
    made[Symbol.dispose]();
    expectError("CAPNP_RELEASED", () => client.add(1, 2));
    node.release();
    await vats.expectEmpty();
  });

  it("keeps its own then, catch and finally where results have these names", async () => {
    const vats = new Vats();
    const inner = vats.server({ class: () => "inner" }, Words);
    const words = new Words.Client(vats.server({ then: () => ({ then: inner, catch: "caught" }) }, Words));
    const call = words.then_();
    const results = await call;
    expect(results.catch).to.equal("caught");
    expect((await results.then.class()).text).to.equal("inner");
    release(results.then);
    release(words);
    await vats.expectEmpty();
  });

  it("reaches a capability that is named like a method of promises under that name and an underscore", async () => {
    const vats = new Vats();
    const inner = vats.server({ class: () => "inner" }, Words);
    const words = new Words.Client(vats.server({ then: () => ({ then: inner }) }, Words));
    const call = words.then_();
    expect((await call.then_.class()).text).to.equal("inner");
    call[Symbol.dispose]();
    release(words);
    await vats.expectEmpty();
  });

  it("of a call whose signal was aborted before rejects with the reason, and nothing is sent", async () => {
    const { vats, node } = Vats.withNode({ hold: () => undefined });
    await vats.settle();
    const sent = vats.log.length;
    const signal = AbortSignal.abort(new Error("too late"));
    const mine = vats.server();
    const request = node.holdRequest();
    request.cap = vats.server();
    for (const call of [node.hold(mine, { signal }), request.send({ signal })]) {
      const error: Loose = await Promise.resolve(call).catch((reason: unknown) => reason);
      expect(error.code).to.equal("CAPNP_CANCELED");
      expect(error.cause.message).to.equal("too late");
    }
    await vats.settle();
    expect(vats.log).to.have.lengthOf(sent);
    expect(vats.servers.isDisposed(mine)).to.equal(true);
    node.release();
    await vats.expectEmpty();
  });

  it("takes no listener to a signal that lives longer", async () => {
    const { vats, node } = Vats.withNode({ add: () => 3 });
    const abort = new AbortController();
    let listeners = 0;
    const { signal } = abort;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Loose[]) => {
      listeners++;
      add(...(args as Parameters<typeof add>));
    };
    signal.removeEventListener = (...args: Loose[]) => {
      listeners--;
      remove(...(args as Parameters<typeof remove>));
    };
    const call = node.add(1, 2, { signal });
    await vats.settle();
    expect((await call).sum).to.equal(3);
    expect(listeners).to.equal(0);
    node.release();
    await vats.expectEmpty();
  });

  it("takes one listener to a signal that any number of calls share, and cancels them all", async () => {
    const { vats, node } = Vats.withNode({
      add: (_: Loose, context: Loose) => new Promise((resolve) => context.signal.addEventListener("abort", resolve)),
    });
    const abort = new AbortController();
    const { signal } = abort;
    const calls = Array.from({ length: 50 }, () => node.add(1, 2, { signal }));
    const early = node.add(1, 2, { signal });
    await vats.settle();
    expect(getEventListeners(signal, "abort")).to.have.lengthOf(1);
    early.cancel();
    const ended = Promise.allSettled([...calls, early].map((call) => Promise.resolve(call)));
    abort.abort();
    for (const one of await ended) {
      expect(one.status === "rejected" && one.reason.code).to.equal("CAPNP_CANCELED");
    }
    expect(getEventListeners(signal, "abort")).to.have.lengthOf(0);
    await vats.settle();
    node.release();
    await vats.expectEmpty();
  });
});

describe("capabilities in messages", () => {
  it("travel in lists, groups, unions, nested structs and AnyPointers, each with its reference", async () => {
    const sums: number[] = [];
    const { vats, node } = Vats.withNode({
      async pack({ pack }: Loose) {
        const all = [pack.cap, ...pack.caps, pack.any.as(Node), pack.group.cap, pack.chosen, pack.nested.cap];
        for (const cap of all) {
          sums.push((await cap.add(sums.length, 0)).sum);
          cap.release();
        }
      },
    });
    const mine = vats.server({ add: ({ a }: Loose) => a });
    const request = node.packRequest();
    const pack = request.init("pack");
    pack.cap = mine;
    pack.caps = [mine, new Node.Client(mine)];
    pack.any.set(mine);
    pack.group.cap = mine;
    pack.chosen = mine;
    pack.nested = { cap: mine };
    const call = request.send();
    await vats.settle();
    await call;
    expect(sums).to.deep.equal([0, 1, 2, 3, 4, 5, 6]);
    node.release();
    // One client was made for the list only: it is the garbage collector's.
    await vats.settle();
    expect(vats.b.stats()).to.include({ imports: 0, answers: 0 });
    expect(vats.a.stats()).to.include({ exports: 0, questions: 0 });
  });

  it("are null where a pointer is null, and stay so", async () => {
    const { vats, node } = Vats.withNode({
      two: ({ first, second }: Loose) => ({ first, second }),
    });
    const call = node.two(null, undefined);
    await vats.settle();
    const { first, second } = await call;
    expect([first, second]).to.deep.equal([null, null]);
    node.release();
    await vats.expectEmpty();
  });

  it("that are replaced while a message is built are released", async () => {
    const vats = new Vats();
    const [first, second] = [vats.server(), vats.server()];
    const pack = testSchema.Pack.newMessage();
    pack.cap = first;
    pack.cap = second;
    expect(vats.servers.isDisposed(first)).to.equal(true);
    pack.cap = null;
    expect(vats.servers.isDisposed(second)).to.equal(true);
    await vats.expectEmpty();
  });

  it("that are read as two interfaces are two references", async () => {
    const vats = new Vats();
    const server = vats.server({ left: () => "left" }, Left);
    const pack = testSchema.Pack.newMessage();
    pack.any.set(server);
    const left = pack.any.as(Left);
    const base = pack.any.as(Base);
    expect(pack.any.as(Left)).to.equal(left);
    left.release();
    expect(vats.servers.isDisposed(server)).to.equal(false);
    base.release();
    await vats.expectEmpty();
  });
});

describe("a server object that fails to dispose", () => {
  it("is reported when all that is released with it was: a report that throws stops none of that", async () => {
    const { vats, node } = Vats.withNode({ two: () => undefined });
    const failing = new (class extends Node.Server {
      [Symbol.dispose]() {
        throw new Error("threw");
      }
    })();
    const other = vats.server();
    const wasOtherDisposed: boolean[] = [];
    onDisposeError(() => wasOtherDisposed.push(vats.servers.isDisposed(other)));
    try {
      const call = node.two(failing, other);
      await vats.settle();
      await call;
      expect(wasOtherDisposed).to.deep.equal([true]);
      node.release();
      await vats.expectEmpty();
    } finally {
      onDisposeError((error) => {
        throw error;
      });
    }
  });

  it("is reported to onDisposeError, whether it throws or its close() rejects", async () => {
    const reported: Loose[] = [];
    onDisposeError((error) => reported.push(error));
    try {
      class Throwing extends Node.Server {
        [Symbol.dispose]() {
          throw new Error("threw");
        }
      }
      class Rejecting extends Node.Server {
        close() {
          return Promise.reject(new Error("rejected"));
        }
      }
      for (const type of [Throwing, Rejecting]) new Node.Client(new type()).release();
      await turn();
      expect(reported.map(({ message }) => message)).to.deep.equal(["threw", "rejected"]);
    } finally {
      onDisposeError((error) => {
        throw error;
      });
    }
  });
});
