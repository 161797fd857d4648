import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { CapnpError } from "../errors.ts";
import { type DuplexStream, FramedStreamTransport } from "./framed-stream.ts";
import { isSocket } from "./node-sockets.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, Transport } from "./transport.ts";

/**
 * Messages over the standard input and output of a child process, as its parent sees them: `spawn(..., { stdio: ["pipe", "pipe",
 * "inherit"] })`. The process is left to run; most end when their input does. Throws CAPNP_TYPE where either is no pipe.
 */
export function childProcessTransport(child: ChildProcess, options: TransportOptions = {}): Transport {
  if (child.stdin === null || child.stdout === null) {
    const which = child.stdin === null ? "input" : "output";
    const text = `the standard ${which} of this process is no pipe; spawn it with stdio: ["pipe", "pipe", "inherit"]`;
    throw new CapnpError("CAPNP_TYPE", text);
  }
  return pipesTransport(child.stdout, child.stdin, `process:${child.pid ?? "none"}`, options);
}

export interface StdioOptions extends TransportOptions {
  /** Default `process.stdin`. */
  readonly input?: Readable;
  /** Default `process.stdout`. */
  readonly output?: Writable;
}

/**
 * Messages over this process's own standard input and output, as a child sees them. Nothing else may be written to the output then:
 * `console.log` is not for such a process, but `console.error` is.
 */
export function stdioTransport(options: StdioOptions = {}): Transport {
  return pipesTransport(options.input ?? process.stdin, options.output ?? process.stdout, "stdio", options);
}

function pipesTransport(input: Readable, output: Writable, address: string, options: TransportOptions): Transport {
  const peer: PeerInfo = { address, encrypted: false, authenticated: false };
  return new FramedStreamTransport(new Pipes(input, output), peer, isSocket(output), options);
}

/** Two one-way streams in the shape of a Duplex. What happens to either happens to both. */
class Pipes implements DuplexStream {
  readonly #input: Readable;
  readonly #output: Writable;

  constructor(input: Readable, output: Writable) {
    this.#input = input;
    this.#output = output;
  }

  get destroyed(): boolean {
    return this.#input.destroyed || this.#output.destroyed;
  }

  get readableEnded(): boolean {
    return this.#input.readableEnded;
  }

  get writableFinished(): boolean {
    return this.#output.writableFinished;
  }

  on(event: string, told: (argument: never) => void): void {
    const listener = told as (argument: unknown) => void;
    switch (event) {
      case "data":
      case "end":
        this.#input.on(event, listener);
        break;
      case "finish":
      case "drain":
        this.#output.on(event, listener);
        break;
      case "close":
        this.#onClose(listener as () => void);
        break;
      default:
        this.#input.on(event, listener);
        this.#output.on(event, listener);
    }
  }

  /** Once both are closed, or one of them is before it had ended. */
  #onClose(listener: () => void): void {
    let closed = 0;
    const check = (hasEnded: boolean): void => {
      closed++;
      if (closed === 2 || (closed === 1 && !hasEnded)) listener();
    };
    this.#input.on("close", () => check(this.#input.readableEnded));
    this.#output.on("close", () => check(this.#output.writableFinished));
  }

  write(bytes: Uint8Array, written?: () => void): boolean {
    return this.#output.write(bytes, written);
  }

  cork(): void {
    this.#output.cork();
  }

  uncork(): void {
    this.#output.uncork();
  }

  end(): void {
    this.#output.end();
  }

  destroy(): void {
    this.#input.destroy();
    this.#output.destroy();
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    this.#input.resume();
  }
}
