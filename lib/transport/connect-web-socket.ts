import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { CapnpError } from "../errors.ts";
import { formatAddress, type WebSocketAddress } from "./address.ts";
import { codeOf } from "./node-error.ts";
import type { WebSocketLimits } from "./limits.ts";
import { loadWs, wsLimits, wsTransport } from "./node-web-socket.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, Transport } from "./transport.ts";

export interface WebSocketClientOptions extends WebSocketLimits {
  /** Sent with the request that opens the WebSocket: `authorization`, `cookie`, `origin`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Opens a WebSocket over a socket that stands already. Rejects with CAPNP_CONNECT, where the server does not want it or speaks
 * something else. Whoever gives the socket up ends this, too.
 */
export async function webSocketOver(
  socket: Socket,
  address: WebSocketAddress,
  peer: PeerInfo,
  options: TransportOptions & { readonly webSocket?: WebSocketClientOptions },
): Promise<Transport> {
  const { WebSocket } = await loadWs();
  const name = formatAddress(address);
  return await new Promise((resolve, reject) => {
    const refused = (why: string, cause?: unknown): void => {
      reject(
        new CapnpError("CAPNP_CONNECT", `cannot connect to ${name}: ${why}`, cause === undefined ? {} : { cause }),
      );
    };
    const webSocket = new WebSocket(name, {
      ...wsLimits(options, options.webSocket),
      ...(options.webSocket?.headers === undefined ? {} : { headers: options.webSocket.headers }),
      createConnection: () => socket,
    });
    // In the same turn, so that no message comes before somebody listens.
    webSocket.on("open", () => {
      webSocket.off("error", failed);
      resolve(wsTransport(webSocket, socket, options.peer ?? { ...peer, address: name }, options, options.webSocket));
    });
    const failed = (error: Error): void => refused(handshakeFailure(error), error);
    webSocket.on("error", failed);
    webSocket.on("unexpected-response", (request, response: IncomingMessage) => {
      const { statusCode, statusMessage } = response;
      request.destroy();
      refused(`it answered ${statusCode} ${statusMessage}, and opened no WebSocket; is the path right?`);
    });
  });
}

function handshakeFailure(error: Error): string {
  const code = codeOf(error);
  if (code?.startsWith("HPE_"))
    return `the peer does not speak HTTP (${code}); is it a WebSocket server at all, or does it want wss://?`;
  if (code === "ECONNRESET")
    return "the peer hung up instead of opening a WebSocket; does it want wss:// or other credentials?";
  return error.message;
}
