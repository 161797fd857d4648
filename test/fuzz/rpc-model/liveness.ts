import { entangled } from "./entangled.ts";
import { ModelObject } from "./model-object.ts";
import { type Place, places } from "./places.ts";
import { type Call, Cell, doubtOf, type Edge, endOf, Slot, slotEdge } from "./shadow.ts";
import type { World } from "./world.ts";

/** Whether nothing that was cut or canceled lies on the way. */
const isCertain = (edge: Edge): boolean => {
  const { reasons } = doubtOf([edge]);
  return !reasons.has("disconnected") && !reasons.has("canceled") && !reasons.has("malicious");
};

const isOpen = (call: Call): boolean => call.isRunning || (call.told === undefined && !call.isUntold);

const isPassedOn = ({ outcome }: Call): boolean => outcome !== undefined && outcome !== "threw" && "tail" in outcome;

/**
 * Whether a call may have come back to the vat that sent it, or passed it on: what it was made on was a promise. The vat that
 * sent it back knows the results only as those that the other keeps for it (`sendResultsTo.yourself`), and never gets them: a
 * capability of theirs that it was given before they were there stays a place in them, and keeps all of them.
 */
const mayBeSentBack = ({ target }: Call): boolean => {
  const { cells, calls } = doubtOf([target]);
  return cells.size + calls.size > 0;
};

/** Whether a reference was passed to the one who has it. */
const isGiven = ({ through }: Edge): boolean => through !== undefined;

/** Everything that references may keep alive. */
const addAll = (roots: readonly Edge[], may: Set<ModelObject>): void => {
  const stack = roots.map((edge) => ({ edge, isInResults: false }));
  const seen = { results: new Set<Edge>(), others: new Set<Edge>() };
  const unfolded = new Set<Call>();
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { edge, isInResults } = next;
    const { to } = edge;
    const before = isInResults ? seen.results : seen.others;
    if (before.has(edge)) continue;
    before.add(edge);
    if (to instanceof ModelObject) may.add(to);
    else if (to instanceof Cell) {
      if (to.edge !== undefined) stack.push({ edge: to.edge, isInResults });
    } else if (to instanceof Slot) {
      const { call } = to;
      const given = slotEdge(to);
      if (given === undefined) {
        for (const waiting of [call.target, ...call.params.values()]) stack.push({ edge: waiting, isInResults: false });
      } else if (given !== "threw") stack.push({ edge: given, isInResults: true });
      // All of the results are kept by whoever holds one of a call that is for its pipeline only, or was passed on, and by who
      // was given as a result what another call was to bring: that goes on meaning a place in those other results.
      const isPlace = call.isUntold || isPassedOn(call) || isInResults || (isGiven(edge) && mayBeSentBack(call));
      if (isPlace && !unfolded.has(call)) {
        unfolded.add(call);
        for (const result of resultsOf(call)) stack.push({ edge: result, isInResults: false });
      }
    }
  }
};

/** The results of a call as its caller has them. */
const resultsOf = (call: Call, isWanted: (place: Place) => boolean = () => true): Edge[] =>
  places.filter(isWanted).map((place) => ({ to: new Slot(call, place) }));

/**
 * Which objects have to be alive once all is quiet, and which may be: the same ones, but for what depends on calls that were
 * canceled and on connections that were cut while messages were on their way.
 */
export const liveness = (world: World): { must: Set<ModelObject>; may: Set<ModelObject> } => {
  const must = new Set<ModelObject>();
  const may = new Set<ModelObject>();
  const roots: Edge[] = world.held.flat().map(({ edge }) => edge);
  for (const edges of world.busy.values()) roots.push(...edges);
  for (const handle of world.handles) {
    if (handle.call.told === "results") roots.push(...resultsOf(handle.call, (place) => !handle.read.has(place)));
  }
  const possible: Edge[] = [...roots];
  for (const handle of world.handles) if (handle.call.isUntold) possible.push(...resultsOf(handle.call));
  for (const call of entangled(world.calls)) possible.push(...resultsOf(call));
  for (const call of world.calls) {
    if (call.isRunning && call.executing !== undefined) {
      may.add(call.executing);
      must.add(call.executing);
    }
    if (!isOpen(call) && !(call.isUntold && call.executing === undefined)) continue;
    possible.push(call.target, ...call.params.values(), ...resultsOf(call));
    const waits =
      call.executing === undefined && !call.isUntold && !call.isCanceled && endOf(call.target) === "pending";
    if (waits && isCertain(call.target)) roots.push(...call.params.values());
  }
  for (const edge of roots) {
    const end = endOf(edge);
    if (end instanceof ModelObject && isCertain(edge)) must.add(end);
  }
  addAll(possible, may);
  return { must, may };
};
