import * as capnp from "capstan";

/** The types of calculator.capnp, as TypeScript sees them. */
export interface CalculatorFile {
  readonly Calculator: capnp.InterfaceClass<CalculatorClient> & {
    readonly Value: capnp.InterfaceClass<ValueClient>;
    readonly Function: capnp.InterfaceClass<FunctionClient>;
  };
}

export interface CalculatorClient extends capnp.InterfaceClient {
  evaluate(params: { expression: ExpressionInit }): EvaluatePromise;
  evaluateRequest(): { readonly expression: ExpressionBuilder; send(): EvaluatePromise };
  defFunction(params: { paramCount: number; body: ExpressionInit }): FunctionPromise;
  getOperator(params: { op: Operator }): FunctionPromise;
}

export interface ValueClient extends capnp.InterfaceClient {
  read(): capnp.RemotePromise<{ readonly value: number }>;
}

export interface FunctionClient extends capnp.InterfaceClient {
  call(params: { params: readonly number[] }): capnp.RemotePromise<{ readonly value: number }>;
}

export type EvaluatePromise = capnp.RemotePromise<{ readonly value: ValueClient }> & { readonly value: ValueClient };
export type FunctionPromise = capnp.RemotePromise<{ readonly func: FunctionClient }> & {
  readonly func: FunctionClient;
};

export type Operator = "add" | "subtract" | "multiply" | "divide";

/** What an expression may be given as. */
export type ExpressionInit =
  | { literal: number }
  | { previousResult: ValueClient }
  | { parameter: number }
  | { call: { function: FunctionClient | capnp.Server; params: readonly ExpressionInit[] } };

export interface ExpressionBuilder {
  literal: number;
}

/** An expression in a message. */
export interface Expression {
  which(): "literal" | "previousResult" | "parameter" | "call";
  readonly literal: number;
  readonly previousResult: ValueClient | null;
  readonly parameter: number;
  readonly call: { readonly function: FunctionClient | null; readonly params: Iterable<Expression> };
  /** A copy that stays when the message is gone, with references of its own to the capabilities in it. */
  copy(): Expression;
}

export const { Calculator } = await capnp.load<CalculatorFile>(
  new URL("../../../servers/calculator/calculator.capnp", import.meta.url),
);
