import { CapnpError } from "../errors.ts";
import type { ByteStream } from "../generated/capnp/compat/byte-stream.capnp.ts";
import type { Destination } from "./destination.ts";

/**
 * The end of a byte stream that others write to, as ByteStream says.
 *
 * State: open -> lent (to a substream: the lender must not write, or bytes would mix) -> open again | ended.
 */
export class Outlet implements Destination {
  readonly #destination: Destination;
  #state: "open" | "lent" | "ended" = "open";

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  #expectOpen(what: string): void {
    if (this.#state === "open") return;
    const why =
      this.#state === "lent"
        ? "it is lent to a substream that has neither ended nor reached its limit"
        : "it was ended";
    throw new CapnpError("CAPNP_CALL", `ByteStream.${what}: nothing can be done with this stream, because ${why}.`);
  }

  write(bytes: Uint8Array): void | Promise<void> {
    this.#expectOpen("write");
    return this.#destination.write(bytes);
  }

  end(): void | Promise<void> {
    this.#expectOpen("end");
    this.#state = "ended";
    return this.#destination.end();
  }

  /** Lends the way on. @param callback Taken over. */
  lend(callback: ByteStream.SubstreamCallback.Client, limit: bigint): Substream {
    try {
      this.#expectOpen("getSubstream");
    } catch (error) {
      callback.release();
      throw error;
    }
    this.#state = "lent";
    return new Substream(this.#destination, callback, limit, () => {
      if (this.#state === "lent") this.#state = "open";
    });
  }

  release(error: Error): void {
    this.#destination.release(error);
  }
}

/**
 * What was lent.
 *
 * State: borrowing (bytes go to the lender's destination) -> ended | released (the stream is the lender's again) | passed on
 * (the limit is reached: all that follows goes to what the callback gives for it).
 */
export class Substream implements Destination {
  readonly #destination: Destination;
  readonly #callback: ByteStream.SubstreamCallback.Client;
  readonly #giveBack: () => void;
  #left: bigint;
  #written = 0n;
  #isOver = false;
  /** What follows goes there. */
  #next: Promise<ByteStream.Client> | undefined;

  constructor(
    destination: Destination,
    callback: ByteStream.SubstreamCallback.Client,
    limit: bigint,
    giveBack: () => void,
  ) {
    this.#destination = destination;
    this.#callback = callback;
    this.#giveBack = giveBack;
    this.#left = limit;
    if (limit === 0n) this.#reachLimit();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    if (this.#next !== undefined) return this.#passOn(bytes, this.#next);
    const size = BigInt(bytes.length);
    if (size >= this.#left) return this.#fill(bytes, Number(this.#left));
    this.#count(size);
    return this.#destination.write(bytes);
  }

  async #passOn(bytes: Uint8Array, next: Promise<ByteStream.Client>): Promise<void> {
    await (await next).write(bytes);
  }

  #count(size: bigint): void {
    this.#written += size;
    this.#left -= size;
  }

  async #fill(bytes: Uint8Array, count: number): Promise<void> {
    this.#count(BigInt(count));
    await this.#destination.write(bytes.subarray(0, count));
    const next = this.#reachLimit();
    if (count < bytes.length) await this.#passOn(bytes.subarray(count), next);
  }

  #reachLimit(): Promise<ByteStream.Client> {
    this.#over();
    this.#next = this.#askForNext();
    // Where it fails, that is told to whoever writes more.
    this.#next.catch(() => undefined);
    return this.#next;
  }

  async #askForNext(): Promise<ByteStream.Client> {
    try {
      const { next } = await this.#callback.reachedLimit();
      if (next === null) {
        throw new CapnpError(
          "CAPNP_NULL_CAPABILITY",
          "SubstreamCallback.reachedLimit returned no stream to go on with.",
        );
      }
      return next;
    } finally {
      this.#callback.release();
    }
  }

  #over(): void {
    this.#isOver = true;
    this.#giveBack();
  }

  async end(): Promise<void> {
    if (this.#next !== undefined) {
      await (await this.#next).end();
      return;
    }
    this.#over();
    try {
      await this.#callback.ended(this.#written);
    } finally {
      this.#callback.release();
    }
  }

  /** Nobody holds the substream any more. Its lender learns of that because the callback is released. */
  release(): void {
    void this.#next?.then(
      (next) => next.release(),
      () => undefined,
    );
    if (this.#isOver) return;
    this.#over();
    this.#callback.release();
  }
}
