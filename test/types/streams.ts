// Compiled, never run: see messages.ts.
import type { Readable, Writable } from "node:stream";
import type { Observable as RxObservable, Subject } from "rxjs";
import { ByteStream } from "../../lib/generated/capnp/compat/byte-stream.capnp.ts";
import { Observable, type Observer } from "../../lib/generated/capstan/observable.capnp.ts";
import * as capnp from "../../lib/index.ts";
import { Scalars } from "../fixtures/generated/everything.capnp.ts";
import { exactly } from "./exactly.ts";

export const bytes = (client: ByteStream.Client, node: Writable & Readable, web: WritableStream<Uint8Array>): void => {
  exactly<Promise<void>>()(client.write({ bytes: new Uint8Array(3) }));
  const request = client.writeRequest();
  request.bytes = new Uint8Array(3);
  exactly<Promise<void>>()(request.send());
  exactly<ByteStream.Server>()(capnp.byteStream(node));
  exactly<ByteStream.Server>()(capnp.byteStream(web));
  exactly<Writable>()(capnp.toWritable(client, { highWaterMark: 1024 }));
  exactly<WritableStream<Uint8Array>>()(capnp.toWebWritable(client));
  exactly<Promise<number>>()(capnp.pump(node, client));
  new ByteStream.Client(capnp.byteStream(node)).release();
  // @ts-expect-error: a stream that cannot be written to
  capnp.byteStream(new ReadableStream<Uint8Array>());
  // @ts-expect-error: text is no bytes
  void capnp.pump(["text"], client);
};

export const values = (
  scalars: Subject<Scalars.Init>,
  texts: RxObservable<string>,
  numbers: RxObservable<number[]>,
  read: Subject<Scalars.Reader>,
): void => {
  const served = exactly<Observable.Server<Scalars>>()(capnp.serveObservable(scalars, Scalars));
  const client = new (Observable.of(Scalars).Client)(served);
  exactly<RxObservable<Scalars.Reader>>()(capnp.observable(client));
  const lines = new (Observable.of(capnp.Text).Client)(capnp.serveObservable(texts, capnp.Text, { maxWaiting: 10 }));
  exactly<RxObservable<string>>()(capnp.observable(lines));
  capnp.serveObservable(numbers, capnp.listOf("UInt32"));
  exactly<Observer.Server<Scalars>>()(capnp.observer(read, Scalars));
  // @ts-expect-error: values of another type
  capnp.serveObservable(texts, Scalars);
  // @ts-expect-error: an observer of another type
  capnp.observer(read, capnp.Text);
};
