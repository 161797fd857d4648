/**
 * How much of what waits for the peer is one message, the largest. It does not count for `maxQueuedBytes` and
 * `maxOutboundBytes`: a message of any size has its way, so what is said behind it must have it, too. The queue stays bounded, by
 * the limit and one message.
 */
export class LargestWaiting {
  #bytes = 0;
  /** Where it ends, counted in bytes that were ever taken. */
  #end = 0;
  #taken = 0;

  /** Bytes of it that still wait. Once it is gone it is 0 until another comes, although others may wait. */
  get bytes(): number {
    return Math.max(0, Math.min(this.#bytes, this.#end - this.#taken));
  }

  /** A message was queued, the last of so many bytes. */
  added(bytes: number, queued: number): void {
    if (bytes < smallest || bytes < this.bytes) return;
    this.#bytes = bytes;
    this.#end = this.#taken + queued;
  }

  /** The network has taken so many bytes of the queue. */
  took(bytes: number): void {
    this.#taken += bytes;
  }
}

/** Smaller ones make no difference, and are many. */
const smallest = 64 * 1024;
