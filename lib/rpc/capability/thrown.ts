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

/** An error for anything that was thrown. */
export const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(reasonOf(thrown)));
