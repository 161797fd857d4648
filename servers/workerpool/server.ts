import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import * as capnp from "capstan";
import { type Compute, Pool, Thread } from "./workerpool.capnp.ts";

export interface PoolOptions {
  /** How many threads there are: at least 1. */
  readonly size: number;
  readonly logger?: Pick<capnp.Logger, "warn">;
  /** Starts a thread. Default: one that runs `worker.ts`. */
  readonly start?: () => Worker;
}

interface Member {
  readonly name: string;
  readonly worker: Worker;
  readonly vat: capnp.TwoPartyClient;
  readonly thread: Thread.Client;
  readonly startedAt: number;
  /** How many it has been given and not returned. */
  calls: number;
}

/** How many calls one thread may have; beyond it callers are told to come again later. */
const maxCalls = 100;
/** How often a call that may be made again is, where thread after thread crashes; and milliseconds for a new one to come. */
const maxAttempts = 3;
const retryDelay = 100;
/** A thread that does not live so long is replaced only then, in milliseconds: one that cannot start would be for ever. */
const shortLife = 1_000;

const startWorker = (): Worker => new Worker(new URL("./worker.js", import.meta.url));

/** Gives each call to the thread that has the least to do. One object serves everybody. */
export class PoolImpl extends Pool.Server {
  readonly #start: () => Worker;
  readonly #logger: Pick<capnp.Logger, "warn"> | undefined;
  readonly #members = new Set<Member>();
  readonly #replacements = new Set<NodeJS.Timeout>();
  #count = 0;
  #isClosed = false;

  constructor({ size, logger, start = startWorker }: PoolOptions) {
    super();
    if (!Number.isInteger(size) || size < 1) {
      throw new capnp.CapnpError("CAPNP_RANGE", `a pool has 1 thread or more, not ${size}`);
    }
    this.#start = start;
    this.#logger = logger;
    for (let i = 0; i < size; i++) this.#add();
  }

  override async countPrimes({ from, to }: Compute.CountPrimesParams.Reader, { signal }: Compute.CountPrimesContext) {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#give(async (thread) => {
          const { count } = await thread.countPrimes({ from, to }, { signal });
          return { count };
        });
      } catch (error) {
        const isLost = error instanceof capnp.CapnpError && error.kind === "disconnected";
        if (!isLost || attempt === maxAttempts) throw error;
        await sleep(retryDelay * attempt, undefined, { signal });
      }
    }
  }

  /** Not made again: its caller may have some of the rows already. */
  override async paint({ view, to }: Compute.PaintParams.Reader, { signal }: Compute.PaintContext) {
    if (to === null) throw new capnp.CapnpError("CAPNP_CALL", "there is nobody to give the rows to");
    using rows = to;
    await this.#give(async (thread) => {
      await thread.paint({ view, to: rows }, { signal });
    });
  }

  override async status() {
    const threads = [...this.#members].map(async ({ name, calls, thread }) => {
      const running = await thread.running().then(
        (results) => results.calls,
        // Lost in this moment.
        () => 0,
      );
      return { name, calls, running };
    });
    return { threads: await Promise.all(threads) };
  }

  /** Ends all threads. Calls that they have fail with `disconnected`. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#replacements) clearTimeout(timer);
    await Promise.all([...this.#members].map(({ worker }) => worker.terminate()));
  }

  async #give<T>(work: (thread: Thread.Client) => Promise<T>): Promise<T> {
    const member = this.#leastBusy();
    member.calls++;
    try {
      return await work(member.thread);
    } finally {
      member.calls--;
    }
  }

  #leastBusy(): Member {
    // One that has crashed is known to be lost before its end is told.
    const [first, ...others] = [...this.#members].filter(({ vat }) => vat.closedBy === undefined);
    if (first === undefined) throw new capnp.CapnpError("CAPNP_DISCONNECTED", "no thread of the pool is running");
    const member = others.reduce((least, other) => (other.calls < least.calls ? other : least), first);
    if (member.calls < maxCalls) return member;
    throw new capnp.CapnpError("CAPNP_LIMIT", `each thread of the pool has ${maxCalls} calls: try again later`);
  }

  #add(): void {
    const name = `thread ${++this.#count}`;
    const worker = this.#start();
    const transport = capnp.messagePortTransport(worker, {
      peer: { address: name, encrypted: false, authenticated: false },
    });
    const vat = new capnp.TwoPartyClient(transport);
    const member = { name, worker, vat, thread: vat.bootstrap(Thread), startedAt: performance.now(), calls: 0 };
    this.#members.add(member);
    worker.once("exit", (code) => this.#lost(member, code));
    // A thread that cannot be talked to is of no use.
    void vat.closed.then(() => worker.terminate());
  }

  #lost(member: Member, code: number): void {
    this.#members.delete(member);
    if (this.#isClosed) return;
    this.#logger?.warn(
      { thread: member.name, code, calls: member.calls },
      "a thread has ended; another one is started",
    );
    if (performance.now() - member.startedAt > shortLife) {
      this.#add();
      return;
    }
    const timer = setTimeout(() => {
      this.#replacements.delete(timer);
      this.#add();
    }, shortLife);
    this.#replacements.add(timer);
  }
}
