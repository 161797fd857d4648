import { once } from "node:events";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as capnp from "capstan";
import { expect } from "chai";
import { ensureCertificates } from "../../certs/make.ts";
import { CalculatorImpl } from "../../servers/calculator/server.ts";
import { Workplace } from "../support/document.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";
import { calculatorFile, hasIPv6, Opened, waysIn } from "./calculators.ts";

describe("quickstart: starting a client", () => {
  const { Calculator } = waysIn[0]!.schema;
  const opened = new Opened();
  const bootstrap = () => new CalculatorImpl();
  afterEach(() => opened.close());

  const evaluate = async (client: { bootstrap: capnp.TwoPartyClient["bootstrap"] }): Promise<number> => {
    using calculator = client.bootstrap(Calculator);
    return (await calculator.evaluate({ expression: { literal: 123 } }).value.read()).value;
  };

  it("the calculator's schema has the interfaces that are used below (both: RPC)", () => {
    expect(Calculator.schema.methods.map(({ name }) => name)).to.deep.equal(["evaluate", "defFunction", "getOperator"]);
    expect(Calculator.Value.schema.methods.map(({ name }) => name)).to.deep.equal(["read"]);
    expect(Calculator.Function.schema.methods.map(({ name }) => name)).to.deep.equal(["call"]);
  });

  it("connect takes host:port, tcp://host:port or unix:path (both: Starting a Client)", async () => {
    const tcp = await opened.listen("localhost:0", { bootstrap });
    expect(await evaluate(await opened.connect(`localhost:${tcp.port}`))).to.equal(123);
    expect(await evaluate(await opened.connect(`tcp://localhost:${tcp.port}`))).to.equal(123);
    const unix = await opened.listen(`unix:${join(tmpdir(), `quickstart-${process.pid}.sock`)}`, { bootstrap });
    expect(await evaluate(await opened.connect(unix.address))).to.equal(123);
  });

  it("TwoPartyClient takes a raw socket, or any Duplex (both: Starting a Client)", async () => {
    const { port } = await opened.listen("127.0.0.1:0", { bootstrap });
    const socket = createConnection(port!, "127.0.0.1");
    await once(socket, "connect");
    expect(await evaluate(opened.add(new capnp.TwoPartyClient(socket)))).to.equal(123);
  });

  it("TwoPartyClient takes no address, and says where that goes (both: Starting a Client)", () => {
    // @ts-expect-error: an address is for connect
    expectError("CAPNP_TYPE", () => new capnp.TwoPartyClient("localhost:60000"), "see connect and listen");
  });

  it("a file descriptor is a raw socket when Node has made a stream of it (both: Starting a Client)", async () => {
    const place = await Workplace.make();
    try {
      await place.write("greeter.capnp", "@0xf0e1d2c3b4a59687;\ninterface Greeter { greet @0 () -> (text :Text); }");
      await place.write(
        "child.js",
        `import { Socket } from "node:net";
         import * as capnp from "capstan";
         const { Greeter } = await capnp.load("greeter.capnp");
         const server = new capnp.TwoPartyServer(new Socket({ fd: 3 }), {
           bootstrap: new (class extends Greeter.Server { greet() { return "from descriptor 3"; } })(),
         });
         console.log((await server.closed).kind);`,
      );
      await place.write(
        "parent.js",
        `import { spawn } from "node:child_process";
         import { once } from "node:events";
         import * as capnp from "capstan";
         const { Greeter } = await capnp.load("greeter.capnp");
         const child = spawn(process.execPath, ["child.js"], { stdio: ["ignore", "inherit", "inherit", "pipe"] });
         const client = new capnp.TwoPartyClient(child.stdio[3]);
         console.log((await client.bootstrap(Greeter).greet()).text);
         await client.close();
         await once(child, "exit");`,
      );
      const { stdout, stderr } = await place.run("node parent.js");
      expect(stderr).to.equal("");
      expect(stdout).to.equal("from descriptor 3\ndisconnected\n");
    } finally {
      await place.remove();
    }
  });

  it("a thread has clients and servers of its own (new: Starting a Client)", async () => {
    const server = await opened.listen("127.0.0.1:0", { bootstrap });
    const place = await Workplace.make();
    try {
      await place.write(
        "threads.js",
        `import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
         import { fileURLToPath } from "node:url";
         import * as capnp from "capstan";
         if (isMainThread) {
           const worker = new Worker(fileURLToPath(import.meta.url), { workerData: process.argv[2] });
           worker.on("message", (value) => console.log("from a thread:", value));
         } else {
           const { Calculator } = await capnp.load(${JSON.stringify(calculatorFile)});
           const client = await capnp.connect(workerData);
           const evaluated = client.bootstrap(Calculator).evaluate({ literal: 5 });
           parentPort.postMessage((await evaluated.value.read()).value);
           await client.close();
         }`,
      );
      const { stdout, stderr } = await place.run(`node threads.js ${server.address}`);
      expect(stderr).to.equal("");
      expect(stdout).to.equal("from a thread: 5\n");
    } finally {
      await place.remove();
    }
  });

  it("IPv4 first, then IPv6: by hand as the documents have it (new: Starting a Client (asyncio))", async function () {
    if (!hasIPv6) this.skip();
    const { port } = await opened.listen("[::1]:0", { bootstrap });
    const tried: string[] = [];
    const connect = async (): Promise<capnp.TwoPartyClient> => {
      try {
        tried.push("IPv4");
        return await opened.connect(`127.0.0.1:${port}`);
      } catch {
        tried.push("IPv6");
        return await opened.connect(`[::1]:${port}`);
      }
    };
    expect(await evaluate(await connect())).to.equal(123);
    expect(tried).to.deep.equal(["IPv4", "IPv6"]);
  });

  it("a name is tried at all of its addresses without a word of the user's (new: Starting a Client (asyncio))", async () => {
    const { port } = await opened.listen("127.0.0.1:0", { bootstrap });
    expect(await evaluate(await opened.connect(`localhost:${port}`))).to.equal(123);
    const nobody = await rejection(capnp.connect("localhost:1"));
    expect([nobody.code, nobody.kind]).to.deep.equal(["CAPNP_CONNECT", "disconnected"]);
  });

  it("TLS is a tls:// address and the authority's certificate (new: SSL/TLS Client)", async () => {
    const { ca, cert, key } = await ensureCertificates();
    const server = await opened.listen("tls://localhost:0", { tls: { cert, key }, bootstrap });
    const client = await opened.connect(server.address, { tls: { ca } });
    expect(client.peer.encrypted).to.equal(true);
    expect(client.peer.authenticated).to.equal(true);
    expect(await evaluate(client)).to.equal(123);
  });

  it("a server whose certificate nobody vouches for is not connected to (new: SSL/TLS Client)", async () => {
    const { cert, key } = await ensureCertificates();
    const server = await opened.listen("tls://localhost:0", { tls: { cert, key }, bootstrap });
    expect((await rejection(capnp.connect(server.address))).code).to.equal("CAPNP_TLS");
  });

  it("bootstrap gives the server's capability, cast to an interface at once or later (new: Restoring)", async () => {
    const server = await opened.listen("localhost:0", { bootstrap });
    const client = await opened.connect(server.address);
    using typed = client.bootstrap(Calculator);
    using untyped = client.bootstrap();
    using cast = untyped.castAs(Calculator);
    expect(typed).to.be.instanceOf(Calculator.Client);
    expect(untyped).not.to.be.instanceOf(Calculator.Client);
    expect((await cast.evaluate({ expression: { literal: 1 } }).value.read()).value).to.equal(1);
  });

  it("a cast is not checked, and a wrong one shows when a method is called (both: Restoring)", async () => {
    const server = await opened.listen("localhost:0", { bootstrap });
    const client = await opened.connect(server.address);
    const wrong = client.bootstrap(Calculator.Value);
    expect((await rejection(wrong.read())).kind).to.equal("unimplemented");
  });

  it("upcast is checked: to an interface that the client's own extends (both: Restoring)", () => {
    const { Base, Extended, Other } = parseLoosely(
      "interface Base { foo @0 (); }\ninterface Extended extends(Base) {}\ninterface Other {}",
    );
    using extended = new Extended.Client(new (class extends Extended.Server {})());
    using base = extended.upcast(Base);
    expect(base).to.be.instanceOf(Base.Client);
    expectError("CAPNP_TYPE", () => extended.upcast(Other));
  });
});

for (const { way, schema } of waysIn) {
  const { Calculator } = schema;

  describe(`quickstart: calling methods, ${way}`, () => {
    const opened = new Opened();
    let client: capnp.TwoPartyClient;
    let calculator: InstanceType<typeof Calculator.Client>;

    beforeEach(async () => {
      const server = await opened.listen("localhost:0", { bootstrap: () => new CalculatorImpl() });
      client = await opened.connect(server.address);
      calculator = client.bootstrap(Calculator);
    });

    afterEach(() => opened.close());

    /** Round trips that something takes, the bootstrap's not counted. */
    const roundTripsOf = async (action: () => unknown): Promise<number> => {
      await calculator.getOperator({ op: "add" });
      const before = client.stats().roundTrips;
      await action();
      return client.stats().roundTrips - before;
    };

    it("a request is made, filled in and sent, and gives a promise (both: Calling methods)", async () => {
      const request = calculator.evaluateRequest();
      request.expression.literal = 123;
      const promise = request.send();
      expect(promise).to.be.instanceOf(capnp.RemotePromise);
      expect((await promise.value.read()).value).to.equal(123);
    });

    it("a request is sent once (both: Calling methods)", async () => {
      const request = calculator.evaluateRequest();
      request.expression.literal = 123;
      await request.send();
      expectError("CAPNP_CALL", () => request.send(), "sent already");
    });

    it("a request's lists and structs are initialised like those of a message (both: Calling methods)", async () => {
      using add = calculator.getOperator({ op: "add" }).func;
      const request = calculator.evaluateRequest();
      const call = request.expression.init("call");
      call.function = add;
      const params = call.init("params", 2);
      params[0].literal = 1;
      params[1].literal = 2;
      expect((await request.send().value.read()).value).to.equal(3);
    });

    it("the short form takes the params by name, or in the order of the schema (old: Calling methods)", async () => {
      const named = calculator.evaluate({ expression: { literal: 123 } });
      const inOrder = calculator.evaluate({ literal: 123 });
      expect((await named.value.read()).value).to.equal(123);
      expect((await inOrder.value.read()).value).to.equal(123);
    });

    it("a param that the method does not have, or of another type, is refused before anything is sent (both: Calling methods)", async () => {
      const before = client.stats().sent;
      const loose: Loose = calculator;
      expectError("CAPNP_TYPE", () => loose.getOperator({ op: "add" }, {}, {}), "takes 1 params");
      expectError("CAPNP_NO_SUCH_ENUMERANT", () => loose.getOperator("power"), "power");
      expectError("CAPNP_NO_SUCH_FIELD", () => loose.evaluate({ expression: { lateral: 1 } }), "literal");
      expect(loose.divide).to.equal(undefined);
      expect(client.stats().sent).to.equal(before);
    });

    it("a promise is waited for with await (both: Calling methods)", async () => {
      const result = await calculator.evaluate({ expression: { literal: 123 } });
      expect(result.value).to.be.instanceOf(Calculator.Value.Client);
      expect((await result.value.read()).value).to.equal(123);
    });

    it("a promise chain is built with then (both: Calling methods)", async () => {
      const doStuff = (result: { readonly value: { read(): PromiseLike<{ readonly value: number }> } }) =>
        result.value.read();
      const { value } = await calculator.evaluate({ expression: { literal: 123 } }).then(doStuff);
      expect(value).to.equal(123);
      const caught = await Promise.resolve(calculator.evaluate({ expression: { parameter: 5 } })).then(
        () => "no error",
        (error: Error) => error.message,
      );
      expect(caught).to.contain("parameter 5 is out of range");
    });

    it("a capability among the results is called before they are there: one wait, one round trip (both: Pipelining)", async () => {
      const taken = await roundTripsOf(async () => {
        const evaluated = calculator.evaluate({ expression: { literal: 123 } });
        const read = evaluated.value.read();
        expect((await read).value).to.equal(123);
      });
      expect(taken).to.equal(1);
    });

    it("a chain of then is called on results that are there: the same value, a round trip more (both: Pipelining)", async () => {
      const taken = await roundTripsOf(async () => {
        const { value } = await calculator.evaluate({ expression: { literal: 123 } }).then((ret) => ret.value.read());
        expect(value).to.equal(123);
      });
      expect(taken).to.equal(2);
    });

    it("results that are not there yet are params of further calls, in the same round trip (both: Pipelining)", async () => {
      const taken = await roundTripsOf(async () => {
        const add = calculator.getOperator({ op: "add" }).func;
        const { value } = calculator.evaluate({ expression: { literal: 40 } });
        const expression = { call: { function: add, params: [{ previousResult: value }, { literal: 2 }] } };
        expect((await calculator.evaluate({ expression }).value.read()).value).to.equal(42);
      });
      expect(taken).to.equal(1);
    });

    it("several promises are joined with Promise.all (old: Calling methods)", async () => {
      const values = await Promise.all([1, 2, 3].map((literal) => calculator.evaluate({ literal }).value.read()));
      expect(values.map(({ value }) => value)).to.deep.equal([1, 2, 3]);
    });

    it("an error that the server throws rejects the promise, and all that is pipelined on it (both: Calling methods)", async () => {
      const evaluated = calculator.evaluate({ expression: { parameter: 5 } });
      const pipelined = await rejection(evaluated.value.read());
      const error = await rejection(evaluated);
      for (const one of [error, pipelined]) {
        expect(one).to.be.instanceOf(capnp.CapnpError);
        expect([one.kind, one.code]).to.deep.equal(["failed", "CAPNP_REMOTE"]);
        expect(one.message).to.contain("parameter 5 is out of range");
      }
    });

    it("a function of the client's is lent to the server, and called back (both: Calling methods)", async () => {
      class PowerFunction extends Calculator.Function.Server {
        override call({ params: [base = 0, exponent = 0] }: Loose) {
          return base ** exponent;
        }
      }
      const expression = {
        call: { function: new PowerFunction(), params: [{ literal: 2 }, { literal: 9 }] },
      };
      expect((await calculator.evaluate({ expression }).value.read()).value).to.equal(512);
    });

    it("a call has a time limit where it is given one, and is cancelled by a signal (new: Starting a Client (asyncio))", async () => {
      class Slow extends Calculator.Function.Server {
        override call() {
          return new Promise<never>(() => undefined);
        }
      }
      const expression = { call: { function: new Slow(), params: [] } };
      const late = await rejection(calculator.evaluate({ expression }, { timeout: 10 }));
      expect(late.code).to.equal("CAPNP_TIMEOUT");
      const abort = new AbortController();
      const canceled = calculator.evaluate({ expression }, { signal: abort.signal });
      abort.abort();
      expect((await rejection(canceled)).code).to.equal("CAPNP_CANCELED");
    });

    it("a server object in the same process is called through a client of it, without a network (old: Calling methods)", async () => {
      class Three extends Calculator.Value.Server {
        override read() {
          return { value: 3 };
        }
      }
      using value = new Calculator.Value.Client(new Three());
      expect((await value.read()).value).to.equal(3);
    });

    it("calls fail with kind disconnected when the connection is gone (new: Starting a Client (asyncio))", async () => {
      await client.close();
      expect((await rejection(calculator.evaluate({ literal: 1 }))).kind).to.equal("disconnected");
      expect((await client.closed).kind).to.equal("disconnected");
    });
  });
}
