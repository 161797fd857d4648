/** The text of anything that was thrown. It never throws, whatever that is. */
export const reasonOf = (thrown: unknown): string => {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    const { message, name } = thrown;
    return String(message === "" ? name : message);
  } catch {
    // No text can be made of an object without a prototype, or with a broken toString.
    return `an ${typeof thrown} without a text was thrown`;
  }
};

/** True for an error. A Proxy that is revoked, or whose traps throw, is none: nothing can be asked of it. */
const isError = (thrown: unknown): thrown is Error => {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
};

/** An error for anything that was thrown. It never throws, whatever that is. */
export const toError = (thrown: unknown): Error => (isError(thrown) ? thrown : new Error(reasonOf(thrown)));
