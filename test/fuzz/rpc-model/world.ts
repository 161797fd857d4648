import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { turn } from "../../support/vats.ts";
import { HonestLink, type Link } from "./link.ts";
import { MaliciousLink } from "./malicious-link.ts";
import { Methods } from "./methods.ts";
import { ModelObject } from "./model-object.ts";
import { type Place, type Places, packOf, readAt } from "./places.ts";
import {
  type Call,
  type Cell,
  type Counter,
  doubtOf,
  type Edge,
  endOf,
  failuresOf,
  Foreign,
  isExposed,
  type Reason,
  Slot,
  slotEdge,
} from "./shadow.ts";

const { Node } = testSchema;

/** A run has shown that the library, or the model, is wrong. */
export class ModelFailure extends Error {}

/** A reference that a vat holds. */
export interface Reference {
  readonly vat: number;
  readonly edge: Edge;
  readonly client: Loose;
  readonly counter: Counter;
  isReleased: boolean;
}

/** A call whose promise its maker has kept. */
export interface Handle {
  readonly vat: number;
  readonly call: Call;
  readonly promise: Loose;
  readonly abort: AbortController | undefined;
  results: Loose;
  /** Where its results were asked for on the promise, ... */
  readonly pipelined: Map<Place, Reference>;
  /** ... and where they were read. */
  readonly read: Set<Place>;
  /** Calls on one place keep their order, whichever way the capability was come by. */
  readonly counters: Map<Place, Counter>;
  isDisposed: boolean;
}

/** A promise that the run has to settle. */
export interface Pending {
  readonly cell: Cell;
  settle(to: Loose): void;
  fail(error: Error): void;
}

export interface CallOptions {
  readonly seed?: number;
  readonly depth?: number;
  readonly parent?: Call | undefined;
  readonly isUntold?: boolean;
}

export interface WorldOptions {
  readonly vats: number;
  /** Nothing breaks, is canceled or cut: every call arrives. */
  readonly calm?: boolean;
  /** One more vat does what it likes. */
  readonly malicious?: boolean;
  readonly trace?: ((line: string) => void) | undefined;
}

/** What an error may be due to. */
const reasonsOf = ({ message, kind }: Loose): readonly Reason[] => {
  if (/on purpose/.test(message)) return ["failed"];
  if (kind === "disconnected") return ["disconnected"];
  // Results without capabilities are not kept for calls that are pipelined on them.
  if (/already closed/.test(message)) return ["canceled", "null"];
  // Who loses the connection cancels what came over it.
  if (/canceled/.test(message)) return ["canceled", "disconnected"];
  if (/null capability/.test(message)) return ["null"];
  return [];
};

/** Whether results with this number are those of a call, or of what it was passed on as. */
const isNumberOf = (number: number, call: Call): boolean => {
  for (let at = call; ; ) {
    if (at.number === number) return true;
    const { outcome }: Call = at;
    if (outcome === undefined || outcome === "threw" || !("tail" in outcome)) return false;
    at = outcome.tail;
  }
};

/**
 * Vats that are connected with each other, what they hold, and the shadow of it all. What can be done to it is in actions.ts,
 * what its objects do when they are called in methods.ts.
 */
export class World {
  readonly vats: number;
  readonly calm: boolean;
  readonly links: Link[] = [];
  readonly objects: ModelObject[] = [];
  readonly held: Reference[][];
  readonly handles: Handle[] = [];
  readonly pending: Pending[] = [];
  readonly calls: Call[] = [];
  readonly #callsByNumber = new Map<number, Call>();
  /** Methods that run until the run ends them. */
  readonly slow = new Map<Call, () => void>();
  /** Methods that go on by themselves in the next turn. */
  resting = 0;
  /** What methods at work hold, by call. */
  readonly busy = new Map<Call, readonly Edge[]>();
  readonly failures: string[] = [];
  readonly methods = new Methods(this);
  readonly trace: ((line: string) => void) | undefined;
  /** What each vat exposes, which lives as long as the world. */
  readonly hubs: ModelObject[] = [];
  readonly hubClients: Loose[] = [];
  /** Where somebody makes numbers up, those of calls are hard to guess. */
  readonly #salt: number | undefined;
  #counters = 0;

  constructor({ vats, calm = false, malicious = false, trace }: WorldOptions, random: SeededRandom) {
    this.vats = vats;
    this.#salt = malicious ? random.below(2 ** 32) : undefined;
    this.calm = calm;
    this.trace = trace;
    this.held = Array.from({ length: vats }, () => []);
    for (let vat = 0; vat < vats; vat++) {
      const hub = this.makeObject(vat);
      this.hubs.push(hub);
      this.hubClients.push(new Node.Client(hub));
    }
    for (let a = 0; a < vats; a++) {
      // All are connected by way of others; some also directly.
      for (let b = a + 1; b < vats; b++) if (b === a + 1 || random.below(3) > 0) this.#connect(a, b);
    }
    for (let vat = 0; malicious && vat < vats; vat++)
      if (vat === 0 || random.below(3) > 0) this.connectMalicious(vat, random);
  }

  /** The malicious vat connects, perhaps not for the first time. */
  connectMalicious(vat: number, random: SeededRandom): void {
    const link = new MaliciousLink(vat, this.hubs[vat], new SeededRandom(random.below(2 ** 32)), this.trace);
    this.links.push(link);
    this.bootstrap(link, 0);
  }

  get isMalicious(): boolean {
    return this.#salt !== undefined;
  }

  get maliciousLinks(): MaliciousLink[] {
    return this.links.filter((link) => link instanceof MaliciousLink);
  }

  #connect(a: number, b: number): void {
    const link = new HonestLink([a, b], [this.hubs[a], this.hubs[b]], this.trace);
    this.links.push(link);
    for (const side of [0, 1]) this.bootstrap(link, side);
  }

  bootstrap(link: Link, side: number): void {
    const peer = link.vats[1 - side];
    const edge = { to: peer === undefined ? new Foreign() : (this.hubs[peer] as ModelObject), link };
    this.hold(link.vats[side] as number, (link.ends[side] as Loose).bootstrap(Node), edge);
  }

  makeObject(vat: number): ModelObject {
    const object = new ModelObject(this.objects.length, vat, this.methods);
    this.objects.push(object);
    return object;
  }

  newCounter(): Counter {
    return { id: this.#counters++, calls: 0, arrived: -1 };
  }

  hold(vat: number, client: Loose, edge: Edge, counter = this.newCounter()): Reference {
    const reference: Reference = { vat, client, edge, counter, isReleased: false };
    this.held[vat]?.push(reference);
    return reference;
  }

  release(reference: Reference): void {
    reference.isReleased = true;
    const held = this.held[reference.vat] as Reference[];
    const at = held.indexOf(reference);
    if (at >= 0) held.splice(at, 1);
    reference.client.release();
  }

  fail(text: string): void {
    this.failures.push(text);
  }

  /** The record of a call on a reference, before it is sent. */
  record(on: Reference, params: Places, { seed = 0, depth = 0, parent, isUntold = false }: CallOptions): Call {
    const id = this.calls.length;
    const number = this.#salt === undefined ? id : Math.imul(id + this.#salt, 2_654_435_761) >>> 0;
    const call: Call = {
      id,
      number,
      target: on.edge,
      params: new Map([...params].map(([place, { edge }]) => [place, edge])),
      seed,
      depth,
      parent,
      counter: on.counter,
      sequence: on.counter.calls++,
      isUntold,
      isCanceled: false,
      executing: undefined,
      isRunning: false,
      outcome: undefined,
      inner: undefined,
      told: undefined,
    };
    this.calls.push(call);
    this.#callsByNumber.set(number, call);
    return call;
  }

  callOf(number: number): Call | undefined {
    return this.#callsByNumber.get(number);
  }

  /** Calls `order`, which has no more results than its param. */
  order(on: Reference): void {
    const call = this.record(on, new Map(), {});
    this.trace?.(`vat ${on.vat} calls order ${call.id} on counter ${on.counter.id}`);
    const promise = on.client.order(call.number);
    this.listen(call, promise, ({ n }: Loose) => n);
    // Who knows what a peer puts into results beside what was asked for.
    const dispose = () => promise[Symbol.dispose]();
    if (this.isMalicious) promise.then(dispose, dispose);
  }

  /** Calls `pack`, which does whatever its seed says. */
  pack(on: Reference, params: Places, options: CallOptions, signal?: AbortController): Handle {
    const call = this.record(on, params, options);
    this.trace?.(`vat ${on.vat} calls pack ${call.id} on counter ${on.counter.id} with ${[...params.keys()]}`);
    const pack = packOf(call.number, params);
    const promise = signal ? on.client.pack({ pack }, { signal: signal.signal }) : on.client.pack({ pack });
    const handle = this.#handle(on.vat, call, promise, signal);
    this.listen(call, promise, (results) => {
      handle.results = results.pack;
      return handle.results.number;
    });
    return handle;
  }

  packForPipeline(on: Reference, params: Places, options: CallOptions): Handle {
    const call = this.record(on, params, { ...options, isUntold: true });
    this.trace?.(`vat ${on.vat} calls pack ${call.id} on counter ${on.counter.id} for its pipeline`);
    const request = on.client.packRequest();
    request.pack = packOf(call.number, params);
    return this.#handle(on.vat, call, request.sendForPipeline(), undefined);
  }

  #handle(vat: number, call: Call, promise: Loose, abort: AbortController | undefined): Handle {
    const handle: Handle = {
      vat,
      call,
      promise,
      abort,
      results: undefined,
      pipelined: new Map(),
      read: new Set(),
      counters: new Map(),
      isDisposed: false,
    };
    this.handles.push(handle);
    return handle;
  }

  /** Hears of the end of a call. It must be told once (a promise cannot do otherwise), and what the shadow allows. */
  listen(call: Call, promise: PromiseLike<Loose>, number: (results: Loose) => number): void {
    promise.then(
      (results) => {
        call.told = "results";
        call.isCanceled = false;
        let told: number | undefined;
        try {
          told = number(results);
        } catch (error) {
          if (!isExposed(call)) this.fail(`the results of call ${call.id} cannot be read: ${error}`);
        }
        if (isExposed(call)) return;
        if (told === undefined || !isNumberOf(told, call)) this.fail(`call ${call.id} got the results of another call`);
        if (call.executing === undefined) this.fail(`call ${call.id} has results, and no object has seen it`);
      },
      (error: Loose) => {
        call.told = error;
        const allowed = failuresOf(call);
        if (allowed.has("malicious")) return;
        if (reasonsOf(error).some((reason) => allowed.has(reason))) return;
        this.fail(`call ${call.id} failed (allowed: ${[...allowed].join() || "nothing"}): ${error.message}`);
      },
    );
  }

  counterAt(handle: Handle, place: Place): Counter {
    let counter = handle.counters.get(place);
    if (counter === undefined) {
      counter = this.newCounter();
      handle.counters.set(place, counter);
    }
    return counter;
  }

  /** A capability of results, whether they are there or not. */
  pipelineOf(handle: Handle, place: Place): Reference {
    const client = readAt(handle.promise.pack, place);
    const edge: Edge = { to: new Slot(handle.call, place) };
    const reference = this.hold(handle.vat, client, edge, this.counterAt(handle, place));
    handle.pipelined.set(place, reference);
    return reference;
  }

  /** A capability of results, taken out of them once they are there. */
  read(handle: Handle, place: Place): Reference | undefined {
    if (handle.results === undefined || handle.read.has(place)) return undefined;
    const slot = new Slot(handle.call, place);
    const edge = slotEdge(slot);
    if (edge === undefined || edge === "threw" || edge.to === null) return undefined;
    const client = readAt(handle.results, place);
    handle.read.add(place);
    if (client !== null && client !== undefined) {
      return this.hold(handle.vat, client, { to: slot }, this.counterAt(handle, place));
    }
    if (endOf(edge) !== "null") this.fail(`the ${place} in the results of call ${handle.call.id} arrived as null`);
    return undefined;
  }

  cancel(handle: Handle): void {
    if (handle.call.told === undefined) handle.call.isCanceled = true;
    if (handle.abort !== undefined) handle.abort.abort();
    else handle.promise.cancel();
  }

  dispose(handle: Handle): void {
    handle.isDisposed = true;
    if (handle.call.told === undefined) handle.call.isCanceled = true;
    for (const reference of handle.pipelined.values()) {
      if (!reference.isReleased) this.release(reference);
    }
    const at = this.handles.indexOf(handle);
    if (at >= 0) this.handles.splice(at, 1);
    handle.promise[Symbol.dispose]();
  }

  /** Whether a promise may become this without waiting for itself. */
  mayBecome(cell: Cell, edge: Edge): boolean {
    return !doubtOf([edge], false).cells.has(cell);
  }

  async settle(): Promise<void> {
    for (let quiet = 0, rounds = 0; quiet < 2; rounds++) {
      if (rounds > 2000) {
        this.fail("the messages do not end");
        break;
      }
      let moved = 0;
      for (const { pair } of this.links) moved += pair.deliverAll();
      quiet = moved === 0 && this.resting === 0 ? quiet + 1 : 0;
      await turn();
    }
  }

  check(): void {
    for (const link of this.links) for (const text of link.contradictions()) this.fail(text);
  }

  throwFailures(): void {
    if (this.failures.length > 0) throw new ModelFailure(this.failures.join("\n"));
  }
}
