/**
 * How much of what a client does may be retries: a retry takes a token, a call that returns gives a part of one back. When most
 * calls fail, the tokens are soon gone, and retries do not add to the load of a service that is down.
 */
export class RetryBudget {
  readonly #budget: number;
  readonly #refill: number;
  #tokens: number;

  constructor(budget: number, refill: number) {
    this.#budget = budget;
    this.#refill = refill;
    this.#tokens = budget;
  }

  get tokens(): number {
    return this.#tokens;
  }

  take(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  refill(): void {
    this.#tokens = Math.min(this.#budget, this.#tokens + this.#refill);
  }
}
