/**
 * Memory for what does not fit into the first piece of a message on its way out: large Data as a rule. It goes round as the first
 * pieces do (message-memory.ts). Fresh memory for each message costs more than to zero what was used: V8 counts what ArrayBuffers
 * hold, and begins a full collection for each 64 MiB of it, however small the heap itself is.
 */
const mostWaitingBytes = 4 * 1024 * 1024;
/** What is larger is rare, and would fill the store alone. */
const largestKept = 1024 * 1024;
const pageBytes = 4096;

const waiting: Uint8Array[] = [];
let waitingBytes = 0;

/** Zeroed memory of at least so many bytes. */
export const takeSegmentMemory = (bytes: number): Uint8Array => {
  if (bytes > largestKept) return new Uint8Array(bytes);
  for (let i = waiting.length - 1; i >= 0; i--) {
    const memory = waiting[i] as Uint8Array;
    if (memory.length < bytes || memory.length > 2 * bytes + pageBytes) continue;
    waiting[i] = waiting[waiting.length - 1] as Uint8Array;
    waiting.pop();
    waitingBytes -= memory.length;
    return memory;
  }
  return new Uint8Array(Math.ceil(bytes / pageBytes) * pageBytes);
};

/** Takes memory back of which so many bytes were used, and which nobody refers to any more. */
export const giveSegmentMemory = (memory: Uint8Array, usedBytes: number): void => {
  if (memory.length > largestKept || waitingBytes + memory.length > mostWaitingBytes) return;
  memory.fill(0, 0, usedBytes);
  waiting.push(memory);
  waitingBytes += memory.length;
};
