import type { CapnpError } from "../errors.ts";

/**
 * The port between the RPC protocol and whatever carries its messages. A transport moves whole messages, each a list of
 * segments, reliably and in order. It knows nothing of what they say.
 */
export interface Transport {
  /** Who is at the other end. */
  readonly peer: PeerInfo;

  /**
   * Queues one message. It never blocks and never throws for reasons of the network: what fails later reaches the
   * receiver's `closed`. The segments must not change until `sent` is called, which happens exactly once, also when the
   * message is dropped because the transport has closed.
   */
  send(segments: readonly Uint8Array[], sent?: () => void): void;

  /** Bytes queued by `send` that the network has not yet taken. */
  readonly queued: number;

  /** How many of them are of the largest message. They do not count for limits on what waits: a message of any size has its way. */
  readonly largestQueued?: number;

  /** Bytes that have come from the peer so far: what shows that it lives, also in the middle of a large message. */
  readonly bytesReceived?: number;

  /** Begins to deliver. Called once; until then nothing is read, and nothing is lost. */
  start(receiver: TransportReceiver): void;

  /** Stops (false) or resumes (true) reading, so that a peer which sends too fast is held back by flow control. */
  setReading(reading: boolean): void;

  /** Sends what is queued, then ends the stream. Resolves when it is closed at both ends or destroyed. */
  close(): Promise<void>;

  /** Drops what is queued and ends at once. */
  destroy(error?: CapnpError): void;
}

export interface TransportReceiver {
  /**
   * One message. The bytes are the receiver's: the transport never touches them again. Called synchronously, in order,
   * possibly many times in one turn of the event loop. It must not throw.
   */
  message(segments: Uint8Array[]): void;

  /** All that one read brought has been delivered: a good moment to flush answers. */
  readEnd?(): void;

  /**
   * What arrived is no message, or breaks off in the middle of one: nothing more will be read. The receiver may send a last
   * message, an Abort. Then `closed` is called with the same error, and the transport closes as after `close`.
   */
  garbled?(error: CapnpError): void;

  /**
   * The transport is gone: with an error, or without one after the peer's clean end of stream between two messages.
   * Called exactly once, nothing follows it.
   */
  closed(error?: CapnpError): void;
}

/** What is known of a peer from its transport alone. */
export interface PeerInfo {
  /** `host:port`, `unix:/path`, or the name of an in-memory pipe. */
  readonly address: string;
  /** True where the bytes are encrypted. */
  readonly encrypted: boolean;
  /** The version of TLS that is spoken: `TLSv1.3`. Undefined where none is. */
  readonly tlsProtocol?: string;
  /** What both sides agreed on by ALPN, where they did. */
  readonly alpnProtocol?: string;
  /** True where the peer proved its identity (TLS client certificate, or the server's certificate that a client checked). */
  readonly authenticated: boolean;
  /** The peer's certificate, where it sent one. */
  readonly certificate?: PeerCertificate;
  /** The request by which a WebSocket came: what a web page can be known by. */
  readonly request?: PeerRequest;
}

/** What a client asked for when it opened a WebSocket. */
export interface PeerRequest {
  /** Path and query. */
  readonly path: string;
  /** By lower-case name: `cookie`, `authorization`, `origin`. */
  readonly headers: ReadonlyMap<string, string>;
}

export interface PeerCertificate {
  /** The whole certificate, DER. */
  readonly raw: Uint8Array;
  /** `CN=...` and the rest, a line each. */
  readonly subject: string;
  readonly issuer: string;
  /** `DNS:...`, `IP Address:...`, `URI:...`; empty where there are none. */
  readonly subjectAltName: string;
  /** The same, one by one, without the quotes that protect a comma in a name. */
  readonly alternativeNames: readonly string[];
  /** SHA-256 of the certificate, lower-case hex. */
  readonly fingerprint256: string;
  readonly validFrom: Date;
  readonly validTo: Date;
}
