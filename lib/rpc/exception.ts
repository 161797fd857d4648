import { CapnpError, type ErrorKind } from "../errors.ts";
import { reasonOf } from "./capability/thrown.ts";

const prefix = "remote exception: ";

/** An error that a peer reported. The text says so once, however many vats it passed through. */
export const fromException = ({ kind, reason }: { kind: ErrorKind; reason: string }): CapnpError =>
  new CapnpError("CAPNP_REMOTE", reason.startsWith(prefix) ? reason : prefix + reason, { kind });

/** What a peer is told of an error. A CapnpError keeps its kind, anything else is `failed`. */
export const toException = (error: unknown): { kind: ErrorKind; reason: string } => ({
  kind: error instanceof CapnpError ? error.kind : "failed",
  reason: reasonOf(error),
});
