// The public names, in the order in which a reader meets them.

// Schemas
export {
  CompileError,
  forgetLoadedSchemas,
  type LoadedFile,
  type LoadOptions,
  load,
  loadSync,
  type ParserOptions,
  SchemaParser,
} from "./load.ts";
export { type NodeSource, SchemaLoader, type SchemaLoaderOptions, type SchemaSource } from "./schema/loader.ts";
export type { EnumSchema, FieldSchema, InterfaceSchema, MethodSchema, Schema, StructSchema } from "./schema/schema.ts";

// Messages
export type { InterfaceClass } from "./schema/interface-class.ts";
export { isStruct, type StructClass } from "./schema/struct-class.ts";
export { StructBuilder, StructReader } from "./schema/struct-base.ts";
export { AnyPointer, Data, listOf, Text } from "./schema/type-argument.ts";
export { AnyPointerBuilder, AnyPointerReader } from "./schema/any-pointer.ts";
export { List } from "./serialization/list.ts";
export { asReader, clear, copy, get, has, init, is, set, totalSize, which } from "./schema/operations.ts";
export { toObject } from "./schema/plain-object.ts";
export { toJSON } from "./schema/to-json.ts";
export { fromJSON } from "./schema/from-json.ts";
export { toText } from "./schema/text.ts";
export { fromText } from "./schema/from-text.ts";
export { equals } from "./schema/equals.ts";
export { adopt, disown, newOrphan } from "./schema/disown.ts";
export { Orphan } from "./serialization/orphan.ts";
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
export { pack, unpack } from "./serialization/packed.ts";
export type { AllocationOptions } from "./serialization/arena.ts";
export type { ReaderOptions } from "./serialization/read-limiter.ts";

// Capabilities
export { InterfaceClient, type InterfaceClientConstructor } from "./schema/interface-client.ts";
export { InterfaceServer } from "./schema/interface-class.ts";
export type { MethodContext } from "./schema/method-context.ts";
export { type MethodRequest, send } from "./schema/method-call.ts";
export { type CapabilitySource, Client } from "./rpc/capability/client.ts";
export { onDisposeError, Server } from "./rpc/capability/server.ts";
export { type CallOptions, RemotePromise } from "./rpc/capability/remote-promise.ts";
export { release } from "./release.ts";

// Connections
export { type ConnectOptions, connect } from "./connect.ts";
export { type CloseOptions, type ListenOptions, listen, type RpcServer } from "./listen.ts";
export { type ConnectionStatus, TwoPartyClient, TwoPartyServer, type VatOptions } from "./two-party-vat.ts";
export type { BootstrapSource, Exposed } from "./bootstrap-source.ts";
export type { ConnectionStats } from "./rpc/connection/connection.ts";
export type { ConnectionLimits } from "./rpc/connection/connection-state.ts";

// Transports
export type { PeerCertificate, PeerInfo, Transport, TransportReceiver } from "./transport/transport.ts";
export { type ByteStreamOptions, ByteStreamTransport } from "./transport/byte-stream.ts";
export {
  type MemoryTransport,
  type MemoryTransportOptions,
  type MemoryTransportPair,
  memoryTransportPair,
} from "./transport/memory.ts";

// Errors and logging
export { CapnpError, type ErrorCode, type ErrorKind, errorCodes } from "./errors.ts";
export type { Logger } from "./logger.ts";
