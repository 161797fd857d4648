import { expect } from "chai";
import { CapnpError, type ErrorCode } from "../../lib/errors.ts";

/** Expects that something throws a CapnpError of a code, whose text holds every given part. */
export const expectError = (code: ErrorCode, action: () => unknown, ...parts: readonly (string | RegExp)[]): void => {
  let thrown: unknown;
  try {
    action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown, "nothing of the kind was thrown").to.be.instanceOf(CapnpError);
  const { code: actual, message } = thrown as CapnpError;
  expect(actual, message).to.equal(code);
  for (const part of parts) {
    if (typeof part === "string") expect(message).to.include(part);
    else expect(message).to.match(part);
  }
};
