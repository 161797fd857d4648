/** Prints the steps of an example, with colours on a terminal, and fails on a wrong result. */
export class Report {
  readonly #roundTrips: () => number;
  readonly #colours = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  #before = 0;

  /** @param roundTrips How many round trips the connection has taken so far. */
  constructor(roundTrips: () => number) {
    this.#roundTrips = roundTrips;
  }

  heading(text: string): void {
    console.log(this.#paint("1", text));
  }

  /** Prints a result, and throws where it is not the one that was expected. */
  result(text: string, expected: number, actual: number): void {
    const taken = this.#roundTrips() - this.#before;
    this.#before += taken;
    const trips = taken === 0 ? "same round trip" : taken === 1 ? "1 round trip" : `${taken} round trips`;
    if (actual !== expected) {
      console.log(`  ${this.#paint("31", "✗")} ${text} = ${actual}`);
      throw new Error(`wrong result: ${text} is ${expected}, and the server says ${actual}`);
    }
    console.log(
      `  ${this.#paint("32", "✓")} ${text} = ${this.#paint("36", String(actual))}  ${this.#paint("2", trips)}`,
    );
  }

  summary(text: string): void {
    console.log(this.#paint("1", text));
  }

  #paint(code: string, text: string): string {
    return this.#colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
