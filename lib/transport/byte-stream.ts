import type { Duplex } from "node:stream";
import { type DuplexStream, FramedStreamTransport } from "./framed-stream.ts";
import { isSocket } from "./node-sockets.ts";
import type { TransportOptions } from "./options.ts";
import { peerOf } from "./peer.ts";
import { isWebStreams, type WebStreams, WebStreamDuplex, webStreamsPeer } from "./web-streams.ts";

/** Limits of one connection. Times are milliseconds; 0 or Infinity turns a timeout off. */
export type ByteStreamOptions = TransportOptions;

/**
 * Messages over any Node Duplex: a TCP, TLS or Unix socket, a pipe, one end of an in-process pair; or over what behaves as one, or
 * over a pair of web streams.
 */
export class ByteStreamTransport extends FramedStreamTransport {
  /** Takes the stream over: nobody else may read, write, pause or encode it. Its errors are handled from here on. */
  constructor(stream: Duplex | DuplexStream | WebStreams, options: TransportOptions = {}) {
    if (isWebStreams(stream)) super(new WebStreamDuplex(stream), webStreamsPeer, false, options);
    else super(stream, peerOf(stream), isSocket(stream), options);
  }
}
