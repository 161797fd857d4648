import { expect } from "chai";
import {
  type AutoReconnectController,
  autoReconnect,
  lazyAutoReconnect,
  lazyAutoReconnectWithController,
} from "../../../lib/auto-reconnect.ts";
import { CapnpError } from "../../../lib/errors.ts";
import { membrane } from "../../../lib/membrane.ts";
import { type Loose, loadLoosely } from "../../support/loose.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Greeter, Extended } = loadLoosely("test/fixtures/capability-test.capnp");

const disconnected = (text: string): CapnpError => new CapnpError("CAPNP_DISCONNECTED", text);

/** Makes a server for each connection, which says in its answers the how manieth it is. */
class Connections {
  readonly servers = new Servers();
  count = 0;
  /** What every call on the current server fails with. */
  error: Error | undefined;
  /** What calls on the current server wait for. */
  blocker: Promise<unknown> = Promise.resolve();

  readonly connect = (): Loose => {
    const number = ++this.count;
    this.error = undefined;
    this.blocker = Promise.resolve();
    return this.servers.make(
      {
        foo: async ({ i, j }: Loose) => {
          if (this.count === number && this.error !== undefined) throw this.error;
          await this.blocker;
          return `${i} ${j} ${number}`;
        },
      },
      Greeter,
    );
  };

  /** Makes calls wait until the test settles them. */
  block(): { resolve: () => void; reject: (error: Error) => void } {
    let settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
    this.blocker = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
    return settle as never;
  }
}

interface Way {
  readonly client: Loose;
  run<T>(promise: PromiseLike<T>): Promise<T>;
  /** Lets everything that was due happen. */
  settle(): Promise<void>;
  expectEmpty(): Promise<void>;
}

const directly = (client: Loose, { servers }: Connections): Way => ({
  client,
  run: (promise) => Promise.resolve(promise),
  settle: turn,
  expectEmpty: async () => {
    await turn();
    servers.expectDisposed();
  },
});

const throughRpc = (client: Loose, { servers }: Connections): Way => {
  const vats = new Vats({ servers, b: { bootstrap: client } });
  return {
    client: bootstrapOf(vats.a, Greeter),
    run: async (promise) => {
      await vats.settle();
      return promise;
    },
    settle: () => vats.settle(),
    expectEmpty: async () => {
      client.release();
      await vats.expectEmpty();
    },
  };
};

type Make = (connections: Connections) => {
  readonly made: Loose;
  readonly controller?: AutoReconnectController;
};

const eager: Make = ({ connect }) => ({ made: autoReconnect(connect, Greeter) as Loose });
const lazy: Make = ({ connect }) => ({ made: lazyAutoReconnect(connect, Greeter) as Loose });
const controlled: Make = ({ connect }) => {
  const { client, controller } = lazyAutoReconnectWithController(connect, Greeter);
  return { made: client as Loose, controller };
};

/** Calls find the connection lost, one by one, together and while others are in flight. */
const connectsAnew = async (make: Make, way: typeof directly): Promise<void> => {
  const connections = new Connections();
  const { made, controller } = make(connections);
  expect(connections.count).to.equal(make === eager ? 1 : 0);
  const { client, run, settle, expectEmpty } = way(made, connections);
  const foo = async (i: number, j: boolean): Promise<string> => (await run<Loose>(client.foo(i, j))).x;
  const failure = async (promise: Loose): Promise<string> => (await run(rejection(promise))).message;

  expect(await foo(123, true)).to.equal("123 true 1");
  expect(connections.count).to.equal(1);

  connections.error = disconnected("first loss");
  if (controller === undefined) expect(await failure(client.foo(456, true))).to.match(/first loss$/);
  else {
    controller.reset();
    expect(connections.count).to.equal(1);
    expect(await foo(456, true)).to.equal("456 true 2");
  }
  await settle();
  expect(connections.count).to.equal(2);
  expect(await foo(789, false)).to.equal("789 false 2");
  expect(await foo(21, true)).to.equal("21 true 2");

  const second = connections.block();
  const pair = [client.foo(32, false), client.foo(43, true)];
  await settle();
  second.reject(disconnected("second loss"));
  for (const promise of pair) expect(await failure(promise)).to.match(/second loss$/);
  expect(connections.count, "two failures, one connection").to.equal(3);
  expect(await foo(43, false)).to.equal("43 false 3");

  const third = connections.block();
  const blocked = [client.foo(1212, true), client.foo(3434, false)];
  const request = client.fooRequest();
  request.i = 5656;
  request.j = true;
  await settle();
  connections.error = disconnected("third loss");
  const lost = client.foo(7878, false);
  client.release();
  expect(connections.count).to.equal(3);
  expect(await failure(lost)).to.match(/third loss$/);
  expect(connections.count).to.equal(4);

  expect((await run<Loose>(request.send())).x).to.equal("5656 true 4");
  third.resolve();
  const results = await run(Promise.all(blocked.map(async (promise) => (await promise).x)));
  expect(results, "calls in flight stay where they were").to.deep.equal(["1212 true 3", "3434 false 3"]);
  await expectEmpty();
};

describe("a connection that is lost", () => {
  it("is made anew by autoReconnect, once, for calls made directly", () => connectsAnew(eager, directly));

  it("is made anew by autoReconnect, once, for calls made through RPC", () => connectsAnew(eager, throughRpc));

  it("is made anew by lazyAutoReconnect, once, for calls made directly", () => connectsAnew(lazy, directly));

  it("is made anew by lazyAutoReconnect, once, for calls made through RPC", () => connectsAnew(lazy, throughRpc));

  it("is made anew by lazyAutoReconnectWithController, once, for calls made directly, and when it is reset", () =>
    connectsAnew(controlled, directly));

  it("is made anew by lazyAutoReconnectWithController, once, for calls made through RPC, and when it is reset", () =>
    connectsAnew(controlled, throughRpc));
});

describe("a capability that reconnects", () => {
  it("stays where it is when calls fail for any other reason", async () => {
    const connections = new Connections();
    const client: Loose = autoReconnect(connections.connect, Greeter);
    for (const error of [new Error("no"), new CapnpError("CAPNP_LIMIT", "busy"), new CapnpError("CAPNP_CALL", "no")]) {
      connections.error = error;
      await rejection(client.foo(1, true));
    }
    connections.error = undefined;
    expect((await client.foo(1, true)).x).to.equal("1 true 1");
    client.release();
    await turn();
    connections.servers.expectDisposed();
  });

  it("is not misled by the reason for which its caller gives a call up", async () => {
    const connections = new Connections();
    const client: Loose = autoReconnect(connections.connect, Greeter);
    const { resolve } = connections.block();
    const call = client.foo(1, true);
    await turn();
    call.cancel(disconnected("the caller's own"));
    expect((await rejection(call)).message).to.equal("the caller's own");
    resolve();
    await turn();
    expect(connections.count).to.equal(1);
    client.release();
    await turn();
    connections.servers.expectDisposed();
  });

  it("makes another connection when the one to its peer is lost", async () => {
    const servers = new Servers();
    const all: Vats[] = [];
    const held: Loose[] = [];
    const connect = (): Loose => {
      const number = all.length;
      const server = servers.make({ foo: () => `connection ${number}` }, Greeter);
      const vats = new Vats({ servers, b: { bootstrap: server } });
      all.push(vats);
      held.push(bootstrapOf(vats.a, Greeter));
      return held.at(-1);
    };
    const client: Loose = autoReconnect(connect);
    const greet = async (): Promise<string> => {
      const call = client.foo(1, true);
      await all.at(-1)?.settle();
      return (await call).x;
    };
    expect(client).to.be.instanceOf(Greeter.Client);
    expect(await greet()).to.equal("connection 0");
    const inFlight = [client.foo(2, true), client.foo(3, true)];
    const request = client.fooRequest();
    const closed = all[0]!.b.close();
    await all[0]!.settle();
    await closed;
    for (const call of inFlight) expect((await rejection(call)).kind).to.equal("disconnected");
    await turn();
    expect(all).to.have.lengthOf(2);
    expect((await rejection(request.send())).kind, "made for the connection that was lost").to.equal("disconnected");
    expect(all, "which says nothing of the new one").to.have.lengthOf(2);
    expect(await greet()).to.equal("connection 1");
    for (const one of [client, ...held]) one.release();
    await all[0]!.expectEmptyAfterClose().catch(() => undefined);
    await all[1]!.expectEmpty();
  });

  it("fails with what connecting fails with, and tries again for each call where that is a lost connection", async () => {
    let tries = 0;
    const client: Loose = lazyAutoReconnect(() => {
      tries++;
      throw disconnected(`try ${tries}`);
    }, Greeter);
    expect((await rejection(client.foo(1, true))).message).to.equal("try 1");
    await turn();
    expect((await rejection(client.foo(1, true))).message).to.equal("try 2");
    client.release();

    let refusals = 0;
    const refused: Loose = lazyAutoReconnect(async () => {
      refusals++;
      throw new Error("wrong password");
    }, Greeter);
    for (const _ of [1, 2]) expect((await rejection(refused.foo(1, true))).message).to.equal("wrong password");
    expect(refusals).to.equal(1);
    refused.release();

    const nothing: Loose = lazyAutoReconnect(() => null as never, Greeter);
    expect((await rejection(nothing.foo(1, true))).code).to.equal("CAPNP_NULL_CAPABILITY");
  });

  it("notices that a call was lost which a method passed on", async () => {
    const connections = new Connections();
    const inner = new Greeter.Client(connections.connect());
    let count = 0;
    const client: Loose = autoReconnect(() => {
      count++;
      return connections.servers.make(
        {
          foo_context: (context: Loose) => {
            const request = inner.fooRequest();
            request.i = context.params.i;
            context.tailCall(request);
          },
        },
        Greeter,
      ) as never;
    }, Greeter);
    expect((await client.foo(5, false)).x).to.equal("5 false 1");
    connections.error = disconnected("lost further on");
    expect((await rejection(client.foo(6, false))).message).to.equal("lost further on");
    await turn();
    expect(count).to.equal(2);
    for (const one of [client, inner]) one.release();
    await turn();
    connections.servers.expectDisposed();
  });

  it("that would be connected to itself is broken, directly and through others", async () => {
    const direct: Loose = lazyAutoReconnect(() => direct, Greeter);
    expect((await rejection(direct.foo(1, true))).message).to.contain("resolved to itself");
    const one: Loose = lazyAutoReconnect(() => guarded, Greeter);
    const other: Loose = lazyAutoReconnect(() => one, Greeter);
    const guarded: Loose = membrane(other, {});
    expect((await rejection(one.foo(1, true))).message).to.contain("resolved to itself");
    for (const client of [direct, one, other, guarded]) client.release();
  });

  it("has the class that is asked for, or none", async () => {
    const connections = new Connections();
    const plain: Loose = lazyAutoReconnect(connections.connect);
    const cast = plain.castAs(Extended);
    expect((await cast.foo(1, true)).x).to.equal("1 true 1");
    for (const one of [plain, cast]) one.release();
    await turn();
    connections.servers.expectDisposed();
  });
});
