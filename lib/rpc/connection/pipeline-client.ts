import type { CallContext } from "../capability/call-context.ts";
import type { OutgoingCall } from "../capability/request.ts";
import type { CapDescriptor, MessageTarget } from "../wire.ts";
import { closedPipeline } from "./closed-pipeline.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { ImportClient } from "./import-client.ts";
import type { Question } from "./question.ts";
import { RemoteClient } from "./remote-client.ts";

/**
 * A capability in the results of a question, by its place there. The question stays open for it; where it was canceled,
 * its id may come to mean another one, and this is broken.
 *
 * State: pending -> settled, where the results have come and the peer itself hosts what is at the place. Calls take the same way
 * by either name, and arrive in their order: the question is not needed any more. Two vats whose results hold places in each
 * other's would keep them forever, each until the other has finished.
 */
export class PipelineClient extends RemoteClient {
  readonly #question: Question;
  readonly #path: readonly number[];
  /** What is at the place. Owned. */
  #settled: ImportClient | undefined;

  constructor(state: ConnectionState, question: Question, path: readonly number[]) {
    super(state);
    this.#question = question;
    this.#path = path;
  }

  /** What the peer hosts is at the place. Takes over the reference. */
  settle(at: ImportClient): void {
    this.#settled = at;
    this.#question.pipelineClientGone();
  }

  override get target(): MessageTarget {
    return this.#settled?.target ?? { which: "promisedAnswer", questionId: this.#question.id, path: this.#path };
  }

  override get descriptor(): CapDescriptor {
    return this.#settled?.descriptor ?? { which: "receiverAnswer", questionId: this.#question.id, path: this.#path };
  }

  get #isOpen(): boolean {
    return this.#settled === undefined ? this.#question.isOpen : this.state.closedBy === undefined;
  }

  override get connection(): object | null {
    return this.#isOpen ? this.state : null;
  }

  override get brokenBy(): Error | undefined {
    return this.#isOpen ? undefined : (this.state.closedBy ?? closedPipeline());
  }

  override messageCall(interfaceId: bigint, methodId: number): OutgoingCall | null {
    return this.#isOpen ? super.messageCall(interfaceId, methodId) : null;
  }

  override call(interfaceId: bigint, methodId: number, context: CallContext): void {
    const { brokenBy } = this;
    if (brokenBy === undefined) super.call(interfaceId, methodId, context);
    else context.threw(brokenBy);
  }

  protected override destroyed(): void {
    if (this.#settled === undefined) this.#question.pipelineClientGone();
    else this.#settled.release();
  }
}
