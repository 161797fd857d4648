import { ModelObject } from "./model-object.ts";
import { type Call, Cell, doubtOf, type Edge, Slot, slotEdge } from "./shadow.ts";

/**
 * Whether a place in the results of a call turns out, for the one who asked, to be an object of the vat that was asked: calls go
 * to the object then, and the results are needed no longer.
 */
const isHosted = (slot: Slot): boolean => {
  const { isUntold, target, executing } = slot.call;
  const edge = slotEdge(slot);
  if (edge === undefined || edge === "threw" || isUntold || edge.link !== undefined || edge.through !== undefined)
    return false;
  const { cells, calls } = doubtOf([target]);
  return edge.to instanceof ModelObject && edge.to.vat === executing?.vat && cells.size + calls.size === 0;
};

/** The calls whose results one comes by on the way from a reference. */
const callsOn = (edge: Edge): Call[] => {
  const { to } = edge;
  if (to instanceof Slot) return isHosted(to) ? [] : [to.call];
  return to instanceof Cell && to.edge !== undefined ? callsOn(to.edge) : [];
};

const next = ({ outcome }: Call): Call[] => {
  if (outcome === undefined || outcome === "threw") return [];
  if ("tail" in outcome) return [outcome.tail];
  return [...outcome.edges.values()].flatMap(callsOn);
};

/**
 * Calls whose results hold capabilities of each other's results, in a circle: `a` of the first is `b` of the second, and `c` of
 * the second is `d` of the first. No capability leads to itself, but where the calls go to and fro between two vats, each Finish
 * waits for the other: what a Return described as a capability in results of the peer's (`receiverAnswer`) has to stay one
 * for as long as the results are kept (the Tribble 4-way race; rpc.capnp, Disembargo). It is enough if one of the places turns
 * out to be an object of the vat whose results they are. Where all of them lead back, or on to promises, such results are kept
 * until the connection ends. The protocol has no message that could say that nobody needs them.
 */
export const entangled = (calls: readonly Call[]): Set<Call> => {
  const found = new Set<Call>();
  for (const call of calls) {
    const seen = new Set<Call>();
    const stack = next(call);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      stack.push(...next(at));
    }
    if (seen.has(call)) found.add(call);
  }
  return found;
};
