import { defaultNestingLimit } from "../../serialization/read-limiter.ts";
import { Segment } from "../../serialization/segment.ts";
import { emptySegment } from "../../serialization/struct.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { Payload } from "../capability/payload.ts";
import type { PendingCall, ReturnListener } from "../capability/request.ts";
import type { Flight, FlowController, RoomListener } from "./flow-controller.ts";

/** A null pointer: what stands for the results of a call that nobody waits for. */
const noResults = new Payload(new Segment(emptySegment.arena, 0, new Uint8Array(8), 8), 0, defaultNestingLimit);

/**
 * A streaming call that was sent: to its caller it has returned when the stream has room for another one.
 *
 * State: waiting for room -> told (of room, or that the stream has failed) | canceled (while waiting only: what was told
 * cannot be taken back). The question goes on in each of these but the last, whether anybody still holds the client or not:
 * an early Finish would cancel the call.
 */
export class StreamedCall implements PendingCall, RoomListener, ReturnListener {
  readonly #question: PendingCall;
  readonly #flight: Flight;
  #outcome: "room" | "canceled" | Error | undefined;
  #listener: ReturnListener | undefined;

  constructor(question: PendingCall, flow: FlowController, bytes: number) {
    this.#question = question;
    this.#flight = flow.send(bytes, this);
    question.onReturn(this);
  }

  room(): void {
    this.#settle("room");
  }

  failed(error: Error): void {
    this.#settle(error);
  }

  #settle(outcome: "room" | Error): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = outcome;
    this.#tell();
  }

  #tell(): void {
    if (this.#listener === undefined || this.#outcome === undefined) return;
    if (this.#outcome instanceof Error) this.#listener.threw(this.#outcome);
    else this.#listener.returned(noResults);
  }

  /** The callee is done with the call. */
  returned(results: Payload): void {
    results.release();
    this.#flight.acked();
  }

  /** The callee threw, the connection was lost, or the caller has given up. */
  threw(error: Error): void {
    if (this.#outcome === "canceled") this.#flight.givenUp();
    else this.#flight.failed(error);
  }

  onReturn(listener: ReturnListener): void {
    this.#listener = listener;
    this.#tell();
  }

  pipelined(path: readonly number[]): ClientHook {
    return this.#question.pipelined(path);
  }

  cancel(reason: Error): void {
    if (this.#outcome !== undefined) return;
    this.#outcome = "canceled";
    this.#question.cancel(reason);
    this.#listener?.threw(reason);
  }
}
