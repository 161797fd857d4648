/**
 * How much memory the values of one compilation may take, in words: 32 MiB. A constant may hold others many times over, and
 * a short literal a struct of many fields: a schema of a few lines could ask for more memory than there is.
 */
const maxWords = 4 * 1024 * 1024;

/** Counts the memory that values take. */
export class ValueBudget {
  #left = maxWords;

  /** False where there is not so much left; nothing is taken then. */
  take(words: number): boolean {
    if (words > this.#left) return false;
    this.#left -= words;
    return true;
  }

  readonly message =
    `The values of these files take more than ${maxWords} words (32 MiB); keep large data outside of schemas.`;
}
