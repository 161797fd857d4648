import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { CapnpError } from "../errors.ts";
import { scheduleFlush } from "./framed-stream.ts";
import { readStreamLimits, readWebSocketLimits, type WebSocketLimits } from "./limits.ts";
import { type CarrierSink, MessageTransport } from "./message-transport.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, Transport } from "./transport.ts";
import { Watchdog } from "./watchdog.ts";
import { WsCarrier } from "./ws-web-socket.ts";

/** The package `ws`, loaded when it is first needed. */
export const loadWs = (): Promise<typeof import("ws")> => import("ws");

/** Options for a WebSocket of `ws`, of either side, that holds our limits. */
export function wsLimits(options: TransportOptions, limits: WebSocketLimits | undefined) {
  const { maxFrameBytes, maxSegments, closeTimeout } = readStreamLimits(options);
  // The header comes on top of what counts as the frame's bytes.
  const maxPayload = maxFrameBytes + (Math.min(maxSegments, 2 ** 16) + 2) * 4;
  return {
    autoPong: false,
    perMessageDeflate: false,
    // 0 is ws's way to say that there is no limit; it counts in 32 bits where it counts pieces.
    maxPayload: Number.isFinite(maxPayload) ? maxPayload : 0,
    maxFragments: Math.min(readWebSocketLimits(limits).maxFragments, 2 ** 31 - 1),
    ...(closeTimeout > 0 && closeTimeout < 2 ** 31 ? { closeTimeout } : {}),
  } as const;
}

/**
 * Messages over a WebSocket made with {@link wsLimits}.
 *
 * @param socket What the WebSocket goes over.
 */
export function wsTransport(
  webSocket: WebSocket,
  socket: Duplex,
  peer: PeerInfo,
  options: TransportOptions,
  limits: WebSocketLimits | undefined,
): Transport {
  return new MessageTransport(new GuardedCarrier(webSocket, socket, peer.address, options, limits), peer, options);
}

/** Gathers what one turn sends into one write, answers pings within reason, and sees messages that do not come to an end. */
class GuardedCarrier extends WsCarrier {
  readonly #webSocket: WebSocket;
  readonly #socket: Duplex;
  readonly #partialFrame: Watchdog;
  readonly #maxPendingPongs: number;
  bytesReceived = 0;
  #isCorked = false;
  #pendingPongs = 0;
  #isFlooded = false;
  /** Something whole has come with the bytes that are being read. */
  #hasCome = false;
  /** Bytes that came since something whole did, or since they were last many enough to go on. */
  #partialBytes = 0;

  constructor(
    webSocket: WebSocket,
    socket: Duplex,
    address: string,
    options: TransportOptions,
    limits: WebSocketLimits | undefined,
  ) {
    super(webSocket, address);
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#maxPendingPongs = readWebSocketLimits(limits).maxPendingPongs;
    const { partialFrameTimeout } = readStreamLimits(options);
    this.#partialFrame = new Watchdog(partialFrameTimeout, () => {
      const text = `${address} did not go on with a message for ${partialFrameTimeout} ms (partialFrameTimeout)`;
      this.sink.failed(new CapnpError("CAPNP_TIMEOUT", text, { kind: "disconnected" }));
    });
  }

  override open(sink: CarrierSink): void {
    super.open(sink);
    const webSocket = this.#webSocket;
    const hasCome = (): void => {
      this.#hasCome = true;
    };
    webSocket.on("message", hasCome);
    webSocket.on("pong", hasCome);
    webSocket.on("ping", (data) => {
      this.#hasCome = true;
      this.#onPing(data);
    });
    webSocket.on("close", () => this.#partialFrame.dispose());
    // After ws has read them.
    this.#socket.on("data", (bytes: Uint8Array) => this.#onBytes(bytes.byteLength));
  }

  #onPing(data: Buffer): void {
    if (this.#isFlooded) return;
    if (this.#pendingPongs < this.#maxPendingPongs) {
      this.#pendingPongs++;
      this.#webSocket.pong(data, undefined, () => this.#pendingPongs--);
      return;
    }
    this.#isFlooded = true;
    const text = `${this.address} sent more pings than it takes answers: ${this.#pendingPongs} wait, which is maxPendingPongs`;
    this.sink.garbled(new CapnpError("CAPNP_LIMIT", text, { kind: "disconnected" }));
  }

  #onBytes(count: number): void {
    this.bytesReceived += count;
    if (this.#hasCome) {
      this.#hasCome = false;
      this.#partialBytes = 0;
      this.#partialFrame.stop();
      return;
    }
    this.#partialBytes += count;
    if (this.#partialBytes < partialProgress) {
      this.#partialFrame.start();
    } else {
      this.#partialBytes = 0;
      this.#partialFrame.restart();
    }
  }

  override setReading(reading: boolean): void {
    super.setReading(reading);
    if (!reading) this.#partialFrame.stop();
  }

  protected override transmit(frame: Uint8Array): void {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      scheduleFlush(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    super.transmit(frame);
  }
}

/** Bytes after which a message that is under way has made progress. */
const partialProgress = 64 * 1024;
