import { expect } from "chai";
import { CapnpError, connect, type RpcClient } from "../../lib/index.ts";
import type { RpcServer } from "../../lib/rpc-server.ts";
import { type Fault, FaultyProxy } from "../support/faulty-proxy.ts";
import { Book, Ledger, Watcher } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";
import { SeededRandom } from "../support/seeded-random.ts";

/** A dead peer is found within 160 ms; nothing waits for a connection for more than 3 s. */
const options = {
  reconnect: { minDelay: 1, maxDelay: 20, waitTimeout: 3_000 },
  keepalive: { idle: 80, timeout: 80 },
  connectTimeout: 250,
  closeTimeout: 50,
};

/** Longer than any call can take, however slow the machine is. */
const tooLong = 8_000;

type Method = "add" | "look" | "entry";

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Which calls there were, and what became of them. */
class Calls {
  readonly #ledger: Loose;
  readonly #book: Book;
  readonly #open = new Set<number>();
  readonly #all: Promise<void>[] = [];
  #next = 1;
  returned = 0;
  lost = 0;

  constructor(ledger: Loose, book: Book) {
    this.#ledger = ledger;
    this.#book = book;
  }

  make(method: Method): void {
    const call = this.#next++;
    this.#open.add(call);
    const followed = this.#follow(call, method).finally(() => this.#open.delete(call));
    // What went wrong is told by `settle`.
    followed.catch(() => undefined);
    this.#all.push(followed);
  }

  async #follow(call: number, method: Method): Promise<void> {
    try {
      if (method === "entry") {
        const { entry } = await this.#ledger.entry({ call });
        expect((await entry.read()).call).to.equal(call);
        entry.release();
      } else {
        const { made } = await this.#ledger[method]({ call });
        expect(made, `call ${call} has returned this count`).to.equal(this.#book.count(call));
      }
      this.returned++;
      expect(this.#book.count(call), `call ${call} has returned without being made`).to.be.at.least(1);
    } catch (error) {
      if (!(error instanceof CapnpError)) throw error;
      expect(error.kind, `${method} ${call}: ${error.stack}`).to.equal("disconnected");
      this.lost++;
    }
    expect(this.#book.count(call), `${method} ${call} was made`).to.be.at.most(method === "add" ? 1 : 3);
  }

  /** Waits for all of them; one that hangs fails the test. */
  async settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`calls ${[...this.#open].join(", ")} hang`)), tooLong);
    });
    await Promise.race([Promise.all(this.#all), late]);
    clearTimeout(timer);
  }
}

const randomFault = (random: SeededRandom): Fault => {
  switch (random.below(8)) {
    case 0:
      return { kind: "delay", milliseconds: random.below(15) };
    case 1:
      return { kind: "dribble", bytes: 1 + random.below(40) };
    case 2:
    case 3:
      return { kind: "cut", after: random.below(600) };
    case 4:
    case 5:
      return { kind: "cutAnswers", after: random.below(600) };
    case 6:
      return { kind: "halfOpen" };
    default:
      return { kind: "blackHole" };
  }
};

/** One run: a client makes calls while the network and the server do their worst; then they are good again. */
export const chaosRun = async (seed: number): Promise<{ readonly returned: number; readonly lost: number }> => {
  const random = new SeededRandom(seed);
  const book = new Book();
  let server: RpcServer = await book.listen();
  const proxy = await FaultyProxy.listen(() => server.port as number);
  const told = new Set<number>();
  class Told extends Watcher.Server {
    made({ call }: Loose) {
      told.add(call);
    }
  }
  let client: RpcClient | undefined;
  try {
    client = await connect(proxy.address, {
      ...options,
      reconnect: { ...options.reconnect, random: () => random.below(1_000) / 1_000 },
      onSession: async (session) => {
        await (session.bootstrap(Ledger as never) as Loose).watch({ watcher: new Told() });
      },
    });
    const ledger = client.bootstrap(Ledger as never) as Loose;
    const calls = new Calls(ledger, book);
    for (let step = 0; step < 12; step++) {
      const method = random.oneOf<Method>(["add", "add", "add", "look", "entry"]);
      for (let i = random.below(6); i >= 0; i--) calls.make(method);
      const deed = random.below(10);
      if (deed < 5) proxy.fault = randomFault(random);
      else if (deed < 7) proxy.fault = { kind: "none" };
      else if (deed === 7) proxy.reset();
      else if (deed === 8) {
        await server.close();
        await pause(random.below(10));
        server = await book.listen();
      }
      await pause(random.below(25));
    }
    proxy.fault = { kind: "none" };
    await calls.settle();
    await comesBack(client, ledger, told);
    expect(client.check(), "contradictions in the tables").to.deep.equal([]);
    ledger.release();
    return calls;
  } finally {
    await client?.close();
    await proxy.close();
    await server.close();
  }
};

/** Calls return again, and those who subscribed in `onSession` are told again. */
const comesBack = async (client: RpcClient, ledger: Loose, told: ReadonlySet<number>): Promise<void> => {
  const until = Date.now() + tooLong;
  for (let call = 1_000_000; ; call++) {
    expect(Date.now(), `the client does not come back; it is ${client.state}`).to.be.below(until);
    try {
      await ledger.add({ call });
    } catch (error) {
      // A connection that was cut before may be found out only now.
      expect(error).to.include({ kind: "disconnected" });
      continue;
    }
    for (let looks = 0; looks < 50 && !told.has(call); looks++) await pause(2);
    if (told.has(call)) return;
  }
};
