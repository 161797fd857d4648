import * as capnp from "capstan";
import { expect } from "chai";
import { CalculatorImpl } from "../../servers/calculator/server.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";
import { Opened, waysIn } from "./calculators.ts";

const { Calculator } = waysIn[0]!.schema;
const { TestSturdyRefObjectId, TestInterface } = parseLoosely(`
  struct TestSturdyRefObjectId { tag @0 :Tag; enum Tag { testInterface @0; testExtends @1; } }
  interface TestInterface { foo @0 () -> (n :UInt32); }`);

class TestServer extends TestInterface.Server {
  readonly #n: number;
  constructor(n: number) {
    super();
    this.#n = n;
  }
  foo() {
    return this.#n;
  }
}

describe("quickstart: restoring", () => {
  const opened = new Opened();
  afterEach(() => opened.close());

  const serve = async (restorer: Loose): Promise<capnp.TwoPartyClient> => {
    const server = await opened.listen("localhost:0", { restorer });
    return opened.connect(server.address);
  };

  const numberOf = async (client: Loose): Promise<number> => (await client.foo()).n;

  it("ezRestore asks for a capability by its name, and the cast says what it is (old: Restoring)", async () => {
    const client = await serve((objectId: capnp.AnyPointerReader) =>
      objectId.as("Text") === "calculator" ? new CalculatorImpl() : null,
    );
    using calculator = client.ezRestore("calculator").castAs(Calculator);
    expect((await calculator.evaluate({ literal: 123 }).value.read()).value).to.equal(123);
    using unknown = client.ezRestore("calculater", Calculator);
    expect((await rejection(unknown.evaluate())).message).to.contain("knows no capability by this object id");
  });

  it("restore asks by a struct (old: Restoring)", async () => {
    const { MyStructType } = parseLoosely("struct MyStructType { foo @0 :Text; }");
    const client = await serve((objectId: Loose) => {
      if (objectId.as(MyStructType).foo !== "bar") throw new Error("Unrecognized ref passed to restore");
      return new CalculatorImpl();
    });
    const calculator = client.restore(MyStructType.newMessage({ foo: "bar" })).castAs(Calculator);
    expect((await calculator.evaluate({ literal: 5 }).value.read()).value).to.equal(5);
    const same = client.restore({ foo: "bar" }, MyStructType, Calculator);
    expect((await same.evaluate({ literal: 6 }).value.read()).value).to.equal(6);
  });

  it("a capability that was restored is called at once, before the server has answered (old: Restoring)", async () => {
    const client = await serve((objectId: Loose) => (objectId.as("Text") === "x" ? new TestServer(1) : null));
    const before = client.stats().roundTrips;
    expect(await numberOf(client.ezRestore("x", TestInterface))).to.equal(1);
    expect(client.stats().roundTrips - before).to.equal(1);
  });

  it("a class that extends the Restorer of a struct is given the object id as that struct (old: Restore)", async () => {
    class SimpleRestorer extends TestSturdyRefObjectId.Restorer {
      restore(refId: Loose) {
        if (refId.tag === "testInterface") return new TestServer(100);
        throw new Error("Unrecognized ref passed to restore");
      }
    }
    const client = await serve(new SimpleRestorer());
    const known = client.restore(TestSturdyRefObjectId.newMessage({ tag: "testInterface" })).castAs(TestInterface);
    expect(await numberOf(known)).to.equal(100);
    const unknown: Loose = client.restore(TestSturdyRefObjectId.newMessage({ tag: "testExtends" }), TestInterface);
    expect((await rejection(unknown.foo())).message).to.equal("remote exception: Unrecognized ref passed to restore");
  });

  it("a function is given the object id as it came, and reads it as a struct (old: Restore)", async () => {
    const restore = (refId: Loose) => {
      if (refId.as(TestSturdyRefObjectId).tag === "testInterface") return new TestServer(100);
      throw new Error("Unrecognized ref passed to restore");
    };
    const client = await serve(restore);
    expect(await numberOf(client.restore({ tag: "testInterface" }, TestSturdyRefObjectId, TestInterface))).to.equal(
      100,
    );
    const unknown: Loose = client.restore({ tag: "testExtends" }, TestSturdyRefObjectId, TestInterface);
    expect((await rejection(unknown.foo())).kind).to.equal("failed");
  });

  it("a restorer is for TwoPartyServer over a socket, too (old: Restore)", async () => {
    const { a, b } = capnp.memoryTransportPair();
    const client = opened.add(new capnp.TwoPartyClient(a));
    opened.add(new capnp.TwoPartyServer(b, { restorer: () => new TestServer(3) as Loose }));
    expect(await numberOf(client.ezRestore("any", TestInterface))).to.equal(3);
  });

  it("a server has a bootstrap capability beside what it restores (new: Restoring)", async () => {
    const server = await opened.listen("localhost:0", {
      bootstrap: () => new CalculatorImpl(),
      restorer: () => new TestServer(4) as Loose,
    });
    const client = await opened.connect(server.address);
    expect((await client.bootstrap(Calculator).evaluate({ literal: 1 }).value.read()).value).to.equal(1);
    expect(await numberOf(client.ezRestore("x", TestInterface))).to.equal(4);
  });
});
