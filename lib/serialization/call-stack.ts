import { CapnpError } from "../errors.ts";

/**
 * Runs what calls itself once for each level at which values nest. At the default nesting limit that is never too deep; where a
 * program has raised it to thousands, or builds as deep itself, the call stack may end first.
 */
export const withinCallStack = <T>(what: string, run: () => T): T => {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof RangeError) || !cause.message.includes("call stack")) throw cause;
    throw new CapnpError(
      "CAPNP_NESTING_LIMIT",
      `${what} nests deeper than the call stack of this process allows, though \`nestingLimit\` would. Read it level by level, or start Node with a larger --stack-size.`,
      { cause },
    );
  }
};
