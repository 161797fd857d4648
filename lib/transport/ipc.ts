import { CapnpError } from "../errors.ts";
import { type MessagePortLike, PortCarrier } from "./message-port.ts";
import { MessageTransport } from "./message-transport.ts";
import type { TransportOptions } from "./options.ts";
import type { PeerInfo, Transport } from "./transport.ts";

/** What is needed of either end of an IPC channel: a child made by `fork`, or `process` in that child. */
export interface IpcChannel {
  readonly connected: boolean;
  readonly pid?: number | undefined;
  send?(message: unknown, ...rest: [callback: (error: Error | null) => void]): boolean;
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
  off(event: "message", listener: (message: unknown) => void): unknown;
  off(event: "disconnect", listener: () => void): unknown;
}

export interface IpcOptions extends TransportOptions {
  /**
   * How the channel writes what is sent, as `fork` was told: "json" (Node's default, and the default here; bytes go as base64) or
   * "advanced" (bytes go as they are). Either end reads both.
   */
  readonly serialization?: "json" | "advanced";
}

/**
 * Messages over the IPC channel between a process and its child: `ipcTransport(fork("worker.js"))` there, `ipcTransport(process)`
 * here. Other messages may go over the same channel: ours are objects with one property, `capnp`. The channel is left open.
 *
 * Throws CAPNP_CONNECT where there is no channel.
 */
export function ipcTransport(channel: IpcChannel, options: IpcOptions = {}): Transport {
  if (channel.send === undefined || !channel.connected) {
    const text =
      'this process has no open IPC channel; start the child with fork(), or with spawn() and stdio: [..., "ipc"]';
    throw new CapnpError("CAPNP_CONNECT", text, { kind: "failed" });
  }
  const peer: PeerInfo = { address: `ipc:${channel.pid ?? "parent"}`, encrypted: false, authenticated: false };
  const port = new IpcPort(channel, options.serialization === "advanced");
  return new MessageTransport(new PortCarrier(port, (options.peer ?? peer).address), peer, options);
}

/** An IPC channel in the shape of a MessagePort. */
class IpcPort implements MessagePortLike {
  readonly #channel: IpcChannel;
  readonly #isAdvanced: boolean;
  /** What stops hearing of the channel, which keeps a process alive for as long as anybody does. */
  readonly #stops: (() => void)[] = [];
  #closed: () => void = () => undefined;

  constructor(channel: IpcChannel, isAdvanced: boolean) {
    this.#channel = channel;
    this.#isAdvanced = isAdvanced;
  }

  postMessage(value: unknown): void {
    const isBytes = value instanceof Uint8Array && !this.#isAdvanced;
    const capnp = isBytes ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64") : value;
    this.#channel.send!({ capnp }, (error) => {
      if (error !== null) this.#closed();
    });
  }

  on(event: string, listener: (value: never) => void): void {
    const channel = this.#channel;
    if (event === "message") {
      const take = (message: unknown): void => {
        if (typeof message !== "object" || message === null || !("capnp" in message)) return;
        const { capnp } = message;
        (listener as (value: unknown) => void)(typeof capnp === "string" ? readBase64(capnp) : capnp);
      };
      channel.on("message", take);
      this.#stops.push(() => channel.off("message", take));
    } else if (event === "close") {
      const closed = listener as () => void;
      this.#closed = closed;
      channel.on("disconnect", closed);
      this.#stops.push(() => channel.off("disconnect", closed));
    }
  }

  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }
}

/** Copied, since a small Buffer shares its memory with others. */
const readBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
