import { expect } from "chai";
import type { ConnectionStats } from "../../lib/rpc/connection/connection.ts";
import { type MemoryTransport, type MemoryTransportPair, memoryTransportPair } from "../../lib/transport/memory.ts";
import { TwoPartyClient, TwoPartyServer } from "../../lib/stream-vat.ts";
import type { VatOptions } from "../../lib/two-party-vat.ts";
import type { Loose } from "./loose.ts";
import { decode, describeMessage, testSchema } from "./rpc-messages.ts";

/** A message that was sent, and by whom. */
export interface Sent {
  readonly from: "a" | "b";
  readonly message: Loose;
}

const record = (transport: MemoryTransport, from: "a" | "b", log: Sent[]): void => {
  const send = transport.send.bind(transport);
  transport.send = (segments, sent) => {
    log.push({ from, message: decode(segments.map((segment) => segment.slice())) });
    send(segments, sent);
  };
};

/** What every table of a connection that nobody uses any more looks like. */
export const emptyTables = { questions: 0, answers: 0, exports: 0, imports: 0, embargoes: 0 };

export const tablesOf = ({ questions, answers, exports, imports, embargoes }: ConnectionStats) => ({
  questions,
  answers,
  exports,
  imports,
  embargoes,
});

/** Server objects, with a count of how often each was disposed. */
export class Servers {
  readonly #disposals = new Map<object, { readonly name: string; count: number }>();

  /** An object that serves an interface with the given methods, and is expected to be disposed once. */
  make(methods: Loose = {}, type: Loose = testSchema.Node, name = `server ${this.#disposals.size}`): Loose {
    const server = new (class extends type.Server {})() as Loose;
    for (const key of Reflect.ownKeys(methods)) server[key] = methods[key];
    const entry = { name, count: 0 };
    this.#disposals.set(server, entry);
    const dispose = methods[Symbol.dispose];
    server[Symbol.dispose] = () => {
      entry.count++;
      dispose?.call(server);
    };
    return server;
  }

  isDisposed(server: object): boolean {
    return (this.#disposals.get(server)?.count ?? 0) > 0;
  }

  expectDisposed(): void {
    const wrong = [...this.#disposals.values()].filter(({ count }) => count !== 1);
    expect(
      wrong.map(({ name, count }) => `${name} was disposed ${count} times`),
      "server objects",
    ).to.deep.equal([]);
  }
}

/** Two vats over a stepped pair of transports: messages move when the test says so. */
export class Vats {
  readonly pair: MemoryTransportPair;
  readonly a: TwoPartyClient;
  readonly b: TwoPartyServer;
  /** Every message that was sent, oldest first. */
  readonly log: Sent[] = [];
  readonly servers: Servers;

  constructor(options: { readonly a?: VatOptions; readonly b?: VatOptions; readonly servers?: Servers } = {}) {
    this.servers = options.servers ?? new Servers();
    this.pair = memoryTransportPair({ mode: "stepped" });
    record(this.pair.a, "a", this.log);
    record(this.pair.b, "b", this.log);
    this.a = new TwoPartyClient(this.pair.a, options.a);
    this.b = new TwoPartyServer(this.pair.b, options.b);
  }

  /** Two vats of which b exposes a node with these methods, and a client of it in a. */
  static withNode(methods: Loose): { vats: Vats; node: Loose; server: Loose } {
    const servers = new Servers();
    const server = servers.make(methods);
    const vats = new Vats({ servers, b: { bootstrap: server } });
    return { vats, server, node: bootstrapOf(vats.a) };
  }

  server(methods: Loose = {}, type?: Loose): Loose {
    return this.servers.make(methods, type);
  }

  /** Delivers everything until both sides are quiet. */
  async settle(): Promise<void> {
    await settle(this.pair);
    this.expectConsistent();
  }

  /** Proves that no table contradicts itself or another one. */
  expectConsistent(): void {
    expect(this.a.check(), "contradictions in the tables of a").to.deep.equal([]);
    expect(this.b.check(), "contradictions in the tables of b").to.deep.equal([]);
  }

  /** The messages of one side since the last call, each in a line. */
  sent(from: "a" | "b"): string[] {
    return this.log.filter((sent) => sent.from === from).map(({ message }) => describeMessage(message));
  }

  /** The messages of a kind that were sent, in their order. */
  messages(which: string, from?: "a" | "b"): Loose[] {
    return this.log
      .filter((sent) => (from === undefined || sent.from === from) && sent.message.which() === which)
      .map(({ message }) => message[which]);
  }

  /** Proves that no table holds anything, then closes both ends and proves that every server was disposed once. */
  async expectEmpty(): Promise<void> {
    await this.settle();
    expect(tablesOf(this.a.stats()), "tables of a").to.deep.equal(emptyTables);
    expect(tablesOf(this.b.stats()), "tables of b").to.deep.equal(emptyTables);
    expect(this.messages("abort"), "aborts").to.have.lengthOf(0);
    await this.expectEmptyAfterClose();
  }

  /** The same where the connection is over already, or ends with an abort. */
  async expectEmptyAfterClose(): Promise<void> {
    const closed = Promise.all([this.a.close(), this.b.close()]);
    await this.settle();
    await closed;
    expect(tablesOf(this.a.stats()), "tables of a").to.deep.equal(emptyTables);
    expect(tablesOf(this.b.stats()), "tables of b").to.deep.equal(emptyTables);
    this.servers.expectDisposed();
  }
}

/** Lets everything that was due run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Delivers everything until both sides are quiet; as `pair.settle`, without the millisecond that a timer takes. */
export const settle = async (pair: MemoryTransportPair): Promise<void> => {
  for (let quiet = 0; quiet < 2; ) {
    quiet = pair.deliverAll() === 0 ? quiet + 1 : 0;
    await turn();
  }
};

/** What a promise rejects with. */
export const rejection = (promise: PromiseLike<unknown>): Promise<Loose> =>
  Promise.resolve(promise).then(
    () => expect.fail("this should have been rejected"),
    (error: unknown) => error,
  );

/** The bootstrap capability of a vat's peer, as a node or as what the test says. */
export const bootstrapOf = (vat: TwoPartyClient | TwoPartyServer, type: Loose = testSchema.Node): Loose =>
  vat.bootstrap(type);
