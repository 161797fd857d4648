import type { FrameLimits } from "../serialization/framing.ts";
import type { PeerInfo } from "./transport.ts";

/** Limits of one connection. Times are milliseconds; 0 or Infinity turns a timeout off. */
export interface TransportOptions extends FrameLimits {
  /** Who is at the other end, where the stream itself does not tell it or not well. Default: what a socket tells. */
  readonly peer?: PeerInfo;
  /**
   * The most bytes of frames until the first whole one has come. A peer that has said nothing yet is nobody, and needs no room: what
   * anybody says first (Bootstrap) is small. Default: no less than any other frame; 64 KiB for `listen`.
   */
  readonly maxFirstFrameBytes?: number;
  /**
   * While more bytes than this wait for the peer to read, reading from it slows down to one chunk every 20 ms: who does not read the
   * answers has no use for more. It never stops, since two vats that both waited for the other to read would do so for ever. Default
   * 1 MiB.
   */
  readonly softQueuedBytes?: number;
  /**
   * The most bytes that may wait for the peer to read. Attack: a peer that asks and never reads the answers. Default 16 MiB. The
   * message that would come on top of a queue that is already longer ends the connection (CAPNP_LIMIT, kind `disconnected`). The
   * largest message that waits is not counted: a single one of any size always has its way, and others have theirs behind it.
   */
  readonly maxQueuedBytes?: number;
  /**
   * The most bytes that are held while reading is paused or has not begun, by a transport whose source cannot be held back: a standard
   * WebSocket, a MessagePort, an IPC channel. Default 16 MiB. Beyond it the connection ends (CAPNP_LIMIT, kind `disconnected`).
   */
  readonly maxHeldBytes?: number;
  /** How long the network may take nothing of what waits. Default 30 s. Then CAPNP_TIMEOUT, kind `disconnected`. */
  readonly slowReaderTimeout?: number;
  /** How long after `start` the first message may take. Attack: connections that are opened and left. Default off. */
  readonly firstMessageTimeout?: number;
  /**
   * How long a frame that has begun may go without either ending or growing by another 64 KiB. Attack: many peers who each dribble
   * one frame for ever. Default 30 s. The clock stands still while reading is paused.
   */
  readonly partialFrameTimeout?: number;
  /** How long `close` waits for the queue to drain and for the peer to end its side. Default 5 s; then the stream is destroyed. */
  readonly closeTimeout?: number;
}
