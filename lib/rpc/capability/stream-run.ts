/**
 * A streaming method of a server object at work, or one that failed at once. The object gets no other call until it is done, and
 * none at all after it has failed: what follows a lost part of a stream must not be taken for the next part.
 */
export class StreamRun {
  /** What it failed with; undefined where it returned, or where its caller gave it up. A promise of that never rejects. */
  readonly failure: Error | undefined | PromiseLike<Error | undefined>;

  constructor(failure: Error | undefined | PromiseLike<Error | undefined>) {
    this.failure = failure;
  }
}
