import { CapnpError } from "../errors.ts";
import { type FileHandleLike, isFileHandle, readPiece } from "./file-handle.ts";

/** What is needed of Node's `Readable`. */
export interface ReadableLike {
  read(size?: number): unknown;
  unshift(chunk: Uint8Array): void;
  on(event: string, listener: (error?: Error) => void): unknown;
  off(event: string, listener: (error?: Error) => void): unknown;
  readonly readableEnded?: boolean;
  readonly destroyed?: boolean;
  readonly errored?: Error | null;
}

/** What is needed of the web's `ReadableStream<Uint8Array>`. */
export interface WebReadable {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
    releaseLock(): void;
  };
}

/**
 * Where bytes can be read from: a Readable of Node, a stream of the web, a FileHandle, or anything that iterates over Uint8Arrays.
 */
export type ByteStream = ReadableLike | WebReadable | FileHandleLike | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Uses a piece and returns the end of it that is not wanted now; undefined where it was used up. */
export type Take = (piece: Uint8Array) => Uint8Array | undefined;

/** One reader's hold on a byte stream. */
export interface ByteSource {
  /** Gives the next piece to `take`. Resolves with false at the end of the stream, where there is none. */
  next(take: Take): Promise<boolean>;
  /** Lets the stream go. `unused` is what comes first when it is read again. */
  close(unused: Uint8Array): void;
}

/** Ends of the line of readers of each stream: a stream gives its bytes to one reader after the other. */
const lines = new WeakMap<object, Promise<void>>();

/**
 * Holds the stream: at once where no other reader does, so that no error of the stream goes unheard before; otherwise when all that
 * came before have let it go.
 */
export const openSource = (stream: ByteStream): ByteSource | Promise<ByteSource> => {
  const open = sourceOf(stream);
  const before = lines.get(stream);
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => {
    leave = () => {
      if (lines.get(stream) === left) lines.delete(stream);
      resolve();
    };
  });
  lines.set(stream, left);
  const hold = (): ByteSource => {
    try {
      const { next, close } = open();
      return {
        next,
        close: (unused) => {
          close(unused);
          leave();
        },
      };
    } catch (error) {
      leave();
      throw error;
    }
  };
  return before === undefined ? hold() : before.then(hold);
};

const sourceOf = (stream: ByteStream): (() => ByteSource) => {
  if (typeof stream === "object" && stream !== null) {
    if (isFileHandle(stream)) return () => fileSource(stream);
    if ("getReader" in stream) return () => webSource(stream);
    if ("unshift" in stream && "read" in stream && "on" in stream) return () => nodeSource(stream);
    if (Symbol.asyncIterator in stream || Symbol.iterator in stream) return () => iteratorSource(stream);
  }
  throw new CapnpError(
    "CAPNP_TYPE",
    "Messages are read from a Readable, a ReadableStream, a FileHandle or an iterable of Uint8Arrays. For bytes there is fromBytes.",
  );
};

/**
 * Refuses memory that other threads can write to: what was checked could be something else when it is read, and the next byte of
 * a text another one after its length was measured.
 */
export const checkUnshared = (bytes: Uint8Array): Uint8Array => {
  if (typeof SharedArrayBuffer === "undefined" || !(bytes.buffer instanceof SharedArrayBuffer)) return bytes;
  throw new CapnpError(
    "CAPNP_TYPE",
    "A message cannot be read from a SharedArrayBuffer, which may change meanwhile. Copy it first: bytes.slice().",
  );
};

const bytesOf = (piece: unknown): Uint8Array => {
  if (piece instanceof Uint8Array) return checkUnshared(piece);
  throw new CapnpError(
    "CAPNP_TYPE",
    `A stream gave a ${typeof piece} instead of bytes: messages are binary. Set no encoding on it.`,
  );
};

/** What was read from streams that take nothing back. */
const unread = new WeakMap<object, Uint8Array>();

const keepUnread = (stream: object, bytes: Uint8Array | undefined): void => {
  if (bytes !== undefined && bytes.length > 0) unread.set(stream, bytes);
};

/** Gives `take` what was kept; false where there is nothing. */
const takeUnread = (stream: object, take: Take): boolean => {
  const bytes = unread.get(stream);
  if (bytes === undefined) return false;
  unread.delete(stream);
  keepUnread(stream, take(bytes));
  return true;
};

/**
 * Reads with `read()` and the event `readable`, not by iteration, which would destroy the stream when it stops. What `take`
 * returns goes back with `unshift` in the same turn: in the next one the stream may have told everybody that it ended.
 */
const nodeSource = (stream: ReadableLike): ByteSource => ({
  next: (take) =>
    new Promise((resolve, reject) => {
      if (takeUnread(stream, take)) return resolve(true);
      const settle = (): void => {
        stream.off("readable", attempt);
        stream.off("end", ended);
        stream.off("error", failed);
        stream.off("close", closed);
      };
      const ended = (): void => {
        settle();
        resolve(false);
      };
      const failed = (cause?: Error): void => {
        settle();
        reject(cause ?? closedEarly());
      };
      const closed = (): void => {
        if (stream.readableEnded === true) ended();
        else failed(stream.errored ?? undefined);
      };
      const attempt = (): void => {
        try {
          const piece = stream.read();
          if (piece === null) return;
          const unused = take(bytesOf(piece));
          settle();
          if (unused !== undefined && unused.length > 0) stream.unshift(unused);
          resolve(true);
        } catch (error) {
          failed(error as Error);
        }
      };
      if (stream.readableEnded === true) return resolve(false);
      if (stream.destroyed === true) return reject(stream.errored ?? closedEarly());
      stream.on("readable", attempt);
      stream.on("end", ended);
      stream.on("error", failed);
      stream.on("close", closed);
      attempt();
    }),
  close: (unused) => {
    if (stream.readableEnded === true) keepUnread(stream, unused);
    else if (unused.length > 0) stream.unshift(unused);
  },
});

const closedEarly = (): CapnpError =>
  new CapnpError("CAPNP_TRUNCATED", "The stream was closed before it ended; nothing more can be read from it.");

const webSource = (stream: WebReadable): ByteSource => {
  const reader = stream.getReader();
  return {
    next: async (take) => {
      if (takeUnread(stream, take)) return true;
      const { done, value } = await reader.read();
      if (!done) keepUnread(stream, take(bytesOf(value)));
      return !done;
    },
    close: (unused) => {
      reader.releaseLock();
      keepUnread(stream, unused);
    },
  };
};

/** A file gives bytes from where it stands; what was read too far is kept for whoever reads it next. */
const fileSource = (file: FileHandleLike): ByteSource => ({
  next: async (take) => takeUnread(file, take) || (await readPiece(file, take, (unused) => keepUnread(file, unused))),
  close: (unused) => keepUnread(file, unused),
});

type Pieces = AsyncIterator<Uint8Array> | Iterator<Uint8Array>;

/** An iterable is asked for an iterator once: many give what is left only to the one that they gave first. */
const iterators = new WeakMap<object, Pieces>();

const iteratorSource = (stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): ByteSource => {
  let iterator = iterators.get(stream);
  if (iterator === undefined) {
    iterator = Symbol.asyncIterator in stream ? stream[Symbol.asyncIterator]() : stream[Symbol.iterator]();
    iterators.set(stream, iterator);
  }
  const pieces = iterator;
  return {
    next: async (take) => {
      if (takeUnread(stream, take)) return true;
      const { done, value } = await pieces.next();
      if (done !== true) keepUnread(stream, take(bytesOf(value)));
      return done !== true;
    },
    close: (unused) => keepUnread(stream, unused),
  };
};
