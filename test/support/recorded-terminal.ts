import { Readable, Writable } from "node:stream";
import type { Terminal } from "../../lib/cli/terminal.ts";

class Recorder extends Writable {
  readonly chunks: Uint8Array[] = [];

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }
}

/** A terminal that remembers what a command prints. */
export interface RecordedTerminal extends Terminal {
  readonly stdout: Recorder;
  readonly stderr: Recorder;
}

export function recordedTerminal(
  options: { input?: Uint8Array; isInteractive?: boolean; hasColors?: boolean } = {},
): RecordedTerminal {
  return {
    stdin: Readable.from([options.input ?? new Uint8Array()]),
    stdout: new Recorder(),
    stderr: new Recorder(),
    isInteractive: options.isInteractive ?? false,
    hasColors: options.hasColors ?? false,
  };
}
