import type { Link } from "./link.ts";
import type { ModelObject } from "./model-object.ts";

/**
 * The shadow graph: what every reference leads to, told by plain pointers and nothing of the library. It grows by what is done
 * to it (a promise is resolved, a method gives results) and never by what the library says, so that the two can be compared.
 */
export type Shadow = ModelObject | Cell | Slot | Foreign | null;

/** Whatever a malicious vat has given. */
export class Foreign {
  readonly isForeign = true;
}

/** How a reference was come by: what it leads to, and what its way leads through. */
export interface Edge {
  readonly to: Shadow;
  /** The connection that was crossed first, of a bootstrap capability. */
  readonly link?: Link | undefined;
  /** References that it came through: of those on which it was passed, and of the one that was passed. */
  readonly through?: readonly Edge[];
}

/** Why a call may fail. */
export type Reason = "failed" | "disconnected" | "canceled" | "null" | "malicious";

/** A promise of a vat's, which the run resolves or breaks. */
export class Cell {
  readonly vat: number;
  edge: Edge | undefined;
  isBroken = false;

  constructor(vat: number) {
    this.vat = vat;
  }
}

/** What the method gave: capabilities by the name of their place, an error, or the results of another call. */
export type Outcome = { readonly edges: ReadonlyMap<string, Edge> } | { readonly tail: Call } | "threw";

/** A call as it was made, and what is known of it. */
export interface Call {
  readonly id: number;
  /** What stands in its params. */
  readonly number: number;
  /** Where the reference was when the call was made. */
  readonly target: Edge;
  readonly params: ReadonlyMap<string, Edge>;
  /** What the method does; also the seed of what it chooses. */
  readonly seed: number;
  readonly depth: number;
  /** The call whose method made this one in order to answer. */
  readonly parent: Call | undefined;
  /** What is promised to whom: calls of one counter arrive in their order. */
  readonly counter: Counter;
  readonly sequence: number;
  /** For its pipeline only, or passed on: nobody hears of its end. */
  readonly isUntold: boolean;
  isCanceled: boolean;
  executing: ModelObject | undefined;
  isRunning: boolean;
  outcome: Outcome | undefined;
  /** A call whose results the method waited for. */
  inner: Call | undefined;
  /** What the caller was told. */
  told: "results" | Error | undefined;
}

/** Calls whose order is promised: those on one reference, and on others made from it. */
export interface Counter {
  readonly id: number;
  calls: number;
  /** The sequence of the last one that arrived. */
  arrived: number;
}

/** A place in the results of a call. */
export class Slot {
  readonly call: Call;
  readonly place: string;

  constructor(call: Call, place: string) {
    this.call = call;
    this.place = place;
  }
}

const nothing: Edge = { to: null };

/** The call whose results are those of a call: it itself, or the last one that it was passed on as. */
const lastOf = (call: Call): Call => {
  let at = call;
  while (at.outcome !== undefined && at.outcome !== "threw" && "tail" in at.outcome) at = at.outcome.tail;
  return at;
};

/** Where a place in results leads, once the method has said so. */
export const slotEdge = ({ call, place }: Slot): Edge | "threw" | undefined => {
  const at = lastOf(call);
  if (at.outcome === undefined || at.outcome === "threw") return at.outcome;
  return (at.outcome as { readonly edges: ReadonlyMap<string, Edge> }).edges.get(place) ?? nothing;
};

export type End = ModelObject | "null" | "broken" | "pending" | "foreign";

/**
 * Where a reference leads to, if all that has been done were known everywhere. `isOnTheWay` is true for what went there before it
 * was: the results of a call that failed in the end lead to where its method had said before (`setPipeline`).
 */
export const endOf = (edge: Edge, isOnTheWay = false): End => {
  let to = edge.to;
  for (;;) {
    if (to === null) return "null";
    if (to instanceof Foreign) return "foreign";
    if (to instanceof Cell) {
      if (to.isBroken) return "broken";
      if (to.edge === undefined) return "pending";
      to = to.edge.to;
    } else if (to instanceof Slot) {
      const next = slotEdge(to);
      if (next === "threw") {
        const { inner } = lastOf(to.call);
        if (!isOnTheWay || inner === undefined) return "broken";
        to = new Slot(inner, to.place);
        continue;
      }
      if (next === undefined) {
        const end = pendingEnd(to.call);
        return end;
      }
      to = next.to;
    } else return to;
  }
};

/** A call that was not executed: it waits for its target, or will fail with it. */
const pendingEnd = (call: Call): "pending" | "broken" => {
  const at = lastOf(call);
  if (at.executing !== undefined) return "pending";
  const end = endOf(at.target);
  return end === "null" || end === "broken" ? "broken" : "pending";
};

/** What may lie between a reference and its end. */
export interface Doubt {
  readonly reasons: Set<Reason>;
  readonly cells: Set<Cell>;
  readonly calls: Set<Call>;
}

/** All that a reference leads through, now or (where `ways` is true) on its way here. */
export const doubtOf = (edges: Iterable<Edge>, ways = true): Doubt => {
  const doubt: Doubt = { reasons: new Set(), cells: new Set(), calls: new Set() };
  const seen = new Set<Edge>();
  const stack = [...edges];
  for (let edge = stack.pop(); edge !== undefined; edge = stack.pop()) {
    if (seen.has(edge)) continue;
    seen.add(edge);
    if (ways) {
      if (edge.link?.isCut === true) doubt.reasons.add("disconnected");
      if (edge.through !== undefined) stack.push(...edge.through);
    }
    const { to } = edge;
    if (to === null) doubt.reasons.add("null");
    else if (to instanceof Foreign) doubt.reasons.add("malicious");
    else if (to instanceof Cell) {
      doubt.cells.add(to);
      if (to.isBroken) doubt.reasons.add("failed");
      if (to.edge !== undefined) stack.push(to.edge);
    } else if (to instanceof Slot) addCall(doubt, to.call, to.place, stack, ways);
  }
  return doubt;
};

const addCall = (doubt: Doubt, call: Call, place: string, stack: Edge[], ways: boolean): void => {
  for (let at: Call | undefined = call; at !== undefined; ) {
    doubt.calls.add(at);
    if (at.isCanceled) doubt.reasons.add("canceled");
    const { outcome }: Call = at;
    if (outcome === undefined) {
      stack.push(at.target, ...at.params.values());
      return;
    }
    if (ways) stack.push(at.target);
    if (outcome === "threw") {
      doubt.reasons.add("failed");
      if (at.inner === undefined) return;
      // It had said that the other results are null, and failed as the inner call did.
      doubt.reasons.add("null");
      stack.push(at.inner.target, { to: new Slot(at.inner, place) });
      return;
    }
    if ("edges" in outcome) {
      stack.push(outcome.edges.get(place) ?? nothing);
      return;
    }
    at = outcome.tail;
  }
};

const addFailures = (call: Call, reasons: Set<Reason>): void => {
  const { reasons: doubts } = doubtOf([call.target]);
  const end = endOf(call.target);
  for (const reason of ["disconnected", "canceled", "malicious"] as const) if (doubts.has(reason)) reasons.add(reason);
  if (end === "null") reasons.add("null");
  if (end === "broken") for (const reason of doubts) reasons.add(reason);
  if (call.isCanceled) reasons.add("canceled");
  if (call.outcome === "threw") reasons.add("failed");
};

/** Whether a malicious vat has to do with a call: then anything may become of it. */
export const isExposed = (call: Call): boolean => failuresOf(call).has("malicious");

/** What a call may fail with: by its own doing, or because of what it was made on, passed on to or made for. */
export const failuresOf = (call: Call): Set<Reason> => {
  const reasons = new Set<Reason>();
  for (let above = call.parent; above !== undefined; above = above.parent) addFailures(above, reasons);
  for (let at: Call | undefined = call; at !== undefined; ) {
    addFailures(at, reasons);
    if (at.inner !== undefined) at = at.inner;
    else {
      const { outcome }: Call = at;
      at = outcome !== undefined && outcome !== "threw" && "tail" in outcome ? outcome.tail : undefined;
    }
  }
  return reasons;
};
