import { expect } from "chai";
import { evaluate } from "../../clients/browser/evaluation.ts";
import { ExpressionError, numberText, parseExpression } from "../../clients/browser/expression.ts";
import * as capnp from "../../lib/index.ts";
import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { CalculatorImpl } from "../../servers/calculator/server.ts";

describe("an expression on the page", () => {
  const value = async (text: string): Promise<number> => {
    const calculator = new Calculator.Client(new CalculatorImpl());
    const evaluation = evaluate(calculator, parseExpression(text), 10);
    try {
      return await evaluation.value;
    } finally {
      evaluation.answer.release();
      calculator.release();
    }
  };

  it("has the usual precedence, parentheses and signs", async () => {
    for (const [text, expected] of [
      ["1 + 2 * 3", 7],
      ["(1 + 2) × 3", 9],
      ["8 ÷ 4 ÷ 2", 1],
      ["2 − 3 − 4", -5],
      ["-2 * -(3 - 5)", -4],
      ["+.5e1", 5],
      ["Ans × ans", 100],
      ["ans", 10],
      ["42", 42],
    ] as const) {
      expect(await value(text), text).to.equal(expected);
    }
  });

  it("that cannot be read says why, and where", () => {
    for (const [text, message, position] of [
      ["", "a number is missing at the end", 0],
      ["1 +", "a number is missing at the end", 3],
      ["1 2", "an operator is missing before “2”", 2],
      ["(1", "a closing parenthesis is missing at the end", 2],
      ["1 ) 2", "an operator is missing before “)”", 2],
      ["2 * )", "a number is missing before “)”", 4],
      ["2 $ 3", "“$” is nothing to calculate with", 2],
    ] as const) {
      expect(() => parseExpression(text), text)
        .to.throw(ExpressionError, message)
        .with.property("position", position);
    }
    expect(() => parseExpression("(".repeat(10_000))).to.throw(ExpressionError, "stand in each other");
  });

  it("takes one round trip, and leaves nothing on the server but the answer", async () => {
    const server = await capnp.listen("127.0.0.1:0", { bootstrap: new CalculatorImpl() });
    const client = await capnp.connect(server.address);
    try {
      using calculator = client.bootstrap(Calculator);
      await capnp.whenResolved(calculator);
      const before = client.stats().roundTrips;
      const { calls, value, steps, answer } = evaluate(calculator, parseExpression("(1 + 2) * (3 + 4) - 5"), 0);
      expect(await value).to.equal(16);
      expect(await steps).to.deep.equal(["1 + 2 = 3", "3 + 4 = 7", "3 × 7 = 21", "21 − 5 = 16"]);
      expect([calls, client.stats().roundTrips - before]).to.deep.equal([11, 1]);
      expect(await evaluate(calculator, parseExpression("ans + 1"), answer).value).to.equal(17);
      answer.release();
      await calculator.getOperator({ op: "add" });
      expect(client.check()).to.deep.equal([]);
    } finally {
      await client.close();
      await server.close();
    }
  });

  it("prints numbers as people write them", () => {
    expect([0.1 + 0.2, -3, 1 / 3, Number.POSITIVE_INFINITY, Number.NaN].map(numberText)).to.deep.equal([
      "0.3",
      "−3",
      "0.333333333333",
      "∞",
      "not a number",
    ]);
  });
});
