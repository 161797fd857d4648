// The public names that need nothing of Node: messages, schemas from nodes or generated modules, capabilities.

// Schemas
export { type NodeSource, SchemaLoader, type SchemaLoaderOptions, type SchemaSource } from "./schema/loader.ts";
export type { EnumSchema, FieldSchema, InterfaceSchema, MethodSchema, Schema, StructSchema } from "./schema/schema.ts";

// Messages
export type { InterfaceClass } from "./schema/interface-class.ts";
export { isStruct, type StructClass } from "./schema/struct-class.ts";
export { StructBuilder, StructReader } from "./schema/struct-base.ts";
export { AnyList, AnyPointer, AnyStruct, Data, listOf, Text } from "./schema/type-argument.ts";
export { AnyPointerBuilder, AnyPointerReader } from "./schema/any-pointer.ts";
export { AnyStructBuilder, AnyStructReader, toAnyStruct } from "./schema/any-struct.ts";
export { AnyListBuilder, AnyListReader, type ElementSize } from "./schema/any-list.ts";
export { List } from "./serialization/list.ts";
export { asReader, clear, copy, get, has, init, is, set, totalSize, which } from "./schema/operations.ts";
export { toObject } from "./schema/plain-object.ts";
export { toJSON } from "./schema/to-json.ts";
export { fromJSON } from "./schema/from-json.ts";
export { toText } from "./schema/text.ts";
export { fromText } from "./schema/from-text.ts";
export { equals } from "./schema/equals.ts";
export { adopt, disown } from "./schema/disown.ts";
export { newOrphan, newOrphanConcat, newOrphanCopy, referenceExternalData } from "./schema/orphanage.ts";
export { Orphan } from "./schema/orphan.ts";
export { initResizableList, ResizableList } from "./schema/resizable-list.ts";
export { MessageBuilder } from "./schema/message-builder.ts";
export { readDataStruct, writeDataStruct } from "./schema/data-struct.ts";
export { canonicalize, isCanonical } from "./serialization/canonical.ts";
export {
  fromBytes,
  fromBytesPacked,
  fromSegments,
  read,
  readMultiple,
  readMultipleBytes,
  readMultipleBytesPacked,
  readMultiplePacked,
  readPacked,
  toBytes,
  toBytesPacked,
  toSegments,
  toSegmentViews,
  write,
  writePacked,
} from "./schema/message-io.ts";
export type { ByteStream } from "./serialization/byte-source.ts";
export type { ByteSink, MessageOptions } from "./serialization/message-stream.ts";
export { pack, unpack, unpackedSize } from "./serialization/packed.ts";
export { expectedMessageBytes } from "./serialization/message-size.ts";
export type { AllocationOptions, UsedMemory } from "./serialization/arena.ts";
export type { ReaderOptions } from "./serialization/read-limiter.ts";

// Capabilities
export { InterfaceClient, type InterfaceClientConstructor } from "./schema/interface-client.ts";
export { castAs, upcast } from "./schema/interface-client.ts";
export { InterfaceServer } from "./schema/interface-class.ts";
export type { MethodContext } from "./schema/method-context.ts";
export { type MethodRequest, send, sendForPipeline } from "./schema/method-call.ts";
export { type CapabilitySource, Client } from "./rpc/capability/client.ts";
export { onDisposeError, Server } from "./rpc/capability/server.ts";
export { type CallOptions, RemotePromise } from "./rpc/capability/remote-promise.ts";
export { release } from "./release.ts";
export { thisCap } from "./this-cap.ts";
export { whenResolved } from "./when-resolved.ts";
export { CapabilityServerSet } from "./server-set.ts";
export { RevocableServer } from "./revocable-server.ts";
export { copyIntoMembrane, copyOutOfMembrane, type MembranePolicy, membrane, reverseMembrane } from "./membrane.ts";
export {
  type AutoReconnectController,
  autoReconnect,
  type Connected,
  lazyAutoReconnect,
  lazyAutoReconnectWithController,
} from "./auto-reconnect.ts";
export { StructRestorer } from "./schema/restorer.ts";

// Streams
export { byteStream } from "./streams/byte-stream.ts";
export { type ByteSource, pump, toWebWritable } from "./streams/byte-stream-writer.ts";

// Connections
export { type BrowserConnectionOptions, type BrowserConnectOptions, connect } from "./browser-connect.ts";
export type { ReconnectOptions, RetryOptions } from "./client/options.ts";
export type { AddressSource, PickPolicy } from "./client/endpoint.ts";
export type { KeepaliveOptions } from "./client/keepalive.ts";
export type { ClientStatus, RpcClient } from "./client/rpc-client.ts";
export type { Session } from "./client/session.ts";
export { TwoPartyClient, TwoPartyServer } from "./browser-vat.ts";
export type { CloseOptions, ConnectionStatus, VatOptions } from "./two-party-vat.ts";
export type { BootstrapSource, Exposed } from "./bootstrap-source.ts";
export type { RestoreFunction, Restorer } from "./restorer.ts";
export type { ConnectionStats } from "./rpc/connection/connection.ts";
export type { ConnectionDump } from "./rpc/connection/inspect.ts";
export type { ConnectionLimits } from "./rpc/limits.ts";
export type { Clock } from "./rpc/clock.ts";
export type { StreamWindow } from "./rpc/streaming/stream-window.ts";

// Transports
export type { PeerCertificate, PeerInfo, PeerRequest, Transport, TransportReceiver } from "./transport/transport.ts";
export type { TransportOptions } from "./transport/options.ts";
export { type ByteStreamOptions, ByteStreamTransport } from "./transport/byte-stream.ts";
export { type WebStreams, webStreamsTransport } from "./transport/web-streams.ts";
export {
  type StandardWebSocket,
  type WebSocketLike,
  type WsWebSocket,
  webSocketTransport,
} from "./transport/web-socket.ts";
export { type MessagePortLike, messagePortTransport } from "./transport/message-port.ts";
export {
  type MemoryLine,
  type MemoryTransport,
  type MemoryTransportOptions,
  type MemoryTransportPair,
  memoryTransportPair,
} from "./transport/memory.ts";

// Errors and logging
export { CapnpError, type ErrorCode, type ErrorDetails, type ErrorKind, errorCodes } from "./errors.ts";
export type { Logger } from "./logger.ts";
