import { type Call, Cell, type Edge, Slot } from "./shadow.ts";

/** The calls whose results one comes by on the way from a reference. */
const callsOn = (edge: Edge): Call[] => {
  const { to } = edge;
  if (to instanceof Slot) return [to.call];
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
 * for as long as the results are kept (the Tribble 4-way race; rpc.capnp, Disembargo). Such results are kept until the
 * connection ends. The protocol has no message that could say that nobody needs them.
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
