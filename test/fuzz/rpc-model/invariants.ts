import { entangled } from "./entangled.ts";
import { liveness } from "./liveness.ts";
import { type Call, endOf, failuresOf, isExposed } from "./shadow.ts";
import type { World } from "./world.ts";

/** Whether a call has a reason not to have ended. */
const waits = (call: Call): boolean => {
  if (call.isRunning || isExposed(call)) return true;
  const { outcome } = call;
  if (outcome !== undefined && outcome !== "threw" && "tail" in outcome) return waits(outcome.tail);
  return call.executing === undefined && endOf(call.target) === "pending";
};

/** No connection between vats that keep to the protocol ends by itself. */
const verifyConnections = (world: World): void => {
  for (const link of world.links) {
    for (const { closedBy } of link.isCut ? [] : link.ends) {
      if (closedBy !== undefined)
        world.fail(`vats ${link.vats.join(" and ")} have lost each other: ${closedBy.message}`);
    }
  }
};

const verifyObjects = (world: World): void => {
  const { must, may } = liveness(world);
  // A malicious vat holds whatever it was given, for as long as it is there.
  const isAnybodyMalicious = world.maliciousLinks.some(({ isCut }) => !isCut);
  for (const object of world.objects) {
    if (world.hubs.includes(object)) continue;
    const name = `object ${object.id} of vat ${object.vat}`;
    if (object.disposals > 0) {
      if (must.has(object)) world.fail(`${name} is gone, and somebody leads to it`);
    } else if (!may.has(object) && !isAnybodyMalicious) world.fail(`${name} lives, and nobody leads to it`);
  }
};

/** Once nothing is on its way: what has no end waits for something, and what lives is what somebody leads to. */
export const verifyQuiet = (world: World): void => {
  world.check();
  verifyConnections(world);
  for (const call of world.calls) {
    if (call.told === undefined && !call.isUntold && !waits(call))
      world.fail(`call ${call.id} was never told of its end`);
  }
  verifyObjects(world);
  world.throwFailures();
};

/** Once nothing waits for anything: every call has ended, and arrived unless there was a reason. */
export const verifyCalls = (world: World): void => {
  for (const call of world.calls) {
    if (call.told === undefined && !call.isUntold) world.fail(`call ${call.id} has no end`);
    if (call.executing === undefined && failuresOf(call).size === 0) world.fail(`call ${call.id} never arrived`);
  }
  world.throwFailures();
};

/** Once nobody holds anything: no connection knows of anything. */
export const verifyTables = (world: World): void => {
  if (entangled(world.calls).size > 0) return;
  for (const link of world.links) if (!link.isCut) for (const text of link.remains()) world.fail(text);
  world.throwFailures();
};

/** Once all connections are over: nothing is left of them, and every object was disposed once. */
export const verifyEnd = (world: World): void => {
  for (const link of world.links) for (const text of link.remains()) world.fail(`after its end ${text}`);
  for (const { id, vat, disposals } of world.objects) {
    if (disposals !== 1) world.fail(`object ${id} of vat ${vat} was disposed ${disposals} times`);
  }
  world.throwFailures();
};
