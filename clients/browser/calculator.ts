import type { Session } from "capstan/browser";
import type { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { element, made, reasonOf } from "./elements.ts";
import { type Answer, evaluate } from "./evaluation.ts";
import { ExpressionError, numberText, parseExpression } from "./expression.ts";
import type { ServerConnection } from "./server-connection.ts";

/** The pad. The last result stays an object of the server, as long as the connection does over which it came. */
export class CalculatorPad {
  readonly #server: ServerConnection;
  readonly #input = element("expression", HTMLInputElement);
  readonly #result = element("result", HTMLOutputElement);
  readonly #trips = element("trips", HTMLElement);
  readonly #steps = element("steps", HTMLElement);
  readonly #place = element("answer-place", HTMLElement);
  #last:
    | { readonly number: number; readonly value: Calculator.Value.Client; readonly session: Session | undefined }
    | undefined;
  #turn = 0;

  constructor(server: ServerConnection) {
    this.#server = server;
    element("pad", HTMLElement).addEventListener("click", (event) => {
      if (event.target instanceof Element) this.#press(event.target.closest("button"));
    });
    element("calculator", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#evaluate();
    });
    server.client.state$.subscribe(() => this.#showPlace());
  }

  #press(button: HTMLButtonElement | null): void {
    const { key, do: action } = button?.dataset ?? {};
    const input = this.#input;
    if (key !== undefined) input.value += key;
    else if (action === "clear") {
      input.value = "";
      this.#show("", "\u00a0");
      this.#trips.textContent = "";
      this.#steps.replaceChildren();
    } else if (action === "back")
      input.value = input.value
        .trimEnd()
        .replace(/(?:Ans|.)$/u, "")
        .trimEnd();
  }

  async #evaluate(): Promise<void> {
    const turn = ++this.#turn;
    this.#trips.textContent = "";
    this.#steps.replaceChildren();
    const { client, lobby } = this.#server;
    try {
      const expression = parseExpression(this.#input.value);
      this.#show("waiting", client.state === "connected" ? "…" : "waits for the server");
      const before = client.stats().roundTrips;
      const { session } = client;
      const begin = performance.now();
      const reached = lobby.calculator();
      const { calls, value, steps, answer } = evaluate(reached.calculator, expression, this.#answer());
      let number: number;
      try {
        number = await value;
      } catch (error) {
        answer.release();
        throw error;
      } finally {
        reached.calculator.release();
      }
      const took = performance.now() - begin;
      const lines = await steps;
      this.#keep(number, answer, session);
      if (turn !== this.#turn) return;
      this.#show("", numberText(number));
      this.#steps.replaceChildren(...lines.map((line) => made("li", "", line)));
      // Those of a connection that was made meanwhile have another beginning.
      const trips = session === client.session ? client.stats().roundTrips - before : undefined;
      this.#tell(calls + 1, trips, took);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#show("failed", reasonOf(error));
      if (error instanceof ExpressionError) this.#input.setSelectionRange(error.position, this.#input.value.length);
    }
  }

  #answer(): Answer {
    if (this.#last === undefined) return 0;
    return this.#last.session === this.#server.client.session ? this.#last.value : this.#last.number;
  }

  #keep(number: number, value: Calculator.Value.Client, session: Session | undefined): void {
    this.#last?.value.release();
    this.#last = { number, value, session };
    this.#showPlace();
  }

  #showPlace(): void {
    if (this.#last === undefined) return;
    const isThere = this.#last.session !== undefined && this.#last.session === this.#server.client.session;
    this.#place.textContent = `${numberText(this.#last.number)}, ${isThere ? "an object on the server" : "a number known here"}`;
  }

  #show(kind: "" | "waiting" | "failed", text: string): void {
    this.#result.className = kind;
    this.#result.textContent = text;
  }

  #tell(calls: number, trips: number | undefined, took: number): void {
    const time = `${took < 10 ? took.toFixed(1) : Math.round(took)} ms`;
    if (trips === undefined) this.#trips.textContent = `${calls} calls · ${time}`;
    else {
      const round = `${trips} round ${trips === 1 ? "trip" : "trips"}`;
      this.#trips.replaceChildren(`${calls} calls · `, made("b", "", round), ` · ${time}`);
    }
  }
}
