import { expect } from "chai";
import type { Loose } from "./loose.ts";
import { testSchema } from "./rpc-messages.ts";
import { SeededRandom } from "./seeded-random.ts";
import { bootstrapOf, Servers, turn, Vats } from "./vats.ts";

const { Node } = testSchema;

/** A call that waits for the test to answer it. */
export interface Waiting {
  /** The capabilities in its params. */
  readonly first: Loose;
  /** Returns up to two capabilities. */
  reply(first?: Loose, second?: Loose): void;
}

/** Two vats, client and server, each with a bootstrap whose calls the test answers, and messages that take their time. */
export class Conversation {
  readonly servers = new Servers();
  readonly random: SeededRandom;
  readonly vats: Vats;
  /** What arrived where, in order. */
  readonly log: string[] = [];
  readonly client: Manual;
  readonly server: Manual;
  readonly toServer: Loose;
  readonly toClient: Loose;
  readonly #clients: Loose[] = [];
  readonly #calls: Loose[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.client = new Manual(this, "client");
    this.server = new Manual(this, "server");
    this.vats = new Vats({
      servers: this.servers,
      a: { bootstrap: this.client.object },
      b: { bootstrap: this.server.object },
    });
    this.toServer = this.own(bootstrapOf(this.vats.a));
    this.toClient = this.own(bootstrapOf(this.vats.b));
  }

  /** A client that is released when the conversation ends. */
  own(client: Loose): Loose {
    this.#clients.push(client);
    return client;
  }

  /** Calls with up to two capabilities; the call is given up, or its results released, when the conversation ends. */
  ask(target: Loose, first: Loose = null, second: Loose = null): Loose {
    const call = target.two({ first, second });
    this.#calls.push(call);
    return call;
  }

  /** A message whose arrival is logged. */
  order(target: Loose, n: number): void {
    const call = target.order(n);
    call.catch(() => undefined);
    this.#calls.push(call);
  }

  /** Lets some messages arrive, or none. */
  async some(): Promise<void> {
    for (let i = this.random.below(4); i > 0; i--) this.#step();
    await turn();
  }

  #step(): void {
    this.random.oneOf([this.vats.pair.a, this.vats.pair.b]).deliver(1);
  }

  /** Lets messages arrive until there is something. */
  async until<T>(find: () => T | undefined): Promise<T> {
    for (let i = 0; i < 1000; i++) {
      const found = find();
      if (found !== undefined) return found;
      this.#step();
      await turn();
    }
    return expect.fail("this never arrived");
  }

  /** Ends the conversation: everything is let go, and nothing is left. */
  async end(): Promise<void> {
    await this.vats.settle();
    for (const call of this.#calls) {
      call.catch(() => undefined);
      call[Symbol.dispose]();
    }
    for (const client of this.#clients) client.release();
    for (const manual of [this.client, this.server]) manual.end();
    await this.vats.expectEmpty();
  }
}

/** An object whose calls wait for the test. */
export class Manual {
  readonly object: Loose;
  readonly #waiting: Waiting[] = [];
  readonly #ends: (() => void)[] = [];

  constructor(of: Conversation, name: string) {
    this.object = of.servers.make({
      two_context: (context: Loose) =>
        new Promise<void>((resolve) => {
          this.#ends.push(resolve);
          const { first } = context.params;
          this.#waiting.push({
            first: first === null ? null : of.own(first.castAs(Node)),
            reply(one, other) {
              if (one !== undefined) context.results.first = one;
              if (other !== undefined) context.results.second = other;
              resolve();
            },
          });
          first?.release();
        }),
      order({ n }: Loose) {
        of.log.push(`${name} ${n}`);
        return n;
      },
    });
  }

  next(): Waiting | undefined {
    return this.#waiting.shift();
  }

  end(): void {
    for (const end of this.#ends) end();
  }
}

/** A conversation that must go well whatever the messages do in between. */
export type Scenario = (c: Conversation) => Promise<readonly string[]>;

export const logger = (c: Conversation, name: string): Loose =>
  c.servers.make({
    order({ n }: Loose) {
      c.log.push(`${name} ${n}`);
      return n;
    },
  });

const rounds = process.env.CAPSTAN_LONG === undefined ? 25 : 1000;

/** Plays a scenario with many orders of messages: its calls arrive as it says, and nothing is left of it. */
export const play = async (scenario: Scenario): Promise<void> => {
  for (let seed = 1; seed <= rounds; seed++) {
    const conversation = new Conversation(seed);
    const expected = await scenario(conversation);
    await conversation.vats.settle();
    expect(conversation.log, `seed ${seed}`).to.deep.equal(expected);
    await conversation.end();
  }
};
