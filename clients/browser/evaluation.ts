import type { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { type Expression, numberText, type Operator, signs } from "./expression.ts";

/** The last result: an object that lives on the server, or only its number where that object is gone. */
export type Answer = Calculator.Value.Client | number;

export interface Evaluation {
  /** Calls that were made for it. All of them are sent before anything has come back. */
  readonly calls: number;
  /** Resolves with the number. */
  readonly value: Promise<number>;
  /** Resolves with each operation and what came of it: `4 × 6 = 24`. */
  readonly steps: Promise<readonly string[]>;
  /** The result, where it lives. It is the caller's to release. */
  readonly answer: Calculator.Value.Client;
}

interface Operand {
  readonly init: Calculator.Expression.Init;
  readonly value: number | Promise<number>;
}

/**
 * Has a calculator evaluate an expression, one call for each operation, and reads every result. None of the calls waits for another:
 * each is given the result of those before it as a promise, so that all of it takes one round trip.
 */
export const evaluate = (calculator: Calculator.Client, expression: Expression, last: Answer): Evaluation => {
  let calls = 0;
  const called = <T>(result: T): T => {
    calls++;
    return result;
  };
  const functions = new Map<Operator, Calculator.Function.Client>();
  const results: Calculator.Value.Client[] = [];
  const steps: Promise<string>[] = [];

  const functionOf = (op: Operator): Calculator.Function.Client => {
    let found = functions.get(op);
    if (found === undefined) {
      found = called(calculator.getOperator({ op })).func;
      functions.set(op, found);
    }
    return found;
  };
  const read = async (value: Calculator.Value.Client): Promise<number> => (await called(value.read())).value;
  const run = (init: Calculator.Expression.Init): Operand => {
    const value = called(calculator.evaluate({ expression: init })).value;
    results.push(value);
    const number = read(value);
    // Whoever awaits it hears of a failure; nobody needs to.
    number.catch(() => undefined);
    return { init: { previousResult: value }, value: number };
  };
  const operand = (part: Expression): Operand => {
    if (part.kind === "number") return { init: { literal: part.value }, value: part.value };
    if (part.kind === "answer") {
      if (typeof last === "number") return { init: { literal: last }, value: last };
      const value = read(last);
      value.catch(() => undefined);
      return { init: { previousResult: last }, value };
    }
    const [left, right] = [operand(part.left), operand(part.right)];
    const result = run({ call: { function: functionOf(part.operator), params: [left.init, right.init] } });
    const text = async (): Promise<string> => {
      const numbers = await Promise.all([left.value, right.value, result.value]);
      const [a, b, value] = numbers.map(numberText);
      return `${a} ${signs[part.operator]} ${b} = ${value}`;
    };
    const step = text();
    step.catch(() => undefined);
    steps.push(step);
    return result;
  };

  const whole = operand(expression);
  // A number by itself is evaluated, too: so there is an object for it on the server.
  const result = results.length > 0 && expression.kind === "operation" ? whole : run(whole.init);
  const answer = results.pop()!;
  const value = Promise.resolve(result.value);
  const release = (): void => {
    for (const client of [...functions.values(), ...results]) client.release();
  };
  value.then(release, release);
  return { calls, value, steps: Promise.all(steps), answer };
};
