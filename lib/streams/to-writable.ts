import { Writable, type WritableOptions } from "node:stream";
import type { ByteStream } from "../generated/capnp/compat/byte-stream.capnp.ts";
import { ByteStreamWriter } from "./byte-stream-writer.ts";

/**
 * A Writable that writes to a ByteStream. `write` calls back when there is room in the flow window, `end` when the other end has
 * taken everything, and `destroy` cuts the stream off. The stream takes the client over and releases it when it is done.
 *
 * @param options `highWaterMark`: bytes that wait here until they are sent, 16 KiB where nothing is said.
 */
export const toWritable = (
  client: ByteStream.Client,
  options: Pick<WritableOptions, "highWaterMark"> = {},
): Writable => {
  const writer = new ByteStreamWriter(client);
  type Callback = (error?: Error | null) => void;
  const told = (promise: Promise<void>, callback: Callback): void => {
    promise.then(() => callback(), callback);
  };
  return new Writable({
    ...options,
    write: (chunk: Buffer, _encoding, callback) => told(writer.write(chunk), callback),
    // What came while there was no room goes together: fewer calls for many small pieces.
    writev: (chunks: readonly { readonly chunk: Buffer }[], callback) =>
      told(writer.write(Buffer.concat(chunks.map(({ chunk }) => chunk))), callback),
    final: (callback) => told(writer.end(), callback),
    destroy: (error, callback) => {
      writer.cutOff();
      callback(error);
    },
  });
};
