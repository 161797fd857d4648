import { join } from "node:path";
import type { Processes, RunningProcess } from "../support/processes.ts";
import { repositoryRoot } from "../support/repository.ts";

const script = (name: string): string => join(repositoryRoot, "dist", name, "main.js");

export interface ServerProgram {
  readonly server: RunningProcess;
  readonly address: string;
}

/** `npm run server`, and where it listens. */
export const startServer = async (
  processes: Processes,
  name: string,
  address = "tls://localhost:0",
  ...args: readonly string[]
): Promise<ServerProgram> => {
  const server = processes.start(process.execPath, [script("servers"), name, address, ...args]);
  const [, at = ""] = await server.line(/^listening on (.*)$/);
  return { server, address: at };
};

/** `npm run client`, with a standard input. */
export const startClient = (processes: Processes, ...args: readonly string[]): RunningProcess =>
  processes.start(process.execPath, [script("clients"), ...args], { input: true });
