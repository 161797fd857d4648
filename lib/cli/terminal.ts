import type { Readable, Writable } from "node:stream";

/** What a command talks to: the process, or a test. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** True where people read stderr: source lines are shown. */
  readonly isInteractive: boolean;
  /** True where stderr may be coloured. */
  readonly hasColors: boolean;
}

/** One word after `capstan`. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The text of `--help`. */
  readonly usage: string;
  /** Resolves with the exit status: 0, or 1 for bad input. Throws {@link UsageError} for bad arguments. */
  readonly run: (args: readonly string[], terminal: Terminal) => Promise<number>;
}

/** Arguments that make no sense: the process says why, points to `--help` and ends with status 2. */
export class UsageError extends Error {}

/** The terminal that this process has. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  // Who reads our output may stop early, as `head` does; then there is nothing left to do.
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit(1);
    });
  }
  const isInteractive = stderr.isTTY === true;
  return { stdin, stdout, stderr, isInteractive, hasColors: isInteractive && stderr.hasColors() };
}

/** Writes and waits until it is written, so that the process may end. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}
