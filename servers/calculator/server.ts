import * as capnp from "capstan";
import { Calculator } from "./calculator.capnp.ts";

/** Evaluates an expression; `args` are the values of the parameters of the function whose body it is. */
const evaluate = async (expression: Calculator.Expression.Reader, args: readonly number[]): Promise<number> => {
  switch (expression.$which) {
    case "literal":
      return expression.literal;
    case "previousResult": {
      const { previousResult } = expression;
      if (previousResult === null) throw new Error("previousResult is null: it must be a value");
      // The value may live anywhere, even at the caller: reading it is a call like any other.
      return (await previousResult.read()).value;
    }
    case "parameter": {
      const arg = args[expression.parameter];
      if (arg === undefined) {
        throw new Error(`parameter ${expression.parameter} is out of range: there are ${args.length} parameters`);
      }
      return arg;
    }
    case "call": {
      const { function: callee, params } = expression.call;
      if (callee === null) throw new Error("call.function is null: it must be a function");
      const values = await Promise.all(params.map((param) => evaluate(param, args)));
      return (await callee.call({ params: values })).value;
    }
  }
};

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

/** An operator of two parameters. */
class OperatorImpl extends Calculator.Function.Server {
  readonly #op: Calculator.Operator;

  constructor(op: Calculator.Operator) {
    super();
    this.#op = op;
  }

  override call({ params }: Calculator.Function.CallParams.Reader) {
    const [a, b] = params;
    if (a === undefined || b === undefined || params.length !== 2) {
      throw new Error(`${this.#op} takes 2 parameters; ${params.length} were given`);
    }
    switch (this.#op) {
      case "add":
        return { value: a + b };
      case "subtract":
        return { value: a - b };
      case "multiply":
        return { value: a * b };
      case "divide":
        return { value: a / b };
      default:
        // An enumerant that this schema does not know is a number.
        throw new Error(`unknown operator ${this.#op satisfies never}`);
    }
  }
}

/** A function that a client defined. */
class FunctionImpl extends Calculator.Function.Server {
  readonly #paramCount: number;
  readonly #body: Calculator.Expression.Reader;

  constructor(paramCount: number, body: Calculator.Expression.Reader) {
    super();
    this.#paramCount = paramCount;
    this.#body = body.copy();
  }

  override async call({ params }: Calculator.Function.CallParams.Reader) {
    const args = [...params];
    if (args.length !== this.#paramCount) {
      throw new Error(`this function takes ${this.#paramCount} parameters; ${args.length} were given`);
    }
    return { value: await evaluate(this.#body, args) };
  }

  /** The last reference to this function is gone: the functions and values that its body mentions are not needed more. */
  [Symbol.dispose]() {
    capnp.release(this.#body);
  }
}

export class CalculatorImpl extends Calculator.Server {
  /** Methods take the params by name... */
  override async evaluate({ expression }: Calculator.EvaluateParams.Reader) {
    return { value: new ValueImpl(await evaluate(expression, [])) };
  }

  /** ... or the context of the call, with params and results; ... */
  override defFunction_context(context: Calculator.DefFunctionContext) {
    context.results.func = new FunctionImpl(context.params.paramCount, context.params.body);
  }

  /** ... and a method with one result may return it as it is. */
  override getOperator({ op }: Calculator.GetOperatorParams.Reader) {
    return new OperatorImpl(op);
  }
}
