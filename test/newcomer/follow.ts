import { createServer } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Finished, RunningProcess } from "../support/processes.ts";
import type { Command, Part } from "./guide.ts";

/** A folder to follow a guide in. */
export interface Folder {
  write(name: string, text: string): Promise<unknown>;
  /** Starts a line of shell in it. */
  start(line: string): RunningProcess;
  run(line: string): Promise<Finished>;
}

export interface FollowOptions {
  /** What is typed in a line's place; undefined leaves it out. Default: the line. */
  readonly replace?: (line: string) => string | undefined;
  /** Is told of all that happens. */
  readonly log?: (text: string) => void;
}

/** A port that nobody listens on, in place of the one that guides name. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Does what a guide asks for. A server is left running until the command after it has ended.
 *
 * @returns What the guide says is printed, which was.
 * @throws Where a command fails, or prints something else than the guide says.
 */
export async function follow(guide: readonly Part[], folder: Folder, options: FollowOptions = {}): Promise<string[]> {
  const { replace = (line) => line, log = () => {} } = options;
  const port = await freePort();
  const here = (text: string) => text.replaceAll("localhost:4000", `localhost:${port}`);
  const seen: string[] = [];
  let server: RunningProcess | undefined;

  const type = async ({ line, expected, isServer }: Command): Promise<void> => {
    const typed = replace(line);
    if (typed === undefined) return;
    log(`$ ${typed}`);
    const awaited = expected === undefined ? undefined : here(expected);
    if (isServer) {
      server = folder.start(`exec ${typed}`);
      const [printed] = await server.line(/^listening on .*$/);
      compare(typed, awaited, `${printed}\n`);
      log(`${printed}`);
      return;
    }
    const { status, stdout, stderr } = await folder.run(typed);
    const printed = `${stderr}${stdout}`.replace(/^npm (?:warn|notice).*\n/gm, "");
    if (printed !== "") log(printed.trimEnd());
    if (status !== 0) throw new Error(`${typed} ended with status ${status}:\n${printed}`);
    compare(typed, awaited, printed);
    if (server === undefined) return;
    await server.stop();
    server = undefined;
  };

  const compare = (line: string, awaited: string | undefined, printed: string): void => {
    if (awaited === undefined) return;
    if (printed !== awaited) throw new Error(`${line} should print\n${awaited}and prints\n${printed}`);
    seen.push(printed.replaceAll(String(port), "4000"));
  };

  for (const part of guide) {
    if ("name" in part) {
      log(`(writes ${part.name})`);
      await folder.write(part.name, here(part.code));
    } else {
      for (const command of part.commands) await type(command);
    }
  }
  return seen;
}
