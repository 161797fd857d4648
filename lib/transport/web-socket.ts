import { MessageTransport } from "./message-transport.ts";
import type { TransportOptions } from "./options.ts";
import { type StandardWebSocket, standardWebSocketTransport } from "./standard-web-socket.ts";
import type { Transport } from "./transport.ts";
import { webSocketPeer } from "./web-socket-carrier.ts";
import { WsCarrier, type WsWebSocket } from "./ws-web-socket.ts";

export type { StandardWebSocket } from "./standard-web-socket.ts";
export type { WsWebSocket } from "./ws-web-socket.ts";

export type WebSocketLike = StandardWebSocket | WsWebSocket;

/**
 * Messages over a WebSocket, standard or of the package `ws`, of either side; it may still be connecting. Each message is one
 * binary message, which is also what C++'s `WebSocketMessageStream` has it. Takes the socket over.
 *
 * A standard WebSocket cannot be held back: `maxHeldBytes` bounds what comes while nothing is read. Make a `ws` socket with
 * `maxPayload` and without `perMessageDeflate`; `connect` and `listen` see to that by themselves.
 */
export function webSocketTransport(socket: WebSocketLike, options: TransportOptions = {}): Transport {
  if (!isWsWebSocket(socket)) return standardWebSocketTransport(socket, options);
  const peer = webSocketPeer(socket.url);
  return new MessageTransport(new WsCarrier(socket, (options.peer ?? peer).address), peer, options);
}

function isWsWebSocket(socket: WebSocketLike): socket is WsWebSocket {
  return "terminate" in socket && "on" in socket;
}
