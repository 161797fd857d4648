import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { turn } from "../../support/vats.ts";
import { verifyQuiet } from "./invariants.ts";
import type { Link } from "./link.ts";
import { type Place, places } from "./places.ts";
import { Cell, doubtOf, type Edge } from "./shadow.ts";
import type { Handle, Reference, World } from "./world.ts";

const { Node } = testSchema;

/** One of a list, rather a new one than an old one. */
const recent = <T>(list: readonly T[], random: SeededRandom): T | undefined => {
  const draw = random.below(1000) / 1000;
  return list[list.length - 1 - Math.floor(draw ** 3 * list.length)];
};

interface Action {
  readonly weight: number;
  /** True where it may make a call fail. */
  readonly harms?: boolean;
  /** Where there is a malicious vat. */
  readonly isMalicious?: boolean;
  act(world: World, vat: number, random: SeededRandom): void | Promise<void>;
}

const params = (world: World, vat: number, random: SeededRandom): Map<Place, { client: Loose; edge: Edge }> => {
  const given = new Map<Place, { client: Loose; edge: Edge }>();
  for (let count = random.below(4); count > 0; count--) {
    const one = recent(world.held[vat] as Reference[], random);
    if (one !== undefined) given.set(random.oneOf(places), one);
  }
  return given;
};

const handleOf = (world: World, vat: number, random: SeededRandom): Handle | undefined => {
  const own = world.handles.filter((handle) => handle.vat === vat);
  return own[random.below(own.length)];
};

const standing = (world: World, random: SeededRandom): Link | undefined => {
  const links = world.links.filter(({ isCut }) => !isCut);
  return links[random.below(links.length)];
};

const actions: Record<string, Action> = {
  order: {
    weight: 30,
    act(world, vat, random) {
      const on = recent(world.held[vat] as Reference[], random);
      if (on === undefined) return;
      for (let count = 1 + random.below(2); count > 0; count--) world.order(on);
    },
  },
  pack: {
    weight: 22,
    act(world, vat, random) {
      const on = recent(world.held[vat] as Reference[], random);
      if (on === undefined) return;
      const abort = random.oneIn(8) ? new AbortController() : undefined;
      const handle = world.pack(on, params(world, vat, random), { seed: random.below(2 ** 32) }, abort);
      for (let count = random.below(3); count > 0; count--) {
        const place = random.oneOf(places);
        if (!handle.pipelined.has(place)) world.pipelineOf(handle, place);
      }
    },
  },
  packForPipeline: {
    weight: 3,
    act(world, vat, random) {
      const on = recent(world.held[vat] as Reference[], random);
      if (on === undefined) return;
      const handle = world.packForPipeline(on, params(world, vat, random), { seed: random.below(2 ** 32) });
      world.pipelineOf(handle, random.oneOf(places));
    },
  },
  pipeline: {
    weight: 6,
    act(world, vat, random) {
      const handle = handleOf(world, vat, random);
      const place = random.oneOf(places);
      if (handle !== undefined && !handle.pipelined.has(place) && !handle.read.has(place))
        world.pipelineOf(handle, place);
    },
  },
  read: {
    weight: 6,
    act(world, _vat, random) {
      const handle = recent(
        world.handles.filter(({ results, read }) => results !== undefined && read.size < places.length),
        random,
      );
      if (handle === undefined) return;
      const asked = [...handle.pipelined.keys()].filter((place) => !handle.read.has(place));
      const place = asked.length > 0 && random.below(4) > 0 ? random.oneOf(asked) : random.oneOf(places);
      const read = world.read(handle, place);
      if (read !== undefined && random.below(2) === 0) world.order(read);
    },
  },
  make: {
    weight: 3,
    act(world, vat) {
      const object = world.makeObject(vat);
      world.hold(vat, new Node.Client(object), { to: object });
    },
  },
  cast: {
    weight: 3,
    act(world, vat, random) {
      const one = recent(world.held[vat] as Reference[], random);
      if (one !== undefined) world.hold(vat, one.client.castAs(Node), one.edge, one.counter);
    },
  },
  bootstrap: {
    weight: 2,
    act(world, _vat, random) {
      const link = standing(world, random);
      if (link !== undefined) world.bootstrap(link, link.isMalicious ? 0 : random.below(2));
    },
  },
  release: {
    weight: 8,
    act(world, vat, random) {
      const held = world.held[vat] as Reference[];
      const one = held[random.below(held.length)];
      if (one !== undefined) world.release(one);
    },
  },
  promise: {
    weight: 5,
    act(world, vat) {
      const cell = new Cell(vat);
      const promise = new Promise<Loose>((resolve, reject) => {
        world.pending.push({ cell, settle: resolve, fail: reject });
      });
      world.hold(vat, new Node.Client(promise), { to: cell });
    },
  },
  resolve: {
    weight: 7,
    act(world, vat, random) {
      const at = world.pending.findIndex(({ cell }) => cell.vat === vat);
      const to = recent(world.held[vat] as Reference[], random);
      const pending = world.pending[at];
      if (pending === undefined || to === undefined || !world.mayBecome(pending.cell, to.edge)) return;
      world.pending.splice(at, 1);
      pending.cell.edge = to.edge;
      pending.settle(to.client);
      // What was called before the promise resolved is called again after it.
      const through = world.held.flat().filter(({ edge }) => doubtOf([edge], false).cells.has(pending.cell));
      for (let count = random.below(3); count > 0; count--) {
        const on = recent(through, random);
        if (on !== undefined) world.order(on);
      }
    },
  },
  resolveToNothing: {
    weight: 1,
    harms: true,
    act(world, _vat, random) {
      const at = random.below(world.pending.length);
      const pending = world.pending[at];
      if (pending === undefined) return;
      world.pending.splice(at, 1);
      pending.cell.edge = { to: null };
      pending.settle(null);
    },
  },
  break: {
    weight: 1,
    harms: true,
    act(world, _vat, random) {
      const at = random.below(world.pending.length);
      const pending = world.pending[at];
      if (pending === undefined) return;
      world.pending.splice(at, 1);
      pending.cell.isBroken = true;
      pending.fail(new Error("on purpose"));
    },
  },
  finish: {
    weight: 5,
    act(world, _vat, random) {
      const running = [...world.slow.values()];
      running[random.below(running.length)]?.();
    },
  },
  dispose: {
    weight: 5,
    act(world, vat, random) {
      const handle = handleOf(world, vat, random);
      if (handle !== undefined && (!world.calm || handle.call.told !== undefined)) world.dispose(handle);
    },
  },
  cancel: {
    weight: 3,
    harms: true,
    act(world, vat, random) {
      const handle = handleOf(world, vat, random);
      if (handle !== undefined && !handle.call.isUntold) world.cancel(handle);
    },
  },
  cut: {
    weight: 1,
    harms: true,
    act(world, _vat, random) {
      const link = standing(world, random);
      if (link === undefined || random.below(3) > 0) return;
      world.trace?.(`the connection of ${link.vats.join(" and ")} ends`);
      link.cut(random.below(2), random.below(2) === 0);
    },
  },
  malice: {
    weight: 40,
    isMalicious: true,
    act(world, _vat, random) {
      const links = world.maliciousLinks.filter(({ isCut }) => !isCut);
      if (links.length === 0 || random.oneIn(40)) {
        if (world.maliciousLinks.length < 10) world.connectMalicious(random.below(world.vats), random);
        return;
      }
      const link = random.oneOf(links);
      link.act();
      if (random.below(2) === 0) link.side(random.below(2)).deliver(1 + random.below(3));
      for (const text of link.contradictions()) world.fail(text);
    },
  },
  deliver: {
    weight: 40,
    async act(world, _vat, random) {
      const link = world.links[random.below(world.links.length)] as Link;
      link.side(random.below(2)).deliver(1 + random.below(3));
      if (random.below(3) > 0) await turn();
    },
  },
  settle: {
    weight: 2,
    async act(world) {
      await world.settle();
      verifyQuiet(world);
    },
  },
  check: {
    weight: 2,
    act(world) {
      world.check();
    },
  },
};

const named = Object.entries(actions);

/** Does what a seed says, to whatever is there. */
export const act = async (world: World, seed: number): Promise<void> => {
  const random = new SeededRandom(seed);
  const isPossible = ({ harms, isMalicious }: Action): boolean =>
    !(harms && world.calm) && (!isMalicious || world.isMalicious);
  const total = named.reduce((sum, [, action]) => sum + (isPossible(action) ? action.weight : 0), 0);
  let draw = random.below(total);
  for (const [name, action] of named) {
    if (!isPossible(action)) continue;
    draw -= action.weight;
    if (draw >= 0) continue;
    const vat = random.below(world.vats);
    world.trace?.(`- ${name} (vat ${vat})`);
    await action.act(world, vat, random);
    break;
  }
  world.throwFailures();
};
