import { inspect } from "node:util";
import { expect } from "chai";
import { expectError } from "../../support/errors.ts";
import { type Loose, parseLoosely } from "../../support/loose.ts";
import { rejection } from "../../support/vats.ts";

const { Adder, Box } = parseLoosely(`
  struct Box { content @0 :Text; adder @1 :Adder; }
  interface Adder {
    add @0 (a :Int32, b :Int32) -> (sum :Int32);
    later @1 () -> ();
    put @2 (box :Box) -> (content :Text, back :Box);
    feed @3 (n :Int32) -> stream;
  }
`);

class AdderImpl extends Adder.Server {
  add({ a, b }: Loose): Loose {
    return { sum: a + b };
  }
  later(_params: Loose, { signal }: Loose): Promise<void> {
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  }
  put({ box }: Loose): Loose {
    return { content: box.content };
  }
  feed(): void {}
}

const adder: Loose = new Adder.Client(new AdderImpl());

describe("the options of a call", () => {
  for (const timeout of [Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER, 2 ** 31]) {
    it(`may have a timeout of ${timeout}, which does not run out at once`, async () => {
      const call = adder.later({}, { timeout });
      await new Promise((resolve) => setTimeout(resolve, 20));
      call.cancel();
      expect(await rejection(call)).to.include({ code: "CAPNP_CANCELED" });
      expect((await adder.add({ a: 1, b: 2 }, { timeout })).sum).to.equal(3);
    });
  }

  for (const [given, code, text] of [
    [{ timeout: Number.NaN }, "CAPNP_RANGE", "not NaN"],
    [{ timeout: -1 }, "CAPNP_RANGE", "not -1"],
    [{ timeout: "1000" }, "CAPNP_TYPE", "timeout must be a number of milliseconds, not string"],
    [{ signal: 5 }, "CAPNP_TYPE", "signal must be an AbortSignal, not number"],
    [{ signal: null }, "CAPNP_TYPE", "not null"],
  ] as const) {
    it(`are refused where they say nothing: ${JSON.stringify(given)}`, () => {
      expectError(code, () => adder.add({ a: 1, b: 2 }, given), text);
      expectError(code, () => adder.feed({ n: 1 }, given), text);
      const request = adder.addRequest();
      expectError(code, () => request.send(given), text);
    });
  }

  it("that are refused leave the request to be sent", async () => {
    const request = adder.addRequest({ a: 1, b: 2 });
    expectError("CAPNP_TYPE", () => request.send(5), "The options of a call must be an object");
    expect((await request.send()).sum).to.equal(3);
  });
});

describe("the params of a call", () => {
  it("of which one is misspelt are not taken for the first of them", () => {
    expectError("CAPNP_NO_SUCH_FIELD", () => adder.add({ a: 1, bb: 2 }), 'add$Params has no field "bb"', '"b"?');
  });

  it("may begin with a struct that is given as an object", async () => {
    expect((await adder.put({ content: "x" })).content).to.equal("x");
  });

  it("may be given to a request, by name, in order or as a struct", async () => {
    expect((await adder.addRequest({ a: 1, b: 2 }).send()).sum).to.equal(3);
    expect((await adder.addRequest(3, 4).send()).sum).to.equal(7);
    expect((await adder.putRequest(Box.newMessage({ content: "y" })).send()).content).to.equal("y");
    const request = adder.addRequest({ a: 5 });
    request.b = 6;
    expect((await request.send()).sum).to.equal(11);
  });

  it("are all that a request takes", () => {
    expectError(
      "CAPNP_TYPE",
      () => adder.addRequest({ a: 1, b: 2 }, { timeout: 5 }),
      "addRequest takes at most 2 params; 2 arguments were given. Options of the call go to send()",
    );
    expectError("CAPNP_NO_SUCH_FIELD", () => adder.addRequest({ aa: 1 }), '"aa"');
  });
});

describe("the promise of a call", () => {
  it("is printed by its name, and so is what is pipelined on it", async () => {
    const call = adder.put({ content: "x" });
    expect(inspect(call)).to.equal("RemotePromise {}");
    expect(inspect(call.back)).to.equal("[pipeline: Box]");
    expect(inspect(call.back.adder)).to.equal("Adder.Client {}");
    await call;
  });
});
