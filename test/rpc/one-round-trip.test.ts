import { expect } from "chai";
import { memoryTransportPair, TwoPartyClient, TwoPartyServer } from "../../lib/index.ts";
import { child, messageName, openMessage, readMessageTarget, u16 } from "../../lib/rpc/wire.ts";
import { Struct } from "../../lib/serialization/struct.ts";
import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { CalculatorImpl } from "../../servers/calculator/server.ts";

/** What a held frame says: `bootstrap`, or `call` and what it is addressed to. */
const describeFrame = (segments: readonly Uint8Array[]): string => {
  const root = openMessage(segments).root(Struct);
  const name = messageName(u16(root, 0));
  if (name !== "call") return name;
  const target = readMessageTarget(child(child(root, 0), 0), 64);
  return target.which === "promisedAnswer" ? `call on answer ${target.questionId}` : `call on import ${target.id}`;
};

describe("a pipelined chain", () => {
  it("has been sent whole before a single frame comes back, and takes one round trip", async () => {
    const pair = memoryTransportPair({ mode: "stepped" });
    const server = new TwoPartyServer(pair.b, { bootstrap: () => new CalculatorImpl() });
    const client = new TwoPartyClient(pair.a);
    const literal = (value: number) => ({ literal: value });

    using calculator = client.bootstrap(Calculator);
    using add = calculator.getOperator({ op: "add" }).func;
    using subtract = calculator.getOperator({ op: "subtract" }).func;
    const sum = { call: { function: add, params: [literal(123), literal(45)] } };
    using value = calculator.evaluate({
      expression: { call: { function: subtract, params: [sum, literal(67)] } },
    }).value;
    using again = calculator.evaluate({
      expression: { call: { function: add, params: [{ previousResult: value }, literal(1)] } },
    }).value;
    const reads = Promise.all([value.read(), again.read()]);
    // However long it waits: nothing else is to come.
    await new Promise((resolve) => setTimeout(resolve, 10));

    expect(pair.a.held.map(describeFrame)).to.deep.equal([
      "bootstrap",
      "call on answer 0",
      "call on answer 0",
      "call on answer 0",
      "call on answer 0",
      "call on answer 3",
      "call on answer 4",
    ]);
    expect(pair.b.held).to.have.length(0);
    expect([client.stats().received, server.stats().received]).to.deep.equal([0, 0]);

    await pair.settle();
    const [first, second] = await reads;
    expect([first.value, second.value]).to.deep.equal([101, 102]);
    expect(client.stats().roundTrips).to.equal(1);

    for (const held of [calculator, add, subtract, value, again]) held.release();
    // The results that nobody awaited hold what is in them until they are collected.
    for (let i = 0; i < 20 && client.stats().imports > 0; i++) {
      (globalThis as { gc?: () => void }).gc?.();
      await pair.settle();
    }
    for (const { questions, answers, exports, imports, embargoes } of [client.stats(), server.stats()]) {
      expect([questions, answers, exports, imports, embargoes]).to.deep.equal([0, 0, 0, 0, 0]);
    }
    const closing = Promise.all([client.close(), server.closed]);
    await pair.settle();
    await closing;
  });
});
