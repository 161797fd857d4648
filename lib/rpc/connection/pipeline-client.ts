import type { CapDescriptor, MessageTarget } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { QuestionId } from "./ids.ts";
import { RemoteClient } from "./remote-client.ts";

/** A capability in the results of a question that the peer has not answered yet. */
export class PipelineClient extends RemoteClient {
  readonly #question: QuestionId;
  readonly #path: readonly number[];

  constructor(state: ConnectionState, question: QuestionId, path: readonly number[]) {
    super(state);
    this.#question = question;
    this.#path = path;
  }

  override get target(): MessageTarget {
    return { which: "promisedAnswer", questionId: this.#question, path: this.#path };
  }

  override get descriptor(): CapDescriptor {
    return { which: "receiverAnswer", questionId: this.#question, path: this.#path };
  }

  protected override destroyed(): void {
    // The question is finished by its own rules.
  }
}
