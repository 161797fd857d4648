import { setTimeout as sleep } from "node:timers/promises";
import { Example } from "./thread.capnp.ts";

/** Takes its time, and tells its subscribers. */
export class ExampleImpl extends Example.Server {
  readonly #pace: number;

  /** @param pace Milliseconds that a long call takes, and between two pieces of news. */
  constructor(pace = 500) {
    super();
    this.#pace = pace;
  }

  override async longRunning() {
    await sleep(this.#pace);
    return { value: true };
  }

  override subscribeStatus({ subscriber }: Example.SubscribeStatusParams.Reader) {
    if (subscriber === null) throw new Error("there is no subscriber");
    void this.#tell(subscriber);
  }

  override alive() {
    return { value: true };
  }

  /** Ends when the subscriber cannot be reached any more: its connection is over then. */
  async #tell(subscriber: Example.StatusSubscriber.Client): Promise<void> {
    using held = subscriber;
    try {
      for (;;) {
        await held.status({ value: true });
        await sleep(this.#pace);
      }
    } catch {
      // It does not want to be told, or is gone: either way it is not told any more.
    }
  }
}
