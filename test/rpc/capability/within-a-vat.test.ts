import { expect } from "chai";
import { release } from "../../../lib/release.ts";
import { Client } from "../../../lib/rpc/capability/client.ts";
import { clientOf, upcast } from "../../../lib/schema/interface-client.ts";
import { nullClient } from "../../../lib/rpc/capability/broken-client.ts";
import { whenResolved } from "../../../lib/when-resolved.ts";
import { copy } from "../../../lib/schema/operations.ts";
import { listOf } from "../../../lib/schema/type-argument.ts";
import { expectError } from "../../support/errors.ts";
import { type Loose, loadLoosely } from "../../support/loose.ts";
import { rejection, Servers, turn } from "../../support/vats.ts";

const schemas = loadLoosely("test/fixtures/capability-test.capnp");
const { Greeter, Extended, Pipeline, Callee, Caller, Sequence, Holder, Keywords, Settings, Transfer } = schemas;
const { Box, Generic, UsesGeneric, Implicit } = schemas;

const settings = { number: -7, text: "seven", flags: [true, false, true], inner: { number: 8, text: "eight" } };

/** An object whose calls are counted. */
class Counted {
  readonly servers = new Servers();
  calls = 0;

  greeter(): Loose {
    return this.servers.make(
      {
        foo: ({ i, j }: Loose) => {
          this.calls++;
          expect([i, j]).to.deep.equal([123, true]);
          return "foo";
        },
        baz: ({ s }: Loose, context: Loose) => {
          this.calls++;
          expect(s.toObject()).to.deep.include({ number: -7, text: "seven" });
          context.releaseParams();
          expectError("CAPNP_RELEASED", () => context.params);
        },
      },
      Greeter,
    );
  }

  extended(): Loose {
    return this.servers.make(
      {
        foo: ({ i, j }: Loose) => {
          this.calls++;
          expect([i, j]).to.deep.equal([321, false]);
          return "bar";
        },
        grault: () => {
          this.calls++;
          return settings;
        },
      },
      Extended,
    );
  }

  pipeline(make: () => Loose = () => this.extended()): Loose {
    const useInCap = async (inCap: Loose): Promise<void> => {
      this.calls++;
      expect((await inCap.foo(123, true)).x).to.equal("foo");
      inCap.release();
    };
    return this.servers.make(
      {
        getCap: async ({ n, inCap }: Loose) => {
          expect(n).to.equal(234);
          await useInCap(inCap);
          return { s: "bar", outBox: { greeter: make() } };
        },
        getAnyCap: async ({ n, inCap }: Loose) => {
          expect(n).to.equal(234);
          const greeter = inCap.castAs(Greeter);
          inCap.release();
          await useInCap(greeter);
          return { s: "bar", outBox: { cap: make() } };
        },
      },
      Pipeline,
    );
  }

  async expectReleased(...clients: Disposable[]): Promise<void> {
    for (const client of clients) client[Symbol.dispose]();
    await turn();
    this.servers.expectDisposed();
  }
}

/** A call of `getCap`, of which the pipeline alone is used. */
const usePipeline = async (counted: Counted, inner: Counted, client: Loose): Promise<void> => {
  const call = client.getCap(234, inner.greeter());
  const { greeter } = call.outBox;
  const extended = greeter.castAs(Extended);
  const [foo, grault] = [greeter.foo(321), extended.grault()];
  call.then((results: Loose) => release(results));
  for (const one of [greeter, extended]) one.release();
  expect([counted.calls, inner.calls]).to.deep.equal([0, 0]);
  expect((await foo).x).to.equal("bar");
  expect((await grault).toObject()).to.deep.include({ number: -7, text: "seven" });
  expect([counted.calls, inner.calls]).to.deep.equal([3, 1]);
  await counted.expectReleased(client);
  inner.servers.expectDisposed();
};

describe("capabilities within a vat", () => {
  it("are called later than the call is made, in either form, and lack what their class lacks", async () => {
    const counted = new Counted();
    const client = new Greeter.Client(counted.greeter());
    const request = client.fooRequest();
    request.i = 123;
    request.j = true;
    const [foo, baz, bar] = [request.send(), client.baz({ s: settings }), client.bar()];
    expect(counted.calls).to.equal(0);
    expect((await foo).x).to.equal("foo");
    await baz;
    expect((await rejection(bar)).kind).to.equal("unimplemented");
    expect(counted.calls).to.equal(2);
    await counted.expectReleased(client);
  });

  it("in a list are each a reference of its own", async () => {
    const counted = [1, 2, 3].map(() => new Counted());
    const message = Box.newMessage();
    const list = message.any.init(listOf(Greeter), 3);
    for (const [i, one] of counted.entries()) list.set(i, one.greeter());
    const assigned = Transfer.newMessage({ list: [{ cap: list[0] }, { cap: list.at(1) }, { cap: list[2] }] });
    const read = message.asReader().any.as(listOf(Greeter));
    expect(read).to.have.lengthOf(3);
    for (const [i, one] of counted.entries()) {
      for (const client of [list[i], read[i], assigned.list[i].cap]) {
        expect((await client.foo(123, true)).x).to.equal("foo");
        expect((await rejection(client.bar())).kind).to.equal("unimplemented");
      }
      expect(one.calls).to.equal(3);
      for (const client of [list[i], assigned.list[i].cap]) client.release();
      await turn();
      one.servers.expectDisposed();
    }
  });

  it("of an interface that extends another are called by the methods of both, also after a detour through that", async () => {
    const counted = new Counted();
    const first = new Extended.Client(counted.extended());
    const second = first.upcast(Greeter);
    const client = second.castAs(Extended);
    const [foo, grault] = [client.foo(321), client.grault()];
    expect(counted.calls).to.equal(0);
    expect((await grault).toObject()).to.deep.include({ number: -7, text: "seven" });
    expect((await foo).x).to.equal("bar");
    expect(counted.calls).to.equal(2);
    await counted.expectReleased(first, second, client);
  });

  it("are upcast to what their interface extends, and to nothing else", async () => {
    const counted = new Counted();
    const extended = new Extended.Client(counted.extended());
    expect(extended.$schema).to.equal(Extended.schema);
    const greeter = extended.upcast(Greeter);
    expect(greeter).to.be.instanceOf(Greeter.Client);
    expect(greeter.$schema).to.equal(Greeter.schema);
    expectError("CAPNP_TYPE", () => greeter.upcast(Extended), "Greeter", "Extended", "castAs");
    const untyped = clientOf(undefined, Client.hook(extended).addRef());
    expectError("CAPNP_TYPE", () => upcast(untyped as never, Greeter), "unknown interface");
    await counted.expectReleased(extended, greeter, untyped);
  });

  it("in results that are on their way are called before these are there", async () => {
    const counted = new Counted();
    await usePipeline(counted, new Counted(), new Pipeline.Client(counted.pipeline()));
  });

  it("in results may be called through the promise after the results were released", async () => {
    const [counted, inner] = [new Counted(), new Counted()];
    const client = new Pipeline.Client(counted.pipeline());
    const call = client.getCap(234, inner.greeter());
    const { greeter } = call.outBox;
    release(await call);
    expect((await greeter.foo(321)).x).to.equal("bar");
    await counted.expectReleased(client, call);
    inner.servers.expectDisposed();
  });

  it("that setPipeline announces are called while the method is at work", async () => {
    const counted = new Counted();
    let finish: () => void = () => undefined;
    const client = new Pipeline.Client(
      counted.servers.make(
        {
          async getCap_context(context: Loose) {
            context.setPipeline({ outBox: { greeter: counted.extended() } });
            await new Promise<void>((resolve) => {
              finish = resolve;
            });
            context.results.s = "done";
          },
        },
        Pipeline,
      ),
    );
    const call = client.getCap(234, null);
    const { greeter } = call.outBox;
    expect((await greeter.foo(321)).x, "while the method waits").to.equal("bar");
    finish();
    expect((await call).s).to.equal("done");
    await counted.expectReleased(client, call);
  });

  it("in the results of a tail call are the same ones for every asker, in the order of the calls", async () => {
    const servers = new Servers();
    let [callees, callers, n] = [0, 0, 0];
    const sequence = servers.make({ next: () => n++ }, Sequence);
    const callee = new Callee.Client(
      servers.make(
        {
          foo: ({ i, t }: Loose) => {
            callees++;
            return { i, t, c: sequence };
          },
        },
        Callee,
      ),
    );
    const caller = new Caller.Client(
      servers.make(
        {
          foo_context: (context: Loose) => {
            callers++;
            const { i, callee } = context.params;
            const request = callee.fooRequest();
            request.i = i;
            request.t = "from Caller";
            context.tailCall(request);
            callee.release();
          },
        },
        Caller,
      ),
    );
    const call = caller.foo(456, callee);
    const first = call.c.next();
    const results = await call;
    expect([results.i, results.t]).to.deep.equal([456, "from Caller"]);
    const [second, third] = [call.c.next(), results.c.next()];
    expect([(await first).n, (await second).n, (await third).n]).to.deep.equal([0, 1, 2]);
    expect([callees, callers]).to.deep.equal([1, 1]);
    for (const one of [results.c, call, caller, callee]) one[Symbol.dispose]();
    await turn();
    servers.expectDisposed();
  });

  it("in the params of a call that is given up are released when the method gives up, too", async () => {
    const servers = new Servers();
    const cap = servers.make({}, Greeter);
    const holder = new Holder.Client(
      servers.make(
        {
          expectCancel: ({ cap }: Loose, { signal }: Loose) =>
            new Promise((_resolve, reject) =>
              signal.addEventListener("abort", () => {
                cap.release();
                reject(signal.reason);
              }),
            ),
        },
        Holder,
      ),
    );
    const call = holder.expectCancel(cap);
    let returned = false;
    call.then(
      () => {
        returned = true;
      },
      () => undefined,
    );
    await turn();
    await turn();
    expect([servers.isDisposed(cap), returned]).to.deep.equal([false, false]);
    call.cancel();
    await turn();
    expect([servers.isDisposed(cap), returned]).to.deep.equal([true, false]);
    holder.release();
    servers.expectDisposed();
  });

  it("behind AnyPointers and in orphans move without losing their references", async () => {
    const counted = new Counted();
    const from = Box.newMessage({ greeter: counted.greeter() });
    from.any.set(counted.greeter());
    const orphan = from.disown("any");
    expect(from.has("any")).to.equal(false);
    from.adopt("any", orphan);
    const greeter = from.disown("greeter");
    expect(from.greeter).to.equal(null);
    from.adopt("greeter", greeter);
    const other = Box.newMessage();
    other.any.set(from.any);
    other.greeter = from.any.as(Greeter);
    for (const client of [from.greeter, from.any.as(Greeter), other.any.as(Greeter), other.greeter]) {
      expect((await client.foo(123, true)).x).to.equal("foo");
      client.release();
    }
    expect(counted.calls).to.equal(4);
    await turn();
    counted.servers.expectDisposed();
  });

  it("move to another message with the struct that holds them, broken ones too", async () => {
    const counted = new Counted();
    const root = Transfer.newMessage({ list: [{}, {}] });
    const cap = new Greeter.Client(Promise.reject(new Error("whatever")));
    root.list[0].text = "foo";
    root.list[0].cap = cap;
    root.list[1].cap = counted.greeter();
    const moved = Transfer.newMessage({ list: root.list });
    root.list[1].cap.release();
    expect(moved.list[0].text).to.equal("foo");
    expect((await rejection(moved.list[0].cap.bar())).message).to.equal("whatever");
    expect((await moved.list[1].cap.foo(123, true)).x).to.equal("foo");
    const orphan = moved.disown("list");
    moved.adopt("list", orphan);
    expect((await rejection(moved.list[0].cap.bar())).message).to.equal("whatever");
    expect((await moved.list[1].cap.foo(123, true)).x).to.equal("foo");
    expect(counted.calls).to.equal(2);
    await counted.expectReleased(moved.list[1].cap);
  });

  it("in a copy of a message are the same ones, each under its own place", async () => {
    const servers = new Servers();
    const message = Transfer.newMessage({ list: [1, 2, 3].map(() => ({ cap: servers.make({}, Greeter) })) });
    const copied: Loose = copy(message);
    const hooks = (one: Loose) => one.list.map((element: Loose) => Client.hook(element.cap));
    expect(hooks(copied)).to.deep.equal(hooks(message));
    expect(new Set(hooks(copied)).size).to.equal(3);
    for (const one of [message, copied]) for (const { cap } of one.list) cap.release();
    servers.expectDisposed();
  });

  it("of methods that are called as JavaScript's words are called by these", async () => {
    const servers = new Servers();
    const called: string[] = [];
    const names = ["delete", "class", "void", "return"];
    const methods = Object.fromEntries(names.map((name) => [name, () => void called.push(name)]));
    const client = new Keywords.Client(servers.make(methods, Keywords));
    for (const name of names) await client[name]();
    await client.deleteRequest().send();
    expect(called).to.deep.equal([...names, "delete"]);
    client.release();
    servers.expectDisposed();
  });
});

describe("capabilities of an interface that is known only at run time", () => {
  /** Methods by name, found in the schema. */
  const serve = (type: Loose, servers: Servers, call: (method: string, context: Loose) => unknown): Loose => {
    const methods: Record<string, unknown> = {};
    for (const name of type.schema.allMethods.keys()) {
      methods[`${name}_context`] = (context: Loose) => call(name, context);
    }
    return servers.make(methods, type);
  };

  it("are called by the names of methods and params", async () => {
    const counted = new Counted();
    const client = new Greeter.Client(counted.greeter());
    const results: Loose[] = [];
    for (const [name, params] of [
      ["foo", { i: 123, j: true }],
      ["baz", { s: settings }],
    ] as const) {
      const request = client[`${name}Request`]();
      for (const [field, value] of Object.entries(params)) request.set(field, value);
      results.push(await request.send());
    }
    expect(results[0].get("x")).to.equal("foo");
    expect((await rejection(client.barRequest().send())).kind).to.equal("unimplemented");
    expect([...Extended.schema.allMethods.keys()]).to.have.members(["foo", "bar", "baz", "qux", "grault"]);
    await counted.expectReleased(client);
  });

  it("of no known type are cast when they come out of a pipeline", async () => {
    const [counted, inner] = [new Counted(), new Counted()];
    const client = new Pipeline.Client(counted.pipeline());
    const call = client.getAnyCap(234, inner.greeter());
    const { cap } = call.outBox;
    expect(cap.$schema).to.equal(undefined);
    const [greeter, extended] = [cap.castAs(Greeter), cap.castAs(Extended)];
    const [foo, grault] = [greeter.foo(321), extended.grault()];
    expect([counted.calls, inner.calls]).to.deep.equal([0, 0]);
    expect((await foo).x).to.equal("bar");
    expect((await grault).number).to.equal(-7);
    await counted.expectReleased(client, call, cap, greeter, extended);
    inner.servers.expectDisposed();
  });

  it("are served by one function for all methods", async () => {
    const servers = new Servers();
    const called: string[] = [];
    const server = serve(Greeter, servers, (method, context) => {
      called.push(method);
      if (method === "bar") throw new Error("not that one");
      if (method === "foo") context.results.set("x", `${context.params.get("i")}`);
      else expect(context.params.get("s").toObject()).to.deep.include({ number: -7 });
    });
    const client = new Greeter.Client(server);
    const calls = [client.foo(123, true), client.baz(settings), client.bar()];
    expect(called).to.deep.equal([]);
    expect((await calls[0]).x).to.equal("123");
    await calls[1];
    expect((await rejection(calls[2])).message).to.equal("not that one");
    expect(called).to.deep.equal(["foo", "baz", "bar"]);
    client.release();
    await turn();
    servers.expectDisposed();
  });

  it("are served with the methods of what their interface extends", async () => {
    const servers = new Servers();
    const server = serve(Extended, servers, (method, context) => {
      if (method === "foo") context.results.set("x", "bar");
      else for (const [name, value] of Object.entries(settings)) context.results.set(name, value);
    });
    const first = new Extended.Client(server);
    const second = first.upcast(Greeter);
    const client = second.castAs(Extended);
    const [foo, grault] = [client.foo(321), client.grault()];
    expect((await grault).toObject()).to.deep.include({ text: "seven" });
    expect((await foo).x).to.equal("bar");
    for (const one of [first, second, client]) one.release();
    await turn();
    servers.expectDisposed();
  });

  it("are served with results that others pipeline on", async () => {
    const [counted, inner] = [new Counted(), new Counted()];
    const server = serve(Pipeline, counted.servers, async (method, context) => {
      expect(method).to.equal("getCap");
      counted.calls++;
      const inCap = context.params.get("inCap");
      context.releaseParams();
      const request = inCap.fooRequest();
      request.set("i", 123);
      request.set("j", true);
      expect((await request.send()).get("x")).to.equal("foo");
      inCap.release();
      context.results.set("s", "bar");
      const box = context.results.init("outBox");
      box.set("greeter", counted.extended());
    });
    await usePipeline(counted, inner, new Pipeline.Client(server));
  });

  it("are served with tail calls", async () => {
    const servers = new Servers();
    let [callees, callers, n] = [0, 0, 0];
    const sequence = servers.make({ next: () => n++ }, Sequence);
    const callee = serve(Callee, servers, (_method, { params, results }) => {
      callees++;
      results.i = params.i;
      results.t = params.t;
      results.c = sequence;
    });
    const caller = serve(Caller, servers, (_method, context) => {
      callers++;
      const target = context.params.get("callee");
      const request = target.fooRequest();
      request.set("i", context.params.get("i"));
      request.set("t", "from Caller");
      context.tailCall(request);
      target.release();
    });
    const client = new Caller.Client(caller);
    const call = client.foo(456, callee);
    const first = call.c.next();
    const results = await call;
    expect([results.i, results.t]).to.deep.equal([456, "from Caller"]);
    const [second, third] = [call.c.next(), results.c.next()];
    expect([(await first).n, (await second).n, (await third).n]).to.deep.equal([0, 1, 2]);
    expect([callees, callers]).to.deep.equal([1, 1]);
    for (const one of [results.c, call, client]) one[Symbol.dispose]();
    await turn();
    servers.expectDisposed();
  });
});

describe("capabilities of generic interfaces", () => {
  const nothing = (type: Loose): Loose => clientOf(type, nullClient.addRef());

  it("take and return what their type parameters are bound to, those of the scope included", async () => {
    const Bound = Generic.of(Settings, Greeter);
    const Service = Bound.Service.of(listOf("UInt32"));
    const servers = new Servers();
    const greeter = servers.make({ foo: () => "hello" }, Greeter);
    const server = servers.make({ call: ({ foo, bar }: Loose) => ({ qux: [1, 2, 3], made: { foo, bar } }) }, Service);
    const client = new Service.Client(server);
    const call = client.call({ foo: settings, bar: greeter });
    const results = await call;
    expect([...results.qux]).to.deep.equal([1, 2, 3]);
    expect(results.made.foo.toObject()).to.deep.include({ text: "seven" });
    expect((await results.made.bar.foo(1, true)).x).to.equal("hello");
    expect((await rejection(nothing(Service).call({ foo: settings }))).code).to.equal("CAPNP_NULL_CAPABILITY");
    const unbound = client.castAs(Generic.Service);
    const any = await unbound.call({});
    expect([...any.qux.as(listOf("UInt32"))]).to.deep.equal([1, 2, 3]);
    for (const one of [results.made.bar, call, unbound, client]) one[Symbol.dispose]();
    await turn();
    servers.expectDisposed();
  });

  it("may be what a type parameter is bound to", async () => {
    const servers = new Servers();
    const root = UsesGeneric.newMessage();
    root.init("cap").foo = servers.make({ foo: () => "hello" }, Greeter);
    root.cap.bar = "text";
    expect(root.cap.foo).to.be.instanceOf(Greeter.Client);
    expect((await root.cap.foo.foo(1, true)).x).to.equal("hello");
    root.cap.foo.release();
    await turn();
    servers.expectDisposed();
  });

  it("take params of any pointer type where a method has type parameters of its own", async () => {
    const servers = new Servers();
    const server = servers.make(
      {
        call: ({ foo, bar }: Loose) => ({ foo: foo.as("Text"), bar: Settings.newMessage(bar.as(Settings)) }),
      },
      Implicit,
    );
    const client = new Implicit.Client(server);
    const request = client.callRequest();
    request.foo.set("hello");
    request.bar.init(Settings).text = "seven";
    const results = await request.send();
    expect(results.foo.as("Text")).to.equal("hello");
    expect(results.bar.as(Settings).text).to.equal("seven");
    expect((await rejection(nothing(Implicit).call("hello"))).code).to.equal("CAPNP_NULL_CAPABILITY");
    client.release();
    await turn();
    servers.expectDisposed();
  });
});

describe("whenResolved", () => {
  it("waits for a promise of a capability, whatever it becomes", async () => {
    const servers = new Servers();
    const events: string[] = [];
    let fulfil: (client: Loose) => void = () => undefined;
    const promised = new Greeter.Client(
      new Promise((resolve) => {
        fulfil = resolve;
      }),
    );
    const resolved = whenResolved(promised).then(() => events.push("resolved"));
    await turn();
    expect(events).to.deep.equal([]);
    const again = new Greeter.Client(Promise.resolve(servers.make({}, Greeter)));
    fulfil(again);
    await resolved;
    await whenResolved(promised);
    for (const client of [promised, again]) client.release();
    servers.expectDisposed();
    const broken = new Greeter.Client(Promise.reject(new Error("whatever")));
    expect((await rejection(whenResolved(broken))).message).to.equal("whatever");
    await whenResolved(new Client(nullClient.addRef()));
  });
});

describe("a promise of a promise", () => {
  it("of a call is a promise of its results, as any promise of a promise is", async () => {
    const counted = new Counted();
    const client = new Greeter.Client(counted.greeter());
    const promise = Promise.resolve().then(() => client.foo(123, true));
    expect(counted.calls).to.equal(0);
    expect((await promise).x).to.equal("foo");
    expect(counted.calls).to.equal(1);
    await counted.expectReleased(client);
  });

  it("of a client is called at once, and so is what its results will hold", async () => {
    const [counted, inner] = [new Counted(), new Counted()];
    const client = new Pipeline.Client(counted.pipeline());
    const later = new Pipeline.Client(Promise.resolve().then(() => Promise.resolve(client)));
    const call = later.getCap(234, inner.greeter());
    const foo = call.outBox.greeter.foo(321);
    expect([counted.calls, inner.calls]).to.deep.equal([0, 0]);
    expect((await foo).x).to.equal("bar");
    expect([counted.calls, inner.calls]).to.deep.equal([2, 1]);
    await counted.expectReleased(call, later, client);
    inner.servers.expectDisposed();
  });

  it("of a capability in results stands for the capability, before the call is even made", async () => {
    const [counted, inner] = [new Counted(), new Counted()];
    const client = new Pipeline.Client(counted.pipeline());
    const call = Promise.resolve().then(() => {
      const made = client.getCap(234, inner.greeter());
      return { made, greeter: made.outBox.greeter };
    });
    const greeter = new Greeter.Client(call.then((one) => one.greeter));
    const foo = greeter.foo(321);
    expect((await foo).x).to.equal("bar");
    await counted.expectReleased(greeter, (await call).made, client);
    inner.servers.expectDisposed();
  });

  it("is returned by a method as the promise that it is, with its pipeline", async () => {
    const [counted, inner] = [new Counted(), new Counted()];
    const client = new Pipeline.Client(counted.pipeline());
    const outer = new Pipeline.Client(
      counted.servers.make(
        {
          getCap: ({ n, inCap }: Loose) => {
            const call = client.getCap(n, inCap);
            inCap.release();
            call.then((results: Loose) => setImmediate(() => release(results)));
            return call;
          },
        },
        Pipeline,
      ),
    );
    const call = outer.getCap(234, inner.greeter());
    const foo = call.outBox.greeter.foo(321);
    expect((await foo).x).to.equal("bar");
    expect((await call).s).to.equal("bar");
    await counted.expectReleased(call, outer, client);
    inner.servers.expectDisposed();
  });
});
