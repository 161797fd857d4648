import { CapnpError, type ErrorDetails, type ErrorKind } from "../errors.ts";
import { reasonOf } from "./capability/thrown.ts";

/** What an `Exception` says, or will say. */
export interface Exception {
  readonly kind: ErrorKind;
  readonly reason: string;
  /** Where it happened, for people; undefined where that is not told. */
  readonly trace?: string;
  /** What else there is to know of it, by id, for programs that know what the id stands for. */
  readonly details?: ErrorDetails;
}

/** Says where an error happened, for the peer to read: its stack, the name of this vat, an id in a log. */
export type EncodeTrace = (error: unknown) => string;

const prefix = "remote exception: ";

/** An error that a peer reported. The text says so once, however many vats it passed through. */
export const fromException = ({ kind, reason, trace, details }: Exception): CapnpError =>
  new CapnpError("CAPNP_REMOTE", reason.startsWith(prefix) ? reason : prefix + reason, {
    kind,
    ...(trace === undefined ? {} : { remoteTrace: trace }),
    ...(details === undefined ? {} : { details }),
  });

/** What a peer is told of an error. A CapnpError keeps its kind, anything else is `failed`. */
export const toException = (error: unknown): { kind: ErrorKind; reason: string } => ({
  kind: error instanceof CapnpError ? error.kind : "failed",
  reason: reasonOf(error),
});

/** Bytes that a detail counts for, besides its data: a peer's may be empty, and many. */
const bytesOfDetail = 64;

/** How many details there may be in so many bytes. */
export const mostDetails = (limit: number): number => Math.floor(limit / bytesOfDetail);

/** Details up to so many bytes in all; those behind them are left out whole, as is what is no detail. */
export const shortenDetails = (details: ErrorDetails, limit: number): Map<bigint, Uint8Array> => {
  const kept = new Map<bigint, Uint8Array>();
  // JavaScript may have put anything there, and the error must reach its caller all the same.
  if (!(details instanceof Map)) return kept;
  let bytes = 0;
  for (const [id, data] of details) {
    if (typeof id !== "bigint" || !(data instanceof Uint8Array)) continue;
    bytes += bytesOfDetail + data.length;
    if (bytes > limit) break;
    kept.set(id, data);
  }
  return kept;
};

/** Text of at most so many characters, which says what was cut off. */
const shorten = (text: string, limit: number): string =>
  text.length <= limit ? text : `${text.slice(0, limit)}... (${text.length - limit} characters more)`;

/**
 * True where the text of an error is meant for those who call: a CapnpError, or an error whose `expose` is true (as web frameworks
 * mark them). The text of any other is what a database, a file system or a bug happened to say.
 */
const isMeantForPeers = (error: unknown): boolean => {
  if (error instanceof CapnpError) return true;
  try {
    return error instanceof Error && (error as { expose?: unknown }).expose === true;
  } catch {
    // A getter that throws has not said so.
    return false;
  }
};

/** Says what peers are told of errors. */
export class ErrorReport {
  readonly #exposeAll: boolean;
  readonly #maxText: number;
  readonly #hidden: (id: string, error: unknown) => void;
  readonly #encodeTrace: EncodeTrace | undefined;

  /** @param hidden Hears of each error whose text was withheld, with the id that the peer was given for it. */
  constructor(
    exposeAll: boolean,
    maxText: number,
    hidden: (id: string, error: unknown) => void,
    encodeTrace?: EncodeTrace,
  ) {
    this.#encodeTrace = encodeTrace;
    this.#exposeAll = exposeAll;
    this.#maxText = maxText;
    this.#hidden = hidden;
  }

  of(error: unknown): Exception {
    const { kind, reason } = toException(error);
    if (this.#exposeAll || isMeantForPeers(error)) {
      const trace = this.#trace(error);
      const details = error instanceof CapnpError ? error.details : undefined;
      return {
        kind,
        reason: shorten(reason, this.#maxText),
        ...(trace === undefined ? {} : { trace }),
        ...(details === undefined ? {} : { details: shortenDetails(details, this.#maxText) }),
      };
    }
    const id = crypto.randomUUID();
    this.#hidden(id, error);
    return { kind, reason: `internal error ${id}` };
  }

  #trace(error: unknown): string | undefined {
    if (this.#encodeTrace === undefined) return undefined;
    try {
      return shorten(String(this.#encodeTrace(error)), this.#maxText);
    } catch (thrown) {
      // The error itself is what the peer must hear of.
      return `no trace: ${reasonOf(thrown)}`;
    }
  }
}
