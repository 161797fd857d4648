import { CapnpError } from "../errors.ts";
import type { TransportReceiver } from "./transport.ts";

/** What a receiver, or a `sent` callback, threw though it must not; its connection is lost for it. */
export function receiverError(error: unknown): CapnpError {
  if (error instanceof CapnpError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new CapnpError("CAPNP_PROTOCOL", `a message could not be handled: ${text}`, { cause: error });
}

/** Tells a receiver of the end. What it throws cannot be told to anybody, nor may it end the process: it is printed. */
export function tellClosed(receiver: TransportReceiver, error: CapnpError | undefined): void {
  try {
    receiver.closed(error);
  } catch (thrown) {
    printStray(thrown);
  }
}

/** For what a callback threw where no connection is left to fail for it. */
export function printStray(error: unknown): void {
  console.error("capstan: a callback of a transport threw:", error);
}

/** What a server threw as it was given a connection; the connection is lost for it. */
export function serveError(error: unknown): CapnpError {
  if (error instanceof CapnpError) return error;
  const text = `the connection could not be served: ${error instanceof Error ? error.message : String(error)}`;
  return new CapnpError("CAPNP_LISTEN", text, { cause: error });
}
