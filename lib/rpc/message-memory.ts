/**
 * Memory for messages on their way out. Messages are small and many: an ArrayBuffer for each of them costs more than all
 * that is written into it (a third of a busy server's time went to the garbage collector). So they share larger ones, each
 * with a part of its own that is given out once and never again, zeroed and never seen by another message.
 *
 * A message that is kept keeps its whole slab: slabs are small, so that results which a peer does not finish cannot hold
 * much more memory than they need.
 */
const slabBytes = 16 * 1024;

let slab = new Uint8Array(slabBytes);
let used = 0;

/** Zeroed memory of so many bytes, whole words. */
export const messageMemory = (bytes: number): Uint8Array => {
  if (used + bytes > slab.length) {
    slab = new Uint8Array(Math.max(slabBytes, bytes));
    used = 0;
  }
  const start = used;
  used += bytes;
  return slab.subarray(start, used);
};
