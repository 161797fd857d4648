import { CapnpError } from "../errors.ts";
import { certsCommand } from "./certs.ts";
import { compileCommand } from "./compile.ts";
import { idCommand } from "./id.ts";
import { type Command, type Terminal, UsageError, write } from "./terminal.ts";
import { packageVersion } from "./version.ts";

const commands = new Map<string, Command>([
  ["compile", compileCommand],
  ["certs", certsCommand],
  ["id", idCommand],
]);

const usage = `Usage: capstan COMMAND [OPTIONS] ...

Commands:
${[...commands].map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`).join("\n")}

  capstan COMMAND --help   shows a command's options
  capstan --version        prints the version
`;

async function dispatch(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version") {
    await write(terminal.stdout, `capstan ${packageVersion()}\n`);
    return 0;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    const topic = rest[0] === undefined ? undefined : commands.get(rest[0]);
    await write(terminal.stdout, topic?.usage ?? usage);
    return 0;
  }
  if (name === undefined) throw new UsageError("no command given");
  const command = commands.get(name);
  if (command === undefined) {
    throw new UsageError(name.startsWith("-") ? `unknown option ${name}` : `there is no command ${name}`);
  }
  const end = rest.indexOf("--");
  if ((end === -1 ? rest : rest.slice(0, end)).some((arg) => arg === "--help" || arg === "-h")) {
    await write(terminal.stdout, command.usage);
    return 0;
  }
  return command.run(rest, terminal);
}

/** Runs `capstan ARGS` and resolves with its exit status: 0, 1 for bad input, 2 for bad arguments. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      const help = commands.has(args[0] ?? "") ? `capstan ${args[0]} --help` : "capstan --help";
      await write(terminal.stderr, `capstan: ${error.message}\nTry '${help}' for more information.\n`);
      return 2;
    }
    if (error instanceof CapnpError || isFileSystemError(error)) {
      await write(terminal.stderr, `capstan: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

/** What the file system answers is the user's to solve; anything else that is thrown is a mistake of ours. */
export const isFileSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && "syscall" in error && "errno" in error;
