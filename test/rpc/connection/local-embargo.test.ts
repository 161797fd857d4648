import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { bootstrapOf, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

/** A call that waits for the test to answer it. */
interface Waiting {
  /** The capabilities in its params. */
  readonly first: Loose;
  /** Returns up to two capabilities. */
  reply(first?: Loose, second?: Loose): void;
}

/** Two vats, client and server, each with a bootstrap whose calls the test answers, and messages that take their time. */
class Conversation {
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
class Manual {
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
type Scenario = (c: Conversation) => Promise<readonly string[]>;

const logger = (c: Conversation, name: string): Loose =>
  c.servers.make({
    order({ n }: Loose) {
      c.log.push(`${name} ${n}`);
      return n;
    },
  });

const scenarios: Record<string, Scenario> = {
  "keeps the order where an object is given back while calls are on their way": async (c) => {
    const asked = c.ask(c.toServer, logger(c, "mine"));
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    call.reply(call.first);
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "keeps the order where the results are those of a call back that has not returned": async (c) => {
    const registry = new Manual(c, "registry");
    const asked = c.ask(c.toServer, registry.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    call.reply(back.first);
    const inner = await c.until(() => registry.next());
    await c.some();
    inner.reply(logger(c, "mine"));
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "keeps the order where a promise in the results resolves to the receiver's own object": async (c) => {
    const asked = c.ask(c.toServer, logger(c, "mine"));
    const call = await c.until(() => c.server.next());
    const promise = deferred();
    call.reply(promise.promise);
    await c.some();
    c.order(asked.first, 1);
    await c.some();
    promise.resolve(call.first);
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "does not put one on what turns out to hold no capability": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    (await c.until(() => c.client.next())).reply(null, null);
    await turn();
    // The server does not know of the answer yet when it names it; the client, which hears of that, does.
    call.reply(back.second);
    await c.vats.settle();
    expect(c.vats.messages("disembargo")).to.have.lengthOf(0);
    c.order(asked.first, 2);
    return [];
  },

  "puts one on a promise at the peer that was reached by a pipeline when it resolves to an object here": async (c) => {
    const asked = c.ask(c.toServer, logger(c, "mine"));
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const promise = deferred();
    call.reply(promise.promise);
    await c.vats.settle();
    promise.resolve(call.first);
    await c.some();
    c.order(asked.first, 2);
    return ["mine 1", "mine 2"];
  },

  "puts one on what leads back to the peer by way of an answer here": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    call.reply(back.first);
    const inner = await c.until(() => c.client.next());
    await c.some();
    inner.reply(c.toServer);
    await c.some();
    c.order(asked.first, 2);
    return ["server 1", "server 2"];
  },

  "waits for a promise here that the peer's answer leads to": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    c.order(asked.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    call.reply(back.first);
    const inner = await c.until(() => c.client.next());
    const promise = deferred();
    inner.reply(promise.promise);
    await c.some();
    c.order(asked.first, 2);
    await c.some();
    promise.resolve(logger(c, "mine"));
    await c.some();
    c.order(asked.first, 3);
    return ["mine 1", "mine 2", "mine 3"];
  },

  "keeps the order where that promise resolves to one at the peer": async (c) => {
    const asked = c.ask(c.toServer, c.client.object);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    const inner = await c.until(() => c.client.next());
    const promise = deferred();
    inner.reply(promise.promise);
    await c.some();
    call.reply(back.first);
    const third = c.ask(c.toServer);
    c.order(asked.first, 1);
    promise.resolve(third.first);
    await c.some();
    c.order(asked.first, 2);
    const last = await c.until(() => c.server.next());
    await c.some();
    last.reply(logger(c, "theirs"));
    await c.some();
    c.order(asked.first, 3);
    return ["theirs 1", "theirs 2", "theirs 3"];
  },

  "keeps the order where the way leads back and forth between the vats": async (c) => {
    const first = c.ask(c.toServer);
    const second = c.ask(c.toServer);
    const [one, two] = [await c.until(() => c.server.next()), await c.until(() => c.server.next())];
    const back = c.ask(c.toClient);
    const inner = await c.until(() => c.client.next());
    inner.reply(first.first);
    one.reply(c.toClient);
    two.reply(back.first);
    c.order(second.first, 1);
    await c.some();
    c.order(second.first, 2);
    await c.some();
    c.order(second.first, 3);
    return ["client 1", "client 2", "client 3"];
  },

  "puts one on the results of a call that was passed back to where it came from": async (c) => {
    const manual = new Manual(c, "mine");
    const echo = c.ask(c.toServer, manual.object);
    const passed = c.ask(echo.first);
    c.order(passed.first, 1);
    const call = await c.until(() => c.server.next());
    call.reply(call.first);
    const inner = await c.until(() => manual.next());
    await c.some();
    inner.reply(manual.object);
    await c.some();
    c.order(passed.first, 2);
    return ["mine 1", "mine 2"];
  },

  "is lifted where what it waits for has turned out to be at the peer": async (c) => {
    const first = c.ask(c.toServer);
    const again = c.own(bootstrapOf(c.vats.a));
    const back = c.ask(c.toClient);
    const call = await c.until(() => c.server.next());
    call.reply(back.first);
    c.order(first.first, 1);
    const inner = await c.until(() => c.client.next());
    inner.reply(again);
    await c.some();
    c.order(first.first, 2);
    return ["server 1", "server 2"];
  },

  "ends with an error where a promise leads to a place in the results of the call that it was given to": async (c) => {
    const promise = deferred();
    const first = c.ask(c.toServer, promise.promise);
    promise.resolve(first.second.castAs(Node));
    c.order(first.first, 1);
    const call = await c.until(() => c.server.next());
    const back = c.ask(call.first);
    back.catch(() => undefined);
    call.reply(back.first);
    await c.some();
    c.order(first.first, 2);
    return [];
  },

  "is not put on what has broken in the meantime": async (c) => {
    const first = c.ask(c.toClient, Promise.reject(new Error("broken")));
    const second = c.ask(c.toServer);
    c.order(second.first, 1);
    const inner = await c.until(() => c.client.next());
    inner.reply(inner.first);
    const call = await c.until(() => c.server.next());
    call.reply(first.first);
    await c.some();
    c.order(second.first, 2);
    return [];
  },

  "is put on one place in the results, and leaves another that holds nothing alone": async (c) => {
    const first = c.ask(c.toServer);
    (await c.until(() => c.server.next())).reply(c.toClient);
    const second = c.ask(first.first);
    const call = await c.until(() => c.client.next());
    c.order(second.second, 0);
    await c.some();
    c.order(second.first, 1);
    call.reply(c.toServer);
    await c.some();
    c.order(second.first, 2);
    return ["server 1", "server 2"];
  },

  "keeps the order where promises of both vats lead to each other, and one of them to an object": async (c) => {
    const first = c.ask(c.toServer);
    await c.vats.settle();
    const second = c.ask(c.toClient);
    const third = c.ask(c.toClient);
    await c.vats.settle();
    const [one, two, three] = [c.server.next(), c.client.next(), c.client.next()] as Waiting[];
    one?.reply(third.first);
    two?.reply(first.first);
    c.order(second.first, 1);
    await c.some();
    c.order(second.first, 2);
    const promise = deferred();
    three?.reply(promise.promise);
    promise.resolve(c.toServer);
    await c.some();
    c.order(second.first, 3);
    return ["server 1", "server 2", "server 3"];
  },
};

const rounds = process.env.CAPSTAN_LONG === undefined ? 25 : 1000;

describe("an embargo, however the messages around it arrive", () => {
  const run = async (scenario: Scenario): Promise<void> => {
    for (let seed = 1; seed <= rounds; seed++) {
      const conversation = new Conversation(seed);
      const expected = await scenario(conversation);
      await conversation.vats.settle();
      expect(conversation.log, `seed ${seed}`).to.deep.equal(expected);
      await conversation.end();
    }
  };

  for (const [title, scenario] of Object.entries(scenarios)) it(title, () => run(scenario));
});
