import type { CapnpError } from "../../lib/errors.ts";
import type { Transport, TransportReceiver } from "../../lib/transport/transport.ts";

/** Keeps everything that a transport delivers. */
export class Recorder implements TransportReceiver {
  readonly messages: Uint8Array[][] = [];
  readEnds = 0;
  /** One entry for each call of `closed`: at the end of a test exactly one. */
  readonly ends: (CapnpError | undefined)[] = [];
  /** Called with each message, after it was kept. */
  onMessage: (segments: Uint8Array[]) => void = () => undefined;
  readonly #waiting: { readonly ready: () => boolean; readonly resolve: () => void }[] = [];

  constructor(transport?: Transport) {
    transport?.start(this);
  }

  message(segments: Uint8Array[]): void {
    this.messages.push(segments);
    this.onMessage(segments);
    this.#wake();
  }

  readEnd(): void {
    this.readEnds++;
  }

  closed(error?: CapnpError): void {
    this.ends.push(error);
    this.#wake();
  }

  /** Resolves when so many messages have come; rejects when the transport ends first. */
  async received(count: number): Promise<Uint8Array[][]> {
    await this.#until(() => this.messages.length >= count || this.ends.length > 0);
    if (this.messages.length < count) throw this.ends[0] ?? new Error(`ended after ${this.messages.length} messages`);
    return this.messages;
  }

  /** Resolves with what `closed` was called with. */
  async ended(): Promise<CapnpError | undefined> {
    await this.#until(() => this.ends.length > 0);
    return this.ends[0];
  }

  #until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ ready, resolve }));
  }

  #wake(): void {
    for (const waiting of this.#waiting) if (waiting.ready()) waiting.resolve();
  }
}

export const words = (count: number, fill = 0): Uint8Array => new Uint8Array(count * 8).fill(fill);

/** A turn of the event loop, I/O included. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<CapnpError> {
  try {
    await promise;
  } catch (error) {
    return error as CapnpError;
  }
  throw new Error("not rejected");
}
