import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { ensureCertificates } from "../../certs/make.ts";
import { type BalancePolicy, CapnpError, connect, type RpcClient } from "../../lib/index.ts";
import { Ledger } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";
import { Processes, type RunningProcess } from "../support/processes.ts";

const script = fileURLToPath(new URL("./rolling-server.js", import.meta.url));

export interface RollingRestart {
  readonly scheme: "tcp" | "tls";
  readonly balance: BalancePolicy;
  /** Whether servers are asked to drain (SIGTERM), or die without a word (SIGKILL). */
  readonly end: "drain" | "kill";
  readonly servers: number;
  /** How often all servers are restarted, one by one. */
  readonly rounds: number;
  /** Calls that are under way at any time. */
  readonly load: number;
  /** The longest wait for a server that is not back yet; by default the client's own. */
  readonly maxDelay?: number;
}

/** What became of the calls. */
export interface RollingOutcome {
  /** Calls of an idempotent method that returned; and, as they failed, those that did not. */
  readonly looked: number;
  readonly lookFailures: readonly unknown[];
  /** The same of calls that must not be made twice. */
  readonly added: readonly number[];
  readonly addFailures: ReadonlyMap<number, unknown>;
  /** How often the servers made each of the latter. */
  readonly madeAdds: ReadonlyMap<number, number>;
  /** Calls that each server made after it was last started. */
  readonly madeSince: readonly number[];
}

/** One server: a process that is replaced by another one at the same address. */
class Place {
  readonly #processes: Processes;
  readonly #file: string;
  #process!: RunningProcess;
  address: string;

  constructor(processes: Processes, scheme: string, file: string) {
    this.#processes = processes;
    this.#file = file;
    this.address = `${scheme}://127.0.0.1:0`;
  }

  async start(): Promise<void> {
    this.#process = this.#processes.start(process.execPath, [script, this.address, this.#file]);
    const [, address] = await this.#process.line(/^listening on (.*)$/);
    this.address = address as string;
  }

  async end(how: "drain" | "kill"): Promise<void> {
    if (how === "kill") {
      await this.#process.kill();
      return;
    }
    await this.#process.stop();
    const { status, stderr } = await this.#process.finished();
    expect(stderr).to.equal("");
    expect(status, "the status of a server that was told to drain").to.equal(0);
  }

  /** The calls that it made, as `add 5` or `look 6`, in their order; those of the processes before this one, too. */
  get made(): readonly string[] {
    // A server that no call came to has written nothing.
    return existsSync(this.#file) ? readFileSync(this.#file, "utf8").trimEnd().split("\n") : [];
  }
}

/** Makes calls, so many at a time, until it is told to stop. */
class Load {
  readonly added: number[] = [];
  readonly addFailures = new Map<number, unknown>();
  looked = 0;
  readonly lookFailures: unknown[] = [];
  #next = 0;
  #isStopped = false;
  readonly #lanes: Promise<unknown>;

  constructor(ledger: Loose, lanes: number) {
    this.#lanes = Promise.all(Array.from({ length: lanes }, () => this.#run(ledger)));
  }

  async #run(ledger: Loose): Promise<void> {
    while (!this.#isStopped) {
      const call = ++this.#next;
      if (call % 2 === 0) {
        await ledger.look({ call }).then(
          () => this.looked++,
          (error: unknown) => this.lookFailures.push(error),
        );
      } else {
        await ledger.add({ call }).then(
          () => this.added.push(call),
          (error: unknown) => this.addFailures.set(call, error),
        );
      }
    }
  }

  /** Resolves when so many more calls have returned. */
  async returns(count: number): Promise<void> {
    const enough = this.looked + this.added.length + count;
    while (this.looked + this.added.length < enough) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#lanes;
  }
}

/** Restarts the servers of one client, which makes calls all the while, one by one. */
export const rollingRestart = async (options: RollingRestart): Promise<RollingOutcome> => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-rolling-"));
  const processes = new Processes();
  let client: RpcClient | undefined;
  let load: Load | undefined;
  try {
    const places = Array.from(
      { length: options.servers },
      (_, index) => new Place(processes, options.scheme, join(folder, `${index}.log`)),
    );
    const { ca } = await ensureCertificates();
    await Promise.all(places.map((place) => place.start()));
    client = await connect(
      places.map(({ address }) => address),
      {
        balance: options.balance,
        reconnect: { maxDelay: options.maxDelay ?? 30_000 },
        ...(options.scheme === "tls" ? { tls: { ca } } : {}),
      },
    );
    const sessions = options.balance === "round-robin" ? options.servers : 1;
    const allStand = async (): Promise<void> => {
      while (client?.sessions.length !== sessions) await new Promise((resolve) => setTimeout(resolve, 2));
    };
    load = new Load(client.bootstrap(Ledger as never), options.load);
    let before: number[] = [];
    for (let round = 0; round < options.rounds; round++) {
      before = [];
      for (const place of places) {
        await allStand();
        await load.returns(options.load * 4);
        await place.end(options.end);
        before.push(place.made.length);
        await load.returns(options.load);
        await place.start();
      }
    }
    await allStand();
    await load.returns(options.load * 8);
    await load.stop();
    expect(client.check(), "contradictions in the tables").to.deep.equal([]);
    const madeAdds = new Map<number, number>();
    for (const line of places.flatMap(({ made }) => made)) {
      const [method, call] = line.split(" ") as [string, string];
      if (method === "add") madeAdds.set(Number(call), (madeAdds.get(Number(call)) ?? 0) + 1);
    }
    const { looked, lookFailures, added, addFailures } = load;
    const madeSince = places.map(({ made }, index) => made.length - (before[index] as number));
    return { looked, lookFailures, added, addFailures, madeAdds, madeSince };
  } finally {
    const stopped = load?.stop();
    await client?.close();
    await stopped;
    await processes.stop();
    rmSync(folder, { recursive: true });
  }
};

/** The promises that hold however the servers end. */
export const expectKept = ({ balance, end }: RollingRestart, outcome: RollingOutcome): void => {
  const { looked, lookFailures, added, addFailures, madeAdds, madeSince } = outcome;
  expect(lookFailures, "failed calls of a method that is marked idempotent").to.deep.equal([]);
  expect(looked).to.be.greaterThan(0);
  for (const [call, error] of addFailures) {
    expect(error, `call ${call}`).to.be.instanceOf(CapnpError).and.to.include({ kind: "disconnected" });
  }
  const twice = [...madeAdds].filter(([, count]) => count > 1);
  expect(twice, "calls that were made more than once").to.deep.equal([]);
  expect(
    added.filter((call) => !madeAdds.has(call)),
    "calls that returned and were not made",
  ).to.deep.equal([]);
  if (end === "drain") {
    // A server that drains answers every call that it has begun.
    const unanswered = [...madeAdds.keys()].filter((call) => addFailures.has(call));
    expect(unanswered, "calls that were made by a server that drained, and failed").to.deep.equal([]);
  }
  if (balance === "round-robin") {
    expect(Math.min(...madeSince), "calls that came to a server after its restart").to.be.greaterThan(0);
  }
};
