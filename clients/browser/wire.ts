import type { RpcClient } from "capstan/browser";
import { appendFollowing, element, made } from "./elements.ts";

const mostMessages = 300;

/** Messages that only keep the tables of both sides in order. */
const bookkeeping = new Set(["finish", "release", "resolve", "disembargo"]);

/** Draws the messages of the connection between two lanes. */
export class Wire {
  readonly #list = element("messages", HTMLElement);
  readonly #figures = element("figures", HTMLElement);
  readonly #pause = element("pause", HTMLButtonElement);
  #isPaused = false;
  #lastArrow = "";
  #client: RpcClient | undefined;
  #isDue = false;

  constructor() {
    this.#pause.addEventListener("click", () => {
      this.#isPaused = !this.#isPaused;
      this.#pause.textContent = this.#isPaused ? "Go on" : "Pause";
      this.#pause.setAttribute("aria-pressed", String(this.#isPaused));
    });
    element("wipe", HTMLButtonElement).addEventListener("click", () => this.#list.replaceChildren());
    const all = element("bookkeeping", HTMLInputElement);
    const show = (): void => {
      this.#list.classList.toggle("all", all.checked);
      this.#list.scrollTop = this.#list.scrollHeight;
    };
    all.addEventListener("change", show);
    show();
  }

  /** Shows the figures of a client, too. */
  watch(client: RpcClient): void {
    this.#client = client;
    this.#countSoon();
  }

  /** One message: `-> call 3 to export 1: Calculator.evaluate`. */
  readonly trace = (line: string): void => {
    this.#countSoon();
    if (this.#isPaused) return;
    const [arrow = "", kind = "", ...rest] = line.split(" ");
    const item = made("li", `${arrow === "->" ? "out" : "in"} ${kind.replace(/\W/g, "")}`);
    if (bookkeeping.has(kind.replace(/\W/g, ""))) item.classList.add("bookkeeping");
    else {
      if (arrow !== this.#lastArrow) item.classList.add("turn");
      this.#lastArrow = arrow;
    }
    const text = rest.join(" ");
    if (text.includes(": exception")) item.classList.add("exception");
    const [, about = text, details = ""] = /^(.*?: [\w.$]+|\d+ of [\w.$]+)(.*)$/.exec(text) ?? [];
    item.append(made("b", "", kind), " ", made("span", "about", about), made("span", "small", details));
    appendFollowing(this.#list, item, mostMessages);
  };

  #countSoon(): void {
    if (this.#isDue || this.#client === undefined) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      const { sent, received, roundTrips } = this.#client!.stats();
      this.#figures.textContent = `${sent} sent · ${received} received · ${roundTrips} round ${roundTrips === 1 ? "trip" : "trips"}`;
    });
  }
}
