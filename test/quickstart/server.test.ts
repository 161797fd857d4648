import { once } from "node:events";
import { connect as connectTcp, createServer } from "node:net";
import * as capnp from "capstan";
import { expect } from "chai";
import { firstValueFrom } from "rxjs";
import { ensureCertificates } from "../../certs/make.ts";
import { CalculatorImpl } from "../../servers/calculator/server.ts";
import { Workplace } from "../support/document.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";
import { calculatorFile, hasIPv6, Opened, waysIn } from "./calculators.ts";
import { deferred } from "./deferred.ts";

const { Calculator } = waysIn[0]!.schema;

const evaluate = async (client: { bootstrap: capnp.TwoPartyClient["bootstrap"] }, literal = 123): Promise<number> => {
  using calculator = client.bootstrap(Calculator);
  return (await calculator.evaluate({ expression: { literal } }).value.read()).value;
};

describe("quickstart: starting a server", () => {
  const opened = new Opened();
  const bootstrap = () => new CalculatorImpl();
  afterEach(() => opened.close());

  it("listen takes *:port for every interface, and port 0 for a free one (both: Starting a Server)", async function () {
    if (!hasIPv6) this.skip();
    const server = await opened.listen("*:0", { bootstrap });
    expect(server.port).to.be.greaterThan(0);
    expect(server.address).to.equal(`*:${server.port}`);
    expect(await evaluate(await opened.connect(`127.0.0.1:${server.port}`))).to.equal(123);
    expect(await evaluate(await opened.connect(`[::1]:${server.port}`))).to.equal(123);
  });

  it("listen takes 0.0.0.0 for every IPv4 interface, and :: for every one (new: Starting a Server (asyncio))", async function () {
    if (!hasIPv6) this.skip();
    for (const [address, reached] of [
      ["0.0.0.0:0", "127.0.0.1"],
      ["[::]:0", "[::1]"],
    ]) {
      await using server = await capnp.listen(address!, { bootstrap });
      await using client = await capnp.connect(`${reached}:${server.port}`);
      expect(await evaluate(client)).to.equal(123);
    }
  });

  it("a server runs for ever, without a loop to call, until it is closed (both: Starting a Server)", async () => {
    const place = await Workplace.make();
    try {
      await place.write(
        "server.js",
        `import * as capnp from "capstan";
         const { Calculator } = await capnp.load(${JSON.stringify(calculatorFile)});
         class Value extends Calculator.Value.Server { read() { return 5; } }
         class Impl extends Calculator.Server { evaluate() { return new Value(); } }
         const server = await capnp.listen("127.0.0.1:0", { bootstrap: () => new Impl() });
         process.once("SIGTERM", () => server.close());
         console.log(server.address);`,
      );
      const server = place.start("exec node server.js");
      const [address] = await server.line(/^127\.0\.0\.1:\d+$/);
      for (let i = 0; i < 3; i++) {
        const client = await capnp.connect(address);
        expect(await evaluate(client)).to.equal(5);
        await client.close();
      }
      await server.stop();
      expect((await server.finished()).status, "ended by itself when the server was closed").to.equal(0);
    } finally {
      await place.remove();
    }
  });

  it("TwoPartyServer takes a raw socket, and closed waits for the other end to disconnect (both: Starting a Server)", async () => {
    const listener = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
    await once(listener, "listening");
    const accepted = once(listener, "connection");
    const client = await capnp.connect(`127.0.0.1:${(listener.address() as { port: number }).port}`);
    const [socket] = await accepted;
    const server = new capnp.TwoPartyServer(socket, { bootstrap: new CalculatorImpl() });
    expect(await evaluate(client)).to.equal(123);
    await client.close();
    expect((await server.closed).kind).to.equal("disconnected");
    listener.close();
  });

  it("each connection has an object of its own where bootstrap is a function (new: Starting a Server (asyncio))", async () => {
    const { Counter } = parseLoosely("interface Counter { next @0 () -> (n :UInt32); }");
    class CounterImpl extends Counter.Server {
      n = 0;
      next() {
        return ++this.n;
      }
    }
    const peers: string[] = [];
    const server = await opened.listen("127.0.0.1:0", {
      bootstrap: (peer) => {
        peers.push(peer.address);
        return new CounterImpl() as Loose;
      },
    });
    const accepted = firstValueFrom(server.connections$);
    const [a, b] = [await opened.connect(server.address), await opened.connect(server.address)];
    const [first, second]: Loose[] = [a.bootstrap(Counter), b.bootstrap(Counter)];
    expect([(await first.next()).n, (await first.next()).n, (await second.next()).n]).to.deep.equal([1, 2, 1]);
    expect(peers).to.have.lengthOf(2);
    expect(server.connections).to.have.lengthOf(2);
    const connection = await accepted;
    await a.close();
    expect((await connection.closed).kind).to.equal("disconnected");
  });

  it("one object is served to all connections where bootstrap is an object (both: Starting a Server)", async () => {
    const server = await opened.listen("127.0.0.1:0", { bootstrap: new CalculatorImpl() });
    for (let i = 0; i < 3; i++) {
      const client = await capnp.connect(server.address);
      expect(await evaluate(client)).to.equal(123);
      await client.close();
    }
  });

  it("IPv4 first, then IPv6: by hand as the documents have it (new: Starting a Server (asyncio))", async function () {
    if (!hasIPv6) this.skip();
    const taken = await opened.listen("127.0.0.1:0", { bootstrap });
    const tried: string[] = [];
    const listen = async (port: number): Promise<capnp.RpcServer> => {
      try {
        tried.push("IPv4");
        return await opened.listen(`127.0.0.1:${port}`, { bootstrap });
      } catch {
        tried.push("IPv6");
        return await opened.listen(`[::1]:${port}`, { bootstrap });
      }
    };
    const server = await listen(taken.port!);
    expect(tried).to.deep.equal(["IPv4", "IPv6"]);
    expect(await evaluate(await opened.connect(server.address))).to.equal(123);
  });

  it("TLS is a tls:// address, a certificate and its key (new: SSL/TLS Server)", async () => {
    const { ca, cert, key } = await ensureCertificates();
    const server = await opened.listen("tls://localhost:0", { tls: { cert, key }, bootstrap });
    const client = await opened.connect(server.address, { tls: { ca } });
    expect(await evaluate(client)).to.equal(123);
    expect(server.connections[0]?.peer.encrypted).to.equal(true);
  });

  it("a connection that breaks in any way ends alone, and the server goes on (new: Starting a Server (asyncio))", async () => {
    const server = await opened.listen("127.0.0.1:0", { bootstrap });
    const client = await opened.connect(server.address);
    const rude = connectTcp(server.port!, "127.0.0.1");
    await once(rude, "connect");
    rude.end("GET / HTTP/1.1\r\n\r\n");
    rude.resume();
    await once(rude, "close");
    expect(await evaluate(client)).to.equal(123);
  });

  it("close lets calls at work come to their end (new: Starting a Server (asyncio))", async () => {
    const { Slow } = parseLoosely("interface Slow { wait @0 () -> (text :Text); }");
    const called = deferred<void>();
    const result = deferred<string>();
    class SlowImpl extends Slow.Server {
      wait() {
        called.resolve();
        return result.promise;
      }
    }
    const server = await opened.listen("127.0.0.1:0", { bootstrap: new SlowImpl() as Loose });
    const client: Loose = await opened.connect(server.address);
    const answer = client.bootstrap(Slow).wait();
    await called.promise;
    const closing = server.close({ drain: 5_000 });
    result.resolve("done");
    expect((await answer).text).to.equal("done");
    await closing;
  });
});

for (const { way, schema } of waysIn) {
  const { Calculator } = schema;

  class ValueImpl extends Calculator.Value.Server {
    readonly #value: number;
    constructor(value: number) {
      super();
      this.#value = value;
    }
    override read() {
      return { value: this.#value };
    }
  }

  class FunctionImpl extends Calculator.Function.Server {
    readonly #paramCount: number;
    constructor(paramCount: number) {
      super();
      this.#paramCount = paramCount;
    }
    override call() {
      return { value: this.#paramCount };
    }
  }

  class OperatorImpl extends Calculator.Function.Server {
    readonly #op: string | number;
    constructor(op: string | number) {
      super();
      this.#op = op;
    }
    override call({ params: [a = 0, b = 0] }: Loose) {
      return this.#op === "add" ? a + b : a - b;
    }
  }

  const evaluateImpl = async (expression: { readonly literal?: number }): Promise<number> => expression.literal ?? 0;

  describe(`quickstart: implementing a server, ${way}`, () => {
    it("the calculator of the documents: by name, with a context, and with a bare result (both: Implementing a Server)", async () => {
      class DocumentsCalculator extends Calculator.Server {
        override evaluate({ expression }: Loose, context: Loose) {
          return evaluateImpl(expression).then((value) => {
            context.results.value = new ValueImpl(value);
          });
        }
        override defFunction_context(context: Loose) {
          const { params } = context;
          context.results.func = new FunctionImpl(params.paramCount);
        }
        override getOperator({ op }: Loose) {
          return new OperatorImpl(op);
        }
      }
      const opened = new Opened();
      const server = await opened.listen("localhost:0", { bootstrap: () => new DocumentsCalculator() });
      const calculator = (await opened.connect(server.address)).bootstrap(Calculator);
      expect((await calculator.evaluate({ literal: 123 }).value.read()).value).to.equal(123);
      expect((await calculator.defFunction({ paramCount: 7 }).func.call([])).value).to.equal(7);
      expect((await calculator.getOperator("add").func.call([1, 2])).value).to.equal(3);
      expect((await calculator.getOperator({ op: "subtract" }).func.call({ params: [1, 2] })).value).to.equal(-1);
      await opened.close();
    });

    it("an async method returns its results (new: Implementing a Server)", async () => {
      class AsyncCalculator extends Calculator.Server {
        override async evaluate({ expression }: Loose) {
          return { value: new ValueImpl(await evaluateImpl(expression)) };
        }
      }
      using calculator = new Calculator.Client(new AsyncCalculator());
      expect((await calculator.evaluate({ literal: 123 }).value.read()).value).to.equal(123);
    });

    it("a class extends the interface's Server; one that does not is no capability (both: Implementing a Server)", () => {
      class Stranger {
        read() {
          return { value: 1 };
        }
      }
      expectError("CAPNP_TYPE", () => new Calculator.Value.Client(new Stranger() as never));
    });

    it("a method that the class lacks answers unimplemented; nothing else has to be called like it (both: Implementing a Server)", async () => {
      class Half extends Calculator.Server {
        evalute() {
          return {};
        }
      }
      using calculator = new Calculator.Client(new Half());
      const error = await rejection(calculator.evaluate({ literal: 1 }));
      expect([error.kind, error.code]).to.deep.equal(["unimplemented", "CAPNP_UNIMPLEMENTED"]);
      expect(error.message).to.contain("evaluate");
    });
  });
}
