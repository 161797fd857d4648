import { MessageBuilder } from "../../serialization/message.ts";
import { defaultNestingLimit, unlimitedNesting } from "../../serialization/read-limiter.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import { Payload } from "../capability/payload.ts";
import type { Pipeline } from "../capability/pipeline.ts";
import { ReceivedCapTable } from "./cap-descriptor.ts";
import type { Question } from "./question.ts";

export type Outcome = { readonly results: Payload } | { readonly error: Error };

/**
 * Results that stay here, as the peer asked (`Call.sendResultsTo.yourself`), until a Return of its says which question of ours they
 * answer. State: pending -> ready (there is an outcome, and who takes it, or nobody will) -> handed over.
 */
export class RedirectedResults {
  #outcome: Outcome | undefined;
  #taker: Question | undefined;
  /** True where the question that was to take the results was canceled. */
  isAbandoned = false;

  get taker(): Question | undefined {
    return this.#taker;
  }

  set taker(question: Question) {
    this.#taker = question;
  }

  get isThere(): boolean {
    return this.#outcome !== undefined;
  }

  get isReady(): boolean {
    return this.#outcome !== undefined && (this.#taker !== undefined || this.isAbandoned);
  }

  /** Sets the outcome, and returns where calls pipelined on it go. */
  settle(outcome: Outcome): Pipeline {
    this.#outcome = outcome;
    return "results" in outcome ? outcome.results : new BrokenClient(outcome.error);
  }

  handOver(): void {
    const outcome = this.#outcome;
    if (outcome === undefined) return;
    if ("error" in outcome) this.#taker?.takenThrew(outcome.error);
    // The taker gets a copy: its owner may release it while calls pipelined on this one are still on their way.
    else this.#taker?.taken(copyOf(outcome.results));
  }

  release(): void {
    if (this.#outcome !== undefined && "results" in this.#outcome) this.#outcome.results.release();
  }
}

const copyOf = ({ segment, position }: Payload): Payload => {
  const copy = new MessageBuilder();
  copy.arena.capTable = new ReceivedCapTable();
  // What is copied was built here, and is a tree: no depth is too deep.
  copy.copyRoot(segment, position, unlimitedNesting);
  return new Payload(copy.rootSegment, 0, defaultNestingLimit);
};
