/**
 * How many bytes of one stream may be under way. Messages are sent at once whatever it says, because a later call must not
 * overtake them: the window holds back the promise that tells the sender to go on.
 */
export interface FlowWindow {
  /** The size now, in bytes. */
  readonly size: number;
  /** A message is sent while so many bytes, its own included, are under way. What it returns comes back with `acked`. */
  sent(bytes: number, inFlight: number): unknown;
  /** A message was returned. Not called for one that failed or was given up. */
  acked(bytes: number, sent: unknown): void;
}

/**
 * How many streaming calls may be under way on one connection, those of all its streams together: a peer serves so many
 * calls at once and refuses the rest, which would break the stream that they are of.
 */
export class CallBudget {
  readonly #limit: number;
  #underWay = 0;
  /** What to do for those who wait, when there is room again. */
  readonly #waiting = new Set<() => void>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get hasRoom(): boolean {
    return this.#underWay < this.#limit;
  }

  begin(): void {
    this.#underWay++;
  }

  end(): void {
    this.#underWay--;
    if (this.hasRoom) for (const wake of this.#waiting) wake();
  }

  wait(wake: () => void): void {
    this.#waiting.add(wake);
  }

  stopWaiting(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}

/** Who sent a message and waits for room behind it; told once. */
export interface RoomListener {
  room(): void;
  failed(error: Error): void;
}

/** What became of a message of the stream; exactly one of these, once. */
export interface Flight {
  acked(): void;
  /** The callee threw, or is gone: the stream is broken from here on. */
  failed(error: Error): void;
  /** The sender gave the message up: its bytes are under way no longer, and the stream goes on. */
  givenUp(): void;
}

/**
 * Flow control of one stream: all streaming calls that go to one capability at a peer.
 *
 * State: running -> failed (a call failed; all who wait and all who send later get its error, for a stream with a hole in it
 * is worth nothing). What is under way returns in any order and in both states.
 *
 * The window is extended by the largest message so far: where messages are larger than the window, a sender that had to wait
 * for each to return would leave the connection idle for a round trip each time.
 */
export class FlowController {
  readonly #window: FlowWindow;
  readonly #budget: CallBudget;
  #inFlight = 0;
  #largest = 0;
  #failure: Error | undefined;
  #waiting: RoomListener[] = [];

  constructor(window: FlowWindow, budget: CallBudget = new CallBudget(Number.POSITIVE_INFINITY)) {
    this.#window = window;
    this.#budget = budget;
  }

  /** Bytes that were sent and have not returned. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** How many senders wait for room. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Counts a message that is sent now. The listener hears at once where there is room, or where the stream has failed. */
  send(bytes: number, listener: RoomListener): Flight {
    this.#inFlight += bytes;
    this.#budget.begin();
    if (bytes > this.#largest) this.#largest = bytes;
    const sent = this.#window.sent(bytes, this.#inFlight);
    if (this.#failure !== undefined) listener.failed(this.#failure);
    else if (this.#hasRoom) listener.room();
    else {
      this.#waiting.push(listener);
      this.#budget.wait(this.#wake);
    }
    return {
      acked: () => {
        this.#inFlight -= bytes;
        this.#window.acked(bytes, sent);
        this.#wake();
        this.#budget.end();
      },
      failed: (error) => {
        this.#inFlight -= bytes;
        this.fail(error);
        this.#budget.end();
      },
      givenUp: () => {
        this.#inFlight -= bytes;
        this.#waiting = this.#waiting.filter((one) => one !== listener);
        this.#wake();
        this.#budget.end();
      },
    };
  }

  get #hasRoom(): boolean {
    if (!this.#budget.hasRoom) return false;
    return this.#inFlight <= this.#largest || this.#inFlight < this.#window.size + this.#largest;
  }

  /** Those who hear of room may send again, and fill the window, at once: all are told that there was some. */
  readonly #wake = (): void => {
    if (this.#waiting.length === 0) this.#budget.stopWaiting(this.#wake);
    else if (this.#hasRoom) for (const listener of this.#released()) listener.room();
  };

  /** Those who waited until now. */
  #released(): readonly RoomListener[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#budget.stopWaiting(this.#wake);
    return waiting;
  }

  /** A message of the stream will not arrive. */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    for (const listener of this.#released()) listener.failed(error);
  }
}
