import type { MessageBuilder } from "../serialization/message.ts";

/**
 * Memory for messages on their way out. Messages are small and many: an ArrayBuffer and views of it for each of them cost
 * more than all that is written into it (a third of a busy server's time went to the garbage collector). So pieces of
 * memory go round: one is zeroed and used again once its message has been sent and nobody can look at it any more.
 */
export interface MessageMemory {
  /** Zeroed; whole words. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Built the message that had this memory before, and may build the next. */
  builder: MessageBuilder | undefined;
}

const messageMemoryBytes = 1024;

/**
 * Several pieces share a buffer. One that is kept, for results that a peer does not finish, keeps the whole: so they are few.
 */
const piecesPerBuffer = 16;
const maxWaiting = 1024;

const waiting: MessageMemory[] = [];

/** A piece of `messageMemoryBytes`, for one message. */
export const takeMemory = (): MessageMemory => waiting.pop() ?? makeMemory();

const makeMemory = (): MessageMemory => {
  const buffer = new ArrayBuffer(piecesPerBuffer * messageMemoryBytes);
  for (let i = piecesPerBuffer - 1; i > 0; i--) waiting.push(pieceOf(buffer, i));
  return pieceOf(buffer, 0);
};

const pieceOf = (buffer: ArrayBuffer, index: number): MessageMemory => {
  const start = index * messageMemoryBytes;
  return {
    bytes: new Uint8Array(buffer, start, messageMemoryBytes),
    view: new DataView(buffer, start, messageMemoryBytes),
    builder: undefined,
  };
};

/** Takes a piece back of which so many bytes were used, and which nobody refers to any more. */
export const giveMemory = (memory: MessageMemory, usedBytes: number): void => {
  if (waiting.length >= maxWaiting) return;
  memory.bytes.fill(0, 0, usedBytes);
  waiting.push(memory);
};
