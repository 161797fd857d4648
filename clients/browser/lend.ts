import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { element, made, reasonOf } from "./elements.ts";
import { numberText } from "./expression.ts";
import type { ServerConnection } from "./server-connection.ts";

type Compute = (x: number, y: number) => number | Promise<number>;

/** A function of this page, which the server calls as it calls its own. */
class LentFunction extends Calculator.Function.Server {
  readonly #compute: Compute;

  constructor(compute: Compute) {
    super();
    this.#compute = compute;
  }

  override async call({ params }: Calculator.Function.CallParams.Reader) {
    const [x = 0, y = 0] = params;
    return { value: await this.#compute(x, y) };
  }
}

const rollDice = (count: number, sides: number): number => {
  let sum = 0;
  for (let i = 0; i < Math.min(count, 1_000); i++) sum += 1 + Math.floor(Math.random() * Math.max(sides, 1));
  return sum;
};

/** Lends the server a function and has it evaluate something that needs it. */
export class Lending {
  readonly #server: ServerConnection;
  readonly #form = element("lend", HTMLFormElement);
  readonly #function = element("function", HTMLSelectElement);
  readonly #x = element("x", HTMLInputElement);
  readonly #y = element("y", HTMLInputElement);
  readonly #formula = element("formula", HTMLElement);
  readonly #log = element("lend-log", HTMLElement);
  readonly #question = element("question", HTMLFormElement);
  readonly #questionText = element("question-text", HTMLElement);
  readonly #reply = element("reply", HTMLInputElement);
  /** Gives the server's question up. */
  #dismiss: ((reason: Error) => void) | undefined;

  readonly #functions: Readonly<Record<string, Compute>> = {
    power: (x, y) => x ** y,
    hypotenuse: (x, y) => Math.hypot(x, y),
    dice: rollDice,
    you: (x, y) => this.#ask(x, y),
  };

  constructor(server: ServerConnection) {
    this.#server = server;
    this.#form.addEventListener("input", () => this.#showFormula());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#lend();
    });
    this.#showFormula();
  }

  #call(): string {
    return `${this.#function.value}(${this.#x.value}, ${this.#y.value})`;
  }

  #showFormula(): void {
    this.#formula.textContent = `${this.#call()} × 2 + 1`;
  }

  #tell(kind: "" | "here" | "done" | "failed", text: string): void {
    this.#log.append(made("li", kind, text));
  }

  async #lend(): Promise<void> {
    this.#dismiss?.(new Error("another question has come"));
    this.#log.replaceChildren();
    const name = this.#function.value;
    const compute = this.#functions[name]!;
    const lent = new LentFunction(async (x, y) => {
      this.#tell("here", `the server calls ${name}(${numberText(x)}, ${numberText(y)}) here`);
      const value = await compute(x, y);
      this.#tell("here", `this page answers ${numberText(value)}`);
      return value;
    });
    this.#tell("", `this page lends ${name} and asks for ${this.#formula.textContent}`);
    const reached = this.#server.lobby.calculator();
    const { calculator } = reached;
    const multiply = calculator.getOperator({ op: "multiply" }).func;
    const add = calculator.getOperator({ op: "add" }).func;
    const params = [{ literal: this.#x.valueAsNumber }, { literal: this.#y.valueAsNumber }];
    const product = { call: { function: multiply, params: [{ call: { function: lent, params } }, { literal: 2 }] } };
    const value = calculator.evaluate({
      expression: { call: { function: add, params: [product, { literal: 1 }] } },
    }).value;
    try {
      const { value: number } = await value.read();
      this.#tell("done", `the result is ${numberText(number)}`);
    } catch (error) {
      this.#dismiss?.(new Error("the server has given it up"));
      this.#tell("failed", reasonOf(error));
    } finally {
      for (const client of [value, multiply, add, calculator]) client.release();
    }
  }

  #ask(x: number, y: number): Promise<number> {
    this.#questionText.textContent = `The server asks you: what are ${numberText(x)} and ${numberText(y)} together?`;
    this.#reply.value = "";
    this.#question.hidden = false;
    this.#reply.focus();
    return new Promise<number>((resolve, reject) => {
      const over = (): void => {
        this.#question.hidden = true;
        this.#question.removeEventListener("submit", answer);
        this.#dismiss = undefined;
      };
      const answer = (event: Event): void => {
        event.preventDefault();
        over();
        resolve(this.#reply.valueAsNumber);
      };
      this.#dismiss = (reason) => {
        over();
        reject(reason);
      };
      this.#question.addEventListener("submit", answer);
    });
  }
}
