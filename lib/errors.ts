/**
 * What went wrong, as a caller should react to it; the `Exception.Type` of rpc.capnp.
 *
 * - `failed`: a bug or bad input; trying again will not help.
 * - `overloaded`: a limit or a lack of resources; trying again later may help.
 * - `disconnected`: the connection (or a capability's way to its host) is gone; connect again and retry.
 * - `unimplemented`: the callee does not have the method or feature.
 */
export type ErrorKind = "failed" | "overloaded" | "disconnected" | "unimplemented";

/** Every code a {@link CapnpError} may carry, with the kind it has unless the thrower says otherwise. */
export const errorCodes = {
  // serialization
  CAPNP_OUT_OF_BOUNDS: "failed",
  CAPNP_POINTER_KIND: "failed",
  CAPNP_TRAVERSAL_LIMIT: "failed",
  CAPNP_NESTING_LIMIT: "failed",
  CAPNP_MESSAGE_SIZE: "failed",
  CAPNP_FRAME: "failed",
  CAPNP_FRAME_TOO_LARGE: "failed",
  CAPNP_TRUNCATED: "failed",
  CAPNP_PACKED: "failed",
  CAPNP_TEXT: "failed",
  CAPNP_CAPABILITY_INDEX: "failed",
  CAPNP_ORPHAN: "failed",
  // values
  CAPNP_TYPE: "failed",
  CAPNP_RANGE: "failed",
  CAPNP_UNION_MEMBER: "failed",
  CAPNP_NO_SUCH_FIELD: "failed",
  CAPNP_NO_SUCH_ENUMERANT: "failed",
  CAPNP_INDEX: "failed",
  CAPNP_PARSE: "failed",
  // schemas
  CAPNP_SCHEMA: "failed",
  CAPNP_COMPILE: "failed",
  CAPNP_SCHEMA_NOT_FOUND: "failed",
  // rpc
  CAPNP_REMOTE: "failed",
  CAPNP_PROTOCOL: "failed",
  CAPNP_ABORTED: "failed",
  CAPNP_CANCELED: "failed",
  CAPNP_TIMEOUT: "failed",
  CAPNP_CALL: "failed",
  CAPNP_NULL_CAPABILITY: "failed",
  CAPNP_RELEASED: "failed",
  CAPNP_NO_BOOTSTRAP: "failed",
  CAPNP_RESTORE: "failed",
  CAPNP_REVOKED: "failed",
  CAPNP_LIMIT: "overloaded",
  CAPNP_DISCONNECTED: "disconnected",
  CAPNP_UNIMPLEMENTED: "unimplemented",
  // transports
  CAPNP_ADDRESS: "failed",
  CAPNP_CONNECT: "disconnected",
  CAPNP_LISTEN: "failed",
  CAPNP_TLS: "disconnected",
  CAPNP_REFUSED: "failed",
} as const satisfies Record<string, ErrorKind>;

/** A stable name to match on. Texts may change between versions; codes do not. */
export type ErrorCode = keyof typeof errorCodes;

/** What else there is to know of an error, for programs: bytes by an id, which those who agree on it know how to read. */
export type ErrorDetails = ReadonlyMap<bigint, Uint8Array>;

/** The one error type of this library: a kind to act on, a code to match, text that says what, where and how to fix it. */
export class CapnpError extends Error {
  override readonly name = "CapnpError";
  /** How to react. */
  readonly kind: ErrorKind;
  /** What happened. */
  readonly code: ErrorCode;
  /** Where it happened at the peer, if that tells (`Exception.trace`; see the option `encodeTrace`). */
  declare readonly remoteTrace?: string;
  /** What else there is to know of it (`Exception.details`). Travels with the error, as far as it is told to peers. */
  declare readonly details?: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options?: {
      readonly kind?: ErrorKind;
      readonly cause?: unknown;
      readonly remoteTrace?: string;
      readonly details?: ErrorDetails;
    },
  ) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = options?.kind ?? errorCodes[code];
    if (options?.remoteTrace !== undefined) this.remoteTrace = options.remoteTrace;
    if (options?.details !== undefined) this.details = options.details;
  }
}
