import { CapnpError } from "../errors.ts";
import { toError } from "../rpc/capability/thrown.ts";

/** Where the bytes of a stream go. One thing at a time: who writes waits before the next call. */
export interface Destination {
  /** Resolves when there is room for more. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** There are no more bytes. Resolves when all have been taken. */
  end(): void | Promise<void>;
  /** Nobody will write any more. Bytes that were not ended break off here, with the error. */
  release(error: Error): void;
}

export const cutOffError = (): CapnpError =>
  new CapnpError(
    "CAPNP_CANCELED",
    "The byte stream was cut off: its capability was released, or the connection with its writer lost, before end() was called.",
  );

/** A Node Writable, as far as it is needed here: browsers have no types for it. */
export interface NodeWritable {
  readonly writableNeedDrain: boolean;
  readonly writableEnded: boolean;
  readonly writableFinished: boolean;
  readonly destroyed: boolean;
  write(bytes: Uint8Array): boolean;
  end(): unknown;
  destroy(error?: Error): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "drain" | "finish" | "close", listener: () => void): unknown;
}

/** A Node stream. Its errors are told to the writer, and do not count as unhandled. */
export class NodeDestination implements Destination {
  readonly #stream: NodeWritable;
  #failure: Error | undefined;
  #onChange: (() => void) | undefined;

  constructor(stream: NodeWritable) {
    this.#stream = stream;
    const changed = (): void => this.#onChange?.();
    stream.on("error", (error: Error) => {
      this.#failure ??= error;
      changed();
    });
    stream.on("drain", changed);
    stream.on("finish", changed);
    stream.on("close", changed);
  }

  /** Why nothing can be written; undefined where something can. */
  get #closedBy(): Error | undefined {
    if (this.#failure !== undefined) return this.#failure;
    if (!this.#stream.destroyed) return undefined;
    return new CapnpError("CAPNP_DISCONNECTED", "The stream that the bytes go to was closed before its end.");
  }

  /** Resolves when something is so; rejects when the stream is closed before it. */
  #until(isSo: () => boolean): void | Promise<void> {
    if (isSo()) return undefined;
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const isDone = isSo();
        const closedBy = isDone ? undefined : this.#closedBy;
        if (!isDone && closedBy === undefined) return;
        this.#onChange = undefined;
        if (closedBy === undefined) resolve();
        else reject(closedBy);
      };
      this.#onChange = check;
      check();
    });
  }

  write(bytes: Uint8Array): void | Promise<void> {
    const closedBy = this.#closedBy;
    if (closedBy !== undefined) throw closedBy;
    const stream = this.#stream;
    if (stream.write(bytes)) return undefined;
    return this.#until(() => !stream.writableNeedDrain && this.#closedBy === undefined);
  }

  end(): void | Promise<void> {
    const closedBy = this.#closedBy;
    if (closedBy !== undefined) throw closedBy;
    const stream = this.#stream;
    stream.end();
    return this.#until(() => stream.writableFinished);
  }

  release(error: Error): void {
    if (!this.#stream.writableEnded && !this.#stream.destroyed) this.#stream.destroy(error);
  }
}

/** A stream of the web platform; it stays locked. */
export class WebDestination implements Destination {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #failure: Error | undefined;
  #isEnded = false;

  constructor(stream: WritableStream<Uint8Array>) {
    this.#writer = stream.getWriter();
    this.#writer.closed.catch((error: unknown) => this.#fail(error));
  }

  #fail(error: unknown): void {
    this.#failure ??= toError(error);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#writer.ready;
    if (this.#failure !== undefined) throw this.#failure;
    this.#writer.write(bytes).catch((error: unknown) => this.#fail(error));
    await this.#writer.ready;
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#writer.close();
  }

  release(error: Error): void {
    if (this.#isEnded || this.#failure !== undefined) return;
    // Where it has failed in the meantime, there is nothing left to abort.
    this.#writer.abort(error).catch((failure: unknown) => this.#fail(failure));
  }
}
