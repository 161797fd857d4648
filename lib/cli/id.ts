import { type Command, UsageError, write } from "./terminal.ts";

/** A file id as schemas need it: 64 random bits of which the first is set. */
const randomFileId = (): bigint => crypto.getRandomValues(new BigUint64Array(1))[0]! | (1n << 63n);

export const idCommand: Command = {
  summary: "Prints a new random id for a schema file.",
  usage: "Usage: capstan id\n\nPrints a line like @0xdbb9ad1f14bf0b36, with which every schema file begins.\n",
  async run(args, { stdout }) {
    if (args.length > 0) throw new UsageError("id: takes no arguments");
    await write(stdout, `@0x${randomFileId().toString(16)}\n`);
    return 0;
  },
};
