import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import type { Report } from "../report.ts";

type Expression = Calculator.Expression.Init;
type Callee = Calculator.Function.Client | Calculator.Function.Server;

const literal = (value: number): Expression => ({ literal: value });
const parameter = (index: number): Expression => ({ parameter: index });
const previous = (value: Calculator.Value.Client): Expression => ({ previousResult: value });
const call = (callee: Callee, ...params: Expression[]): Expression => ({ call: { function: callee, params } });

/** A function that lives here: the server calls it back. */
class PowerFunction extends Calculator.Function.Server {
  override call({ params }: Calculator.Function.CallParams.Reader) {
    const [base, exponent] = params;
    if (base === undefined || exponent === undefined || params.length !== 2) {
      throw new Error(`pow takes 2 parameters; ${params.length} were given`);
    }
    return { value: base ** exponent };
  }
}

/** Does everything that a calculator can do, and checks each result. */
export const calculate = async (calculator: Calculator.Client, report: Report): Promise<void> => {
  report.heading("A literal");
  {
    // Three calls leave together: asking for the calculator, evaluating, and reading the value of a result that does not
    // exist yet. Nothing is waited for but the number.
    using value = calculator.evaluate({ expression: literal(123) }).value;
    report.result("123", 123, (await value.read()).value);
  }

  report.heading("Operators are objects of the server");
  using add = calculator.getOperator({ op: "add" }).func;
  using subtract = calculator.getOperator({ op: "subtract" }).func;
  {
    // The operators have not arrived when they are used.
    const expression = call(subtract, call(add, literal(123), literal(45)), literal(67));
    using value = calculator.evaluate({ expression }).value;
    report.result("123 + 45 - 67", 101, (await value.read()).value);
  }

  report.heading("A result used twice before it is known");
  using multiply = calculator.getOperator({ op: "multiply" }).func;
  {
    using product = calculator.evaluate({ expression: call(multiply, literal(4), literal(6)) }).value;
    using plus3 = calculator.evaluate({ expression: call(add, previous(product), literal(3)) }).value;
    using plus5 = calculator.evaluate({ expression: call(add, previous(product), literal(5)) }).value;
    const [three, five] = await Promise.all([plus3.read(), plus5.read()]);
    report.result("4 * 6 + 3", 27, three.value);
    report.result("4 * 6 + 5", 29, five.value);
  }

  report.heading("Functions defined on the server");
  {
    // f(x, y) = x * 100 + y
    using f = calculator.defFunction({
      paramCount: 2,
      body: call(add, call(multiply, parameter(0), literal(100)), parameter(1)),
    }).func;
    // g(x) = f(x, x + 1) * 2
    using g = calculator.defFunction({
      paramCount: 1,
      body: call(multiply, call(f, parameter(0), call(add, parameter(0), literal(1))), literal(2)),
    }).func;
    using fValue = calculator.evaluate({ expression: call(f, literal(12), literal(34)) }).value;
    using gValue = calculator.evaluate({ expression: call(g, literal(21)) }).value;
    const [fResult, gResult] = await Promise.all([fValue.read(), gValue.read()]);
    report.result("f(12, 34)", 1234, fResult.value);
    report.result("g(21)", 4244, gResult.value);
  }

  report.heading("A function of the client, called back by the server");
  {
    const expression = call(new PowerFunction(), literal(2), call(add, literal(4), literal(5)));
    using value = calculator.evaluate({ expression }).value;
    report.result("pow(2, 4 + 5)", 512, (await value.read()).value);
  }
};
