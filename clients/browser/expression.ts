/** An operator, as the calculator's schema names it. */
export type Operator = "add" | "subtract" | "multiply" | "divide";

/** What somebody typed: numbers, the last result, and operations on such things. */
export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "answer" }
  | {
      readonly kind: "operation";
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
    };

/** Says what cannot be read, for people, and where it begins. */
export class ExpressionError extends Error {
  readonly position: number;

  constructor(message: string, position: number) {
    super(message);
    this.position = position;
  }
}

/** How operators are printed. */
export const signs: Readonly<Record<Operator, string>> = { add: "+", subtract: "−", multiply: "×", divide: "÷" };

const operators: Readonly<Record<string, Operator>> = {
  "+": "add",
  "-": "subtract",
  "−": "subtract",
  "*": "multiply",
  "×": "multiply",
  "/": "divide",
  "÷": "divide",
};

const maxDepth = 64;

interface Token {
  readonly text: string;
  readonly position: number;
}

const tokenize = (text: string): Token[] => {
  const tokens: Token[] = [];
  const token = /\s*(?:((?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|ans|[-+*/()×÷−])|(\S))/giy;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [all, known, stray] = match;
    const position = match.index + all.length - (known ?? stray)!.length;
    if (known === undefined) throw new ExpressionError(`“${stray}” is nothing to calculate with`, position);
    tokens.push({ text: known.toLowerCase(), position });
  }
  return tokens;
};

/** Reads an expression: + − × ÷ with the usual precedence, parentheses, signs, and `Ans` for the last result. */
export const parseExpression = (text: string): Expression => {
  const tokens = tokenize(text);
  let next = 0;
  let depth = 0;
  const peek = (): string | undefined => tokens[next]?.text;
  const fail = (what: string): never => {
    const token = tokens[next];
    const where = token === undefined ? "at the end" : `before “${token.text}”`;
    throw new ExpressionError(`${what} ${where}`, token?.position ?? text.length);
  };

  const operations = (names: readonly Operator[], operand: () => Expression): Expression => {
    let left = operand();
    for (;;) {
      const operator = operators[peek() ?? ""];
      if (operator === undefined || !names.includes(operator)) return left;
      next++;
      left = { kind: "operation", operator, left, right: operand() };
    }
  };
  const sum = (): Expression => operations(["add", "subtract"], product);
  const product = (): Expression => operations(["multiply", "divide"], factor);
  const factor = (): Expression => {
    if (++depth > maxDepth) fail(`more than ${maxDepth} parentheses and signs stand in each other`);
    try {
      return simple();
    } finally {
      depth--;
    }
  };
  const simple = (): Expression => {
    const token = peek() ?? fail("a number is missing");
    if (token === "(") {
      next++;
      const inner = sum();
      if (peek() !== ")") fail("a closing parenthesis is missing");
      next++;
      return inner;
    }
    const sign = operators[token];
    if (sign === "add" || sign === "subtract") {
      next++;
      const operand = factor();
      if (sign === "add") return operand;
      if (operand.kind === "number") return { kind: "number", value: -operand.value };
      return { kind: "operation", operator: "subtract", left: { kind: "number", value: 0 }, right: operand };
    }
    if (token === ")" || sign !== undefined) fail("a number is missing");
    next++;
    return token === "ans" ? { kind: "answer" } : { kind: "number", value: Number(token) };
  };

  const whole = sum();
  if (next < tokens.length) fail("an operator is missing");
  return whole;
};

/** A number as people write it: without the noise of binary fractions. */
export const numberText = (value: number): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "∞" : "−∞";
  return String(Number(value.toPrecision(12))).replace("-", "−");
};
