import type { Logger } from "../../logger.ts";
import type { Segment } from "../../serialization/segment.ts";
import type { Payload } from "./payload.ts";
import type { OwnedPipeline } from "./pipeline.ts";
import type { OutgoingCall } from "./request.ts";

/**
 * One call as its callee sees it. Exactly one of `returned`, `threw` and `tailCall` completes it; what comes after that,
 * or after the caller has lost interest, has no effect.
 */
export interface CallContext {
  /**
   * Called right before the method runs, or when a call that was given up is forgotten. False where the caller has given up: the
   * method must not run then.
   */
  start(): boolean;

  /** Throws CAPNP_RELEASED after `releaseParams`. */
  readonly params: Payload;

  /** Gives the params back early, with the capabilities in them that nobody took. */
  releaseParams(): void;

  /** The place of the pointer to the results struct, in the message that will carry them. */
  results(): ResultsPlace;

  /** Tells where capabilities in the results will be found before the results are complete. Takes the pipeline over. */
  setPipeline(pipeline: OwnedPipeline): void;

  /** Sends the call and makes its results this call's. */
  tailCall(call: OutgoingCall): void;

  returned(): void;
  threw(error: unknown): void;

  /** True once the call was completed. */
  readonly completed: boolean;
  /** True once the caller has given up. */
  readonly canceled: boolean;
  /** Calls back when the caller gives up, at once where it has. */
  onCanceled(listener: () => void): void;

  /** What the connection knows of the caller; undefined for a call within the vat. */
  readonly caller: object | undefined;

  /** Writes to the log with the fields of the connection and of the call; undefined where there is no log. */
  readonly logger: Logger | undefined;
}

export interface ResultsPlace {
  readonly segment: Segment;
  readonly position: number;
}
