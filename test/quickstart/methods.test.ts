import * as capnp from "capstan";
import { expect } from "chai";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";
import { Opened } from "./calculators.ts";
import { deferred } from "./deferred.ts";

/** A client of an object of a class that a test writes. */
const served = (type: Loose, methods: Loose): Loose => {
  const server = new (class extends type.Server {})();
  return new type.Client(Object.assign(server as object, methods));
};

describe("quickstart: methods of servers", () => {
  const { TestInterface, Next } = parseLoosely(`
    interface TestInterface {
      foo @0 (i :UInt32, j :Bool) -> (x :Text, i :UInt32);
      bar @1 (text :Text) -> (text :Text);
      pass @2 (to :TestInterface, text :Text) -> (text :Text);
    }
    interface Next extends(TestInterface) { after @0 () -> (text :Text); }`);

  it("results are returned in the order of the schema (both: Implementing a Server)", async () => {
    using client = served(TestInterface, { foo: ({ i, j }: Loose) => [String(j), i] });
    const { x, i } = await client.foo({ i: 5, j: true });
    expect([x, i]).to.deep.equal(["true", 5]);
  });

  it("more results than the method has are refused (both: Implementing a Server)", async () => {
    using client = served(TestInterface, { foo: () => ["x", 1, 2], bar: () => "bare" });
    expect((await rejection(client.foo())).message).to.contain("has 2 results and returned an array of 3 values");
    expect((await client.bar()).text).to.equal("bare");
  });

  it("results are returned by name, and what is left out has its default (both: Implementing a Server)", async () => {
    using client = served(TestInterface, { foo: () => ({ i: 7 }), bar: () => undefined });
    const { x, i } = await client.foo();
    expect([x, i]).to.deep.equal(["", 7]);
    expect((await client.bar()).text).to.equal("");
    using wrong = served(TestInterface, { foo: () => ({ y: 7 }) });
    expect((await rejection(wrong.foo())).message).to.contain('no field "y"');
  });

  it("a promise of any of these is waited for (both: Implementing a Server)", async () => {
    using client = served(TestInterface, {
      foo: async ({ i, j }: Loose) => [String(j), i],
      bar: ({ text }: Loose) => Promise.resolve(`${text}!`),
    });
    expect((await client.foo(5, false)).x).to.equal("false");
    expect((await client.bar("hey")).text).to.equal("hey!");
  });

  it("a method by name is given its context, too (both: Implementing a Server)", async () => {
    using client = served(TestInterface, {
      foo: ({ i }: Loose, context: Loose) => {
        expect(context.params.i).to.equal(i);
        context.results.x = "from the context";
        context.results.i = i + 1;
      },
    });
    const { x, i } = await client.foo({ i: 1 });
    expect([x, i]).to.deep.equal(["from the context", 2]);
  });

  it("a method that ends in _context is given that only, sets the results itself, and comes first (both: Implementing a Server)", async () => {
    const given: unknown[][] = [];
    using client = served(TestInterface, {
      foo: () => ["by name", 0],
      foo_context: (...args: Loose[]) => {
        given.push(args);
        args[0].results.x = String(args[0].params.j);
      },
    });
    expect((await client.foo({ j: true })).x).to.equal("true");
    expect(given[0]).to.have.lengthOf(1);
  });

  it("a method that ends in _context may return a promise, and nothing else (both: Implementing a Server)", async () => {
    using client = served(TestInterface, {
      foo_context: async (context: Loose) => {
        await new Promise(setImmediate);
        context.results.x = "later";
      },
      bar_context: () => ({ text: "returned" }),
      pass_context: async () => "returned later",
    });
    expect((await client.foo()).x).to.equal("later");
    for (const method of ["bar", "pass"]) {
      const { message } = await rejection(client[method]());
      expect(message).to.contain(`TestInterface.${method}_context returned`);
      expect(message).to.contain("sets context.results and returns nothing");
    }
  });

  it("params that a newer schema added do no harm, and read as their defaults where they are missing (both: Implementing a Server)", async () => {
    const schema = (params: string): Loose =>
      new capnp.SchemaParser().parse<Loose>(
        `@0xd3d3d3d3d3d3d3d3;\ninterface Greeter @0xe4e4e4e4e4e4e4e4 { greet @0 (${params}) -> (text :Text); }`,
      );
    const older = schema("name :Text").Greeter;
    const newer = schema('name :Text, title :Text = "Dr."').Greeter;
    using oldServer = served(older, { greet: ({ name }: Loose) => `Hello, ${name}` });
    using newClient = oldServer.castAs(newer);
    expect((await newClient.greet({ name: "Alice", title: "Prof." })).text).to.equal("Hello, Alice");
    using newServer = served(newer, { greet: ({ title, name }: Loose) => `Hello, ${title} ${name}` });
    using oldClient = newServer.castAs(older);
    expect((await oldClient.greet({ name: "Alice" })).text).to.equal("Hello, Dr. Alice");
  });

  it("what a method throws is the answer, and a CapnpError keeps its kind (both: Implementing a Server)", async () => {
    const opened = new Opened();
    class Failing extends TestInterface.Server {
      foo() {
        throw new Error("not today");
      }
      async bar() {
        throw new capnp.CapnpError("CAPNP_LIMIT", "come back later", { kind: "overloaded" });
      }
    }
    const server = await opened.listen("127.0.0.1:0", { bootstrap: () => new Failing() as Loose });
    const client: Loose = (await opened.connect(server.address)).bootstrap(TestInterface);
    const [failed, overloaded] = [await rejection(client.foo()), await rejection(client.bar())];
    expect([failed.kind, failed.message]).to.deep.equal(["failed", "remote exception: not today"]);
    expect([overloaded.kind, overloaded.message]).to.deep.equal(["overloaded", "remote exception: come back later"]);
    await opened.close();
  });

  it("a call is passed on to another object, whose answer is the answer (old: Implementing a Server)", async () => {
    using target = served(TestInterface, { bar: ({ text }: Loose) => `${text} there` });
    using client = served(TestInterface, {
      pass_context: (context: Loose) => {
        const request = context.params.to.barRequest();
        request.text = context.params.text;
        return context.tailCall(request);
      },
    });
    expect((await client.pass({ to: target, text: "hello" })).text).to.equal("hello there");
  });

  it("a method waits for several calls of its own (old: Implementing a Server)", async () => {
    using target = served(TestInterface, { bar: ({ text }: Loose) => text.toUpperCase() });
    using client = served(TestInterface, {
      pass: async ({ to, text }: Loose) => {
        const answers = await Promise.all([to.bar(text), to.bar("and"), to.bar(text)]);
        return answers.map((answer: Loose) => answer.text).join(" ");
      },
    });
    expect((await client.pass({ to: target, text: "tea" })).text).to.equal("TEA AND TEA");
  });

  it("a method hears that its caller has given up, and may give its params back (old: Implementing a Server)", async () => {
    const opened = new Opened();
    const called = deferred<void>();
    const heard = deferred<void>();
    class Patient extends TestInterface.Server {
      bar(_params: Loose, { signal }: Loose) {
        signal.addEventListener("abort", () => heard.resolve());
        called.resolve();
        return new Promise(() => undefined);
      }
      foo_context(context: Loose) {
        context.allowCancellation();
        context.results.i = context.params.i;
        context.releaseParams();
      }
    }
    const server = await opened.listen("127.0.0.1:0", { bootstrap: new Patient() as Loose });
    const client: Loose = (await opened.connect(server.address)).bootstrap(TestInterface);
    const call = client.bar("x");
    await called.promise;
    call.cancel();
    expect((await rejection(call)).code).to.equal("CAPNP_CANCELED");
    await heard.promise;
    expect((await client.foo({ i: 3 })).i).to.equal(3);
    await opened.close();
  });

  it("methods of an interface that is extended are methods of its servers and clients (both: Implementing a Server)", async () => {
    using client = served(Next, { bar: ({ text }: Loose) => `bar ${text}`, after: () => "after" });
    expect((await client.bar("x")).text).to.equal("bar x");
    expect((await client.after()).text).to.equal("after");
    using base = client.upcast(TestInterface);
    expect((await base.bar("y")).text).to.equal("bar y");
  });

  it("a server class needs no constructor, and one that it has passes nothing to super() (both: Implementing a Server)", async () => {
    class Plain extends TestInterface.Server {
      readonly text: string = "plain";
      bar() {
        return this.text;
      }
    }
    class Made extends Plain {
      override readonly text: string;
      constructor(text: string) {
        super();
        this.text = text;
      }
    }
    for (const [server, text] of [
      [new Plain(), "plain"],
      [new Made("made"), "made"],
    ]) {
      using client = new TestInterface.Client(server);
      expect((await client.bar()).text).to.equal(text);
    }
  });
});
