import { CapnpError } from "../errors.ts";
import type { ByteStream } from "../generated/capnp/compat/byte-stream.capnp.ts";
import { describeValue } from "../serialization/scalar.ts";
import { byteStreamNodes } from "../std/late-nodes.ts";
import { cutOffError, type Destination, NodeDestination, type NodeWritable, WebDestination } from "./destination.ts";
import { lateModule } from "./late-module.ts";
import { Outlet } from "./outlet.ts";

/** What `/capnp/compat/byte-stream.capnp` declares. */
const byteStreamModule = lateModule<{ readonly ByteStream: ByteStream }>(0x8f5d14e1c273738dn, byteStreamNodes);

type ServerClass = new (outlet: Outlet) => ByteStream.Server;

const classes = new WeakMap<object, ServerClass>();

const serverClass = (): ServerClass => {
  const { ByteStream } = byteStreamModule();
  let found = classes.get(ByteStream);
  if (found === undefined) {
    found = class extends ByteStream.Server {
      readonly #outlet: Outlet;

      constructor(outlet: Outlet) {
        super();
        this.#outlet = outlet;
      }

      override write({ bytes }: { readonly bytes: Uint8Array }): void | Promise<void> {
        return this.#outlet.write(bytes);
      }

      override end(): void | Promise<void> {
        return this.#outlet.end();
      }

      override getSubstream({
        callback,
        limit,
      }: {
        readonly callback: ByteStream.SubstreamCallback.Client | null;
        readonly limit: bigint;
      }): { readonly substream: ByteStream.Server } {
        if (callback === null)
          throw new CapnpError("CAPNP_NULL_CAPABILITY", "ByteStream.getSubstream needs a callback.");
        return { substream: serve(this.#outlet.lend(callback, limit)) };
      }

      [Symbol.dispose](): void {
        this.#outlet.release(cutOffError());
      }
    };
    classes.set(ByteStream, found);
  }
  return found;
};

const serve = (destination: Destination): ByteStream.Server => new (serverClass())(new Outlet(destination));

const isNodeStream = (value: unknown): value is NodeWritable =>
  typeof value === "object" && value !== null && "write" in value && "writableNeedDrain" in value;

const isWebStream = (value: unknown): value is WritableStream<Uint8Array> =>
  typeof value === "object" && value !== null && "getWriter" in value;

/**
 * A server object for `ByteStream` of `/capnp/compat/byte-stream.capnp` that writes to a stream: pass it, or return it, where
 * a schema has a ByteStream.
 *
 * A write waits until the stream has room, which holds the caller back once its flow window is full. `end` ends the stream
 * and returns when all bytes have been taken. If the last reference is released before that, or the connection is lost, the
 * stream is destroyed (a web stream: aborted) with CAPNP_CANCELED. An error of the stream fails the calls that follow; it does
 * not count as unhandled. A web stream stays locked.
 */
export const byteStream = (destination: NodeWritable | WritableStream<Uint8Array>): ByteStream.Server => {
  if (isNodeStream(destination)) return serve(new NodeDestination(destination));
  if (isWebStream(destination)) return serve(new WebDestination(destination));
  throw new CapnpError(
    "CAPNP_TYPE",
    `A byte stream goes to a Writable or a WritableStream, not to ${describeValue(destination)}.`,
  );
};
