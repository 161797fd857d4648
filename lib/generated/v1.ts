// What generated code imports, and the only thing that it imports. Generated files are older or newer than the library
// that they run with: names are only ever added here. What has to change goes to a v2 beside it.
//
// Some types no generated file names, but the declarations that TypeScript writes for it, or for code that uses it, have to.

import { CapnpError } from "../errors.ts";
import { embeddedNodes } from "../schema/embedded-nodes.ts";
import { sharedLoader } from "../schema/shared-loader.ts";
import type { Context as UntypedContext } from "../schema/typed-interface.ts";
import type { AnyStruct } from "../schema/typed-struct.ts";
import type { PeerInfo } from "../transport/transport.ts";

export { InterfaceClient } from "../schema/interface-client.ts";
export { InterfaceServer } from "../schema/interface-class.ts";
export { Client as UnknownClient } from "../rpc/capability/client.ts";
export type { CallOptions } from "../rpc/capability/remote-promise.ts";
export type {
  AnyPointer,
  AnyPointerBuilder,
  AnyPointerPipeline,
  AnyPointerReader,
} from "../schema/typed-any-pointer.ts";
export type { Capability, Data, ListOf, PointerArgument, PointerFor, Text } from "../schema/typed-any-pointer.ts";
export {
  type CapabilityInput,
  type InterfaceClass,
  type InterfaceIds,
  interfaceIds,
  type Listed,
  type Request,
  type Result,
  type Results,
  type Returns,
  type Streamed,
  type StreamResult,
  type StreamReturns,
} from "../schema/typed-interface.ts";
export type {
  List,
  ListBuilder,
  ListBuilderOf,
  ListInputOf,
  ListReaderOf,
  PointerListBuilder,
  Sized,
} from "../schema/typed-list.ts";
export type { Orphan } from "../schema/typed-orphan.ts";
export type {
  AnyStruct,
  Builder,
  FieldsOf,
  GroupType,
  Init,
  InitOf,
  NoFields,
  PlainObject,
  Reader,
  StructClass,
  StructType,
  Union,
  UnionInit,
  UnionObject,
  UnionReader,
} from "../schema/typed-struct.ts";
export type {
  BareOf,
  Bool,
  BuilderOf,
  Enum,
  EnumClass,
  Float32,
  Float64,
  Hide,
  InputOf,
  Int16,
  Int32,
  Int64,
  Int8,
  ObjectOf,
  PipelineOf,
  PointerType,
  ReaderOf,
  SetOf,
  Type,
  UInt16,
  UInt32,
  UInt64,
  UInt8,
  Void,
} from "../schema/type-views.ts";

/** What a server method is given besides its params. */
export interface Context<P extends AnyStruct, R extends AnyStruct> extends Omit<UntypedContext<P, R>, "peer"> {
  /** Who calls; undefined for a call from within the vat. */
  readonly peer: PeerInfo | undefined;
}

/**
 * Loads the nodes that a generated module embeds, and returns what the file of that id declares. All generated modules share
 * one universe with `load` and the import hooks. The modules that are needed besides have loaded their nodes when they were
 * imported; they are named so that no bundler thinks them unused.
 */
export const load = <Module>(fileId: bigint, nodes: string, ..._needed: readonly object[]): Module => {
  const loader = sharedLoader();
  loader.loadAll(embeddedNodes(nodes));
  const file = loader.get(fileId);
  if (file.which !== "file") {
    throw new CapnpError("CAPNP_SCHEMA", `A generated module embeds no file with the id 0x${fileId.toString(16)}.`);
  }
  return loader.declare(file) as Module;
};
