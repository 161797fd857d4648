import { decodeFrame, encodeFrame } from "../serialization/framing.ts";
import { MessageBuilder, MessageReader } from "../serialization/message.ts";
import type { ReaderOptions } from "../serialization/read-limiter.ts";
import type { CompiledSchema, Node } from "./node.ts";
import { NodeReader, readNode, readRequest } from "./node-reader.ts";
import { NodeWriter, writeNode, writeRequest } from "./node-writer.ts";

/** Builds one segment, however large: readers of embedded schemas then follow no far pointers. */
function oneSegment(write: (root: NodeWriter) => void, dataWords: number, pointerCount: number): Uint8Array {
  let firstSegmentWords = 4096;
  for (;;) {
    const message = new MessageBuilder({ firstSegmentWords });
    write(message.initRoot(NodeWriter, dataWords * 8, pointerCount));
    const segments = message.segments();
    if (segments.length === 1) return segments[0]!;
    firstSegmentWords = segments.reduce((words, segment) => words + segment.length / 8, 0);
  }
}

/** A CodeGeneratorRequest of schema.capnp as a framed message of one segment. `capnpVersion` is left out. */
export function encodeCompiledSchema(schema: CompiledSchema): Uint8Array {
  return encodeFrame([oneSegment((root) => writeRequest(root, schema), 0, 4)]);
}

/** A Node of schema.capnp as a framed message of one segment. */
export function encodeNode(node: Node): Uint8Array {
  return encodeFrame([oneSegment((root) => writeNode(root, node), 5, 6)]);
}

/**
 * Limits for a message of this size. No part of a schema is shared, so that reading it costs about its size; types nest
 * as deep as sources may, each level of `Box(Box(...))` with four pointers.
 */
function limitsFor(segments: readonly Uint8Array[]): ReaderOptions {
  const words = segments.reduce((sum, segment) => sum + segment.length / 8, 0);
  return { traversalLimitInWords: 4 * words + 1024, nestingLimit: 1280 };
}

const open = (bytes: Uint8Array, options: ReaderOptions | undefined): NodeReader => {
  const { segments } = decodeFrame(bytes);
  return new MessageReader(segments, { ...limitsFor(segments), ...options }).root(NodeReader);
};

/**
 * Reads a framed CodeGeneratorRequest, of any number of segments, as any compiler writes it. What it says is not checked
 * for sense, only for being within the message and its limits.
 *
 * @throws CapnpError for what is no such message: out of bounds, too deep, or with a union member unknown to this library.
 */
export function decodeCompiledSchema(bytes: Uint8Array, options?: ReaderOptions): CompiledSchema {
  return readRequest(open(bytes, options));
}

/** Reads one framed Node; errors as {@link decodeCompiledSchema}. */
export function decodeNode(bytes: Uint8Array, options?: ReaderOptions): Node {
  return readNode(open(bytes, options));
}
