import type { SeededRandom } from "../../support/seeded-random.ts";
import { verifyCalls, verifyEnd, verifyQuiet, verifyTables } from "./invariants.ts";
import { places } from "./places.ts";
import { doubtOf, type Edge, isExposed, Slot } from "./shadow.ts";
import { ModelFailure, type World } from "./world.ts";

/** Resolves all promises and ends all methods, those that are only called now included. */
const settleAll = async (world: World, random: SeededRandom): Promise<void> => {
  await world.settle();
  for (let rounds = 0; world.pending.length + world.slow.size > 0; rounds++) {
    if (rounds > 1000) throw new ModelFailure("there is no end of promises");
    const next = world.pending.pop();
    if (next === undefined) for (const finish of [...world.slow.values()]) finish();
    else {
      const object = world.makeObject(next.cell.vat);
      next.cell.edge = { to: object };
      next.settle(object);
    }
    if (random.below(2) === 0 || world.pending.length === 0) await world.settle();
  }
};

/** The malicious vat is gone, and everybody lets go of what came from it. */
const endMalice = async (world: World): Promise<void> => {
  const links = world.maliciousLinks;
  if (links.length === 0) return;
  for (const link of links) link.close();
  await world.settle();
  const isForeign = (edge: Edge): boolean => doubtOf([edge]).reasons.has("malicious");
  for (const handle of [...world.handles]) {
    const results = places.map((place) => ({ to: new Slot(handle.call, place) }));
    if (isExposed(handle.call) || results.some(isForeign)) world.dispose(handle);
  }
  for (const reference of world.held.flat()) if (isForeign(reference.edge)) world.release(reference);
  await world.settle();
};

/** Settles everything, expects every call to have ended, lets go of everything and expects nothing to be left. */
export const end = async (world: World, random: SeededRandom): Promise<void> => {
  world.trace?.("the end");
  await settleAll(world, random);
  await endMalice(world);
  verifyQuiet(world);
  verifyCalls(world);
  for (const handle of [...world.handles]) world.dispose(handle);
  for (const reference of world.held.flat()) world.release(reference);
  await world.settle();
  verifyQuiet(world);
  verifyTables(world);
  for (const link of world.links) link.close();
  await world.settle();
  for (const link of world.links) await link.closed();
  for (const client of world.hubClients) client.release();
  verifyEnd(world);
};
