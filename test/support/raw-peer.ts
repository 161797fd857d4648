import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import {
  child,
  messageForms,
  messageTag,
  OutgoingMessage,
  setU16,
  setU32,
  setU64,
  u16,
  u32,
} from "../../lib/rpc/wire.ts";
import { readException } from "../../lib/rpc/wire-exception.ts";
import { encodeFrame, FrameReader } from "../../lib/serialization/framing.ts";
import { MessageReader } from "../../lib/serialization/message.ts";
import { Struct } from "../../lib/serialization/struct.ts";
import { testSchema } from "./rpc-messages.ts";

/** Frames of one kind of message that differ in an id: made once, and patched. */
export class FrameTemplate {
  readonly #frame: Uint8Array;
  readonly #ids: readonly number[];

  /** @param ids The offset in the frame of each id that is to be set. */
  constructor(frame: Uint8Array, ids: readonly number[]) {
    this.#frame = frame;
    this.#ids = ids;
  }

  get bytes(): number {
    return this.#frame.byteLength;
  }

  /** One buffer with a frame for each id of [from, to). */
  many(from: number, to: number): Buffer {
    const all = Buffer.alloc((to - from) * this.#frame.byteLength);
    for (let id = from; id < to; id++) this.writeTo(all, (id - from) * this.#frame.byteLength, id);
    return all;
  }

  writeTo(target: Buffer, at: number, id: number): void {
    target.set(this.#frame, at);
    for (const offset of this.#ids) target.writeUInt32LE(id, at + offset);
  }
}

/** Frames one after the other, in turn of the templates: `call 1, finish 1, call 2, finish 2`. */
export const interleaved = (templates: readonly FrameTemplate[], from: number, to: number): Buffer => {
  const step = templates.reduce((sum, template) => sum + template.bytes, 0);
  const all = Buffer.alloc((to - from) * step);
  let at = 0;
  for (let id = from; id < to; id++) {
    for (const template of templates) {
      template.writeTo(all, at, id);
      at += template.bytes;
    }
  }
  return all;
};

const template = (message: OutgoingMessage): FrameTemplate => {
  const frame = encodeFrame(message.segments);
  // The header of one segment is a word.
  return new FrameTemplate(frame, [8 + message.at.$data]);
};

export const bootstraps = (): FrameTemplate => template(new OutgoingMessage(messageForms.bootstrap));

export const finishes = (): FrameTemplate => template(new OutgoingMessage(messageForms.finish));

/** Calls of a method of Node on an export, without params. */
export const calls = (method: string, importedCap = 0): FrameTemplate => {
  const message = new OutgoingMessage(messageForms.call);
  const schema = testSchema.Node.schema.allMethods.get(method);
  setU16(message.at, 4, schema.ordinal);
  setU64(message.at, 8, schema.interfaceId);
  setU32(message.part(messageForms.call.part(0), "messageTarget"), 0, importedCap);
  return template(message);
};

/** A peer that sends whatever bytes the test says over TCP, and looks at the answers as little as it can. */
export class RawPeer {
  readonly socket: Socket;
  /** How many messages of each tag have come. */
  readonly heard = new Map<number, number>();
  /** What was answered to questions: how many returned results, and exceptions by their type. */
  results = 0;
  readonly exceptions = new Map<string, number>();
  abort: string | undefined;
  /** Called with the id of each question that is answered. */
  onReturn: (id: number) => void = () => undefined;
  readonly closed: Promise<unknown>;
  readonly #frames = new FrameReader();

  private constructor(socket: Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.on("end", () => socket.end());
    socket.on("data", (chunk) => this.#read(chunk));
  }

  static async connect(port: number): Promise<RawPeer> {
    const socket = createConnection({ port, host: "127.0.0.1", noDelay: true });
    const peer = new RawPeer(socket);
    await once(socket, "connect");
    return peer;
  }

  #read(chunk: Buffer): void {
    this.#frames.push(chunk);
    for (let segments = this.#frames.next(); segments !== undefined; segments = this.#frames.next()) {
      const root = new MessageReader(segments).root(Struct);
      const tag = u16(root, 0);
      this.heard.set(tag, (this.heard.get(tag) ?? 0) + 1);
      if (tag === messageTag.abort) this.abort = readException(child(root, 0), 10_000).reason;
      else if (tag === messageTag.return) {
        const ret = child(root, 0);
        if (u16(ret, 6) === 1) {
          const { kind } = readException(child(ret, 0), 100);
          this.exceptions.set(kind, (this.exceptions.get(kind) ?? 0) + 1);
        } else this.results++;
        this.onReturn(u32(ret, 0));
      }
    }
  }

  get answered(): number {
    return this.heard.get(messageTag.return) ?? 0;
  }

  /** Resolves when the bytes were handed over, or when the connection is gone. */
  async write(bytes: Uint8Array): Promise<void> {
    if (this.socket.destroyed || !this.socket.writable) return;
    if (!this.socket.write(bytes)) await Promise.race([once(this.socket, "drain").catch(() => undefined), this.closed]);
    else await new Promise((resolve) => setImmediate(resolve));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.socket.destroyed) await new Promise((resolve) => setImmediate(resolve));
  }

  destroy(): void {
    this.socket.destroy();
  }
}
