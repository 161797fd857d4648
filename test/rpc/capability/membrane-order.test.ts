import { expect } from "chai";
import { membrane } from "../../../lib/membrane.ts";
import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { bootstrapOf, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

/** A reference that is held, and the calls that were made through it. */
interface Held {
  readonly client: Loose;
  readonly id: number;
  calls: number;
}

/**
 * A world of one membrane, of which one side or both may be another vat: capabilities cross it to and fro, as promises and
 * resolved, and are called on the way.
 */
const play = async (seed: number): Promise<void> => {
  const random = new SeededRandom(seed);
  const servers = new Servers();
  const arrived = new Map<number, number[]>();
  const recorder = () =>
    servers.make({
      divide: ({ a, b }: Loose) => {
        const calls = arrived.get(a) ?? [];
        arrived.set(a, [...calls, b]);
        return [a, b];
      },
    });
  const echo = servers.make({
    echo: async ({ cap }: Loose) => {
      for (let i = random.below(3); i > 0; i--) await Promise.resolve();
      return cap;
    },
    make: recorder,
  });
  const inside = new Node.Client(echo);
  const guarded: Loose = membrane(inside, {});
  const vats = random.below(2) === 0 ? undefined : new Vats({ servers, b: { bootstrap: guarded } });
  const entrance = vats === undefined ? guarded : bootstrapOf(vats.a);
  const settle = async (): Promise<void> => {
    await vats?.settle();
    await turn();
  };

  const held: Held[] = [];
  const disposables: Loose[] = [];
  const answers: Promise<unknown>[] = [];
  let id = 0;
  const hold = (client: Loose): void => {
    held.push({ client, id: id++, calls: 0 });
  };
  hold(new Node.Client(recorder()));
  for (let step = 0; step < 40; step++) {
    const one = held[random.below(held.length)] as Held;
    switch (random.below(6)) {
      case 0: {
        const call = entrance.echo(one.client);
        disposables.push(call);
        hold(call.cap);
        break;
      }
      case 1: {
        const call = entrance.make("x");
        disposables.push(call);
        hold(call.node);
        break;
      }
      case 2:
        if (random.below(3) === 0) await settle();
        else vats?.pair.step();
        break;
      default: {
        answers.push(Promise.resolve(one.client.divide(one.id, one.calls++)));
      }
    }
  }
  await settle();
  await Promise.all(answers);
  for (const one of held) {
    const expected = Array.from({ length: one.calls }, (_, i) => i);
    expect(arrived.get(one.id) ?? [], `calls through reference ${one.id}`).to.deep.equal(expected);
  }
  for (const one of [...held.map(({ client }) => client), ...disposables]) one[Symbol.dispose]();
  if (vats !== undefined) entrance.release();
  for (const one of [guarded, inside]) one.release();
  await settle();
  if (vats === undefined) servers.expectDisposed();
  else await vats.expectEmpty();
};

describe("random conversations through a membrane", () => {
  it("keep the order of the calls through each reference, and lose none of them", async function () {
    this.timeout(60_000);
    const start = Number(process.env.CAPSTAN_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const worlds = process.env.CAPSTAN_SEED === undefined ? 60 : 1;
    for (let seed = start; seed < start + worlds; seed++) {
      try {
        await play(seed);
      } catch (error) {
        (error as Error).message = `CAPSTAN_SEED=${seed}\n${(error as Error).message}`;
        throw error;
      }
    }
  });
});
