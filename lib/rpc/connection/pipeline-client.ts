import type { CallContext } from "../capability/call-context.ts";
import type { OutgoingCall } from "../capability/request.ts";
import type { CapDescriptor, MessageTarget } from "../wire.ts";
import { closedPipeline } from "./closed-pipeline.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { Question } from "./question.ts";
import { RemoteClient } from "./remote-client.ts";

/**
 * A capability in the results of a question, by its place there. The question stays open for it; where it was canceled,
 * its id may come to mean another one, and this is broken.
 */
export class PipelineClient extends RemoteClient {
  readonly #question: Question;
  readonly #path: readonly number[];

  constructor(state: ConnectionState, question: Question, path: readonly number[]) {
    super(state);
    this.#question = question;
    this.#path = path;
  }

  override get target(): MessageTarget {
    return { which: "promisedAnswer", questionId: this.#question.id, path: this.#path };
  }

  override get descriptor(): CapDescriptor {
    return { which: "receiverAnswer", questionId: this.#question.id, path: this.#path };
  }

  override get connection(): object | null {
    return this.#question.isOpen ? this.state : null;
  }

  override get brokenBy(): Error | undefined {
    return this.#question.isOpen ? undefined : (this.state.closedBy ?? closedPipeline());
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    return this.#question.isOpen ? super.messageCall(interfaceId, methodId) : null;
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    const { brokenBy } = this;
    if (brokenBy === undefined) super.call(interfaceId, methodId, context);
    else context.threw(brokenBy);
  }

  protected override destroyed(): void {
    this.#question.pipelineClientGone();
  }
}
