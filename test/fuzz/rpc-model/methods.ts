import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { SeededRandom } from "../../support/seeded-random.ts";
import { turn } from "../../support/vats.ts";
import type { Callee, ModelObject } from "./model-object.ts";
import { type Place, places, type Places, packOf, readAt } from "./places.ts";
import { type Call, doubtOf, type Edge, endOf, failuresOf, isExposed, Slot } from "./shadow.ts";
import { serveStranger } from "./strangers.ts";
import type { Reference, World } from "./world.ts";

const { Node } = testSchema;
const deepest = 3;

/** A capability that came with a call, as its method has it. */
interface Given {
  readonly client: Loose;
  readonly edge: Edge;
}

/** What the objects of a run do when they are called. */
export class Methods implements Callee {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  disposed({ id, disposals }: ModelObject): void {
    if (disposals > 1) this.#world.fail(`object ${id} was disposed ${disposals} times`);
  }

  /**
   * Every call arrives once, where its reference leads, and after all those that were made before on the reference. Undefined
   * for a call that a malicious vat has made, passed on or made up.
   */
  #arrive(object: ModelObject, number: number): Call | undefined {
    const world = this.#world;
    const call = world.callOf(number);
    if (object.disposals > 0) world.fail(`call ${call?.id} arrived at object ${object.id}, which is disposed`);
    if (call === undefined || isExposed(call)) {
      if (world.maliciousLinks.length === 0) world.fail(`call number ${number} was never made`);
      return undefined;
    }
    const { id, counter, sequence } = call;
    world.trace?.(`call ${id} (${sequence} of counter ${counter.id}) arrives at object ${object.id}`);
    if (call.executing !== undefined) world.fail(`call ${id} arrived twice`);
    call.executing = object;
    if (sequence <= counter.arrived) {
      world.fail(`call ${id} arrived as number ${sequence} on counter ${counter.id}, after number ${counter.arrived}`);
    }
    counter.arrived = Math.max(counter.arrived, sequence);
    const end = endOf(call.target);
    if (end !== object && (end !== "broken" || endOf(call.target, true) !== object)) {
      const expected = typeof end === "string" ? end : `object ${end.id}`;
      world.fail(`call ${id} arrived at object ${object.id}, and its reference leads to ${expected}`);
    }
    return call;
  }

  order(object: ModelObject, { n }: Loose): number {
    const call = this.#arrive(object, n);
    if (call !== undefined) call.outcome = { edges: new Map() };
    return n;
  }

  pack(object: ModelObject, context: Loose): unknown {
    const { pack } = context.params;
    const call = this.#arrive(object, pack.number);
    if (call === undefined) {
      serveStranger(this.#world, object, context);
      return undefined;
    }
    const given: Given[] = [];
    for (const [place, edge] of call.params) {
      const client = readAt(pack, place as Place);
      const here = { to: edge.to, through: [call.target, edge] };
      if (client !== null && client !== undefined) given.push({ client, edge: here });
      else if (!["null", "foreign"].includes(endOf(edge) as string)) {
        this.#world.fail(`the ${place} of call ${call.id} arrived as null`);
      }
    }
    return this.#do(call, object, context, given);
  }

  #do(call: Call, object: ModelObject, context: Loose, given: readonly Given[]): unknown {
    const random = new SeededRandom(call.seed);
    const what = random.below(100);
    if (what < 25) this.#answer(call, context, this.#choose(call, object, given, random), given);
    else if (what < 45) this.#keep(call, context, object, given);
    else if (what < 55) return this.#slow(call, context, object, given, random);
    else if (what < 65) return this.#preset(call, context, object, given, random);
    else if (what < 78) this.#tail(call, context, object, given, random);
    else if (what < 88) return this.#forward(call, context, object, given, random);
    else if (what < 94 && !this.#world.calm) {
      call.outcome = "threw";
      this.#letGo(given);
      throw new Error("on purpose");
    } else this.#answer(call, context, this.#choose(call, object, [], random), given);
    return undefined;
  }

  #letGo(given: readonly Given[]): void {
    for (const { client } of given) client.release();
  }

  /** Results: what came with the call, what the vat holds, something new, or nothing. */
  #choose(call: Call, object: ModelObject, given: readonly Given[], random: SeededRandom): Map<Place, Given> {
    const chosen = new Map<Place, Given>();
    const world = this.#world;
    const held = world.held[object.vat] as Reference[];
    for (const place of places) {
      const what = random.below(10);
      if (what < 5) continue;
      const one =
        what < 7 ? given[0] : what === 7 ? given[1] : what === 8 ? held[random.below(held.length)] : undefined;
      if (one !== undefined && !this.#leadsTo(one.edge, call)) chosen.set(place, one);
      else if (what > 7 || one !== undefined) {
        const made = world.makeObject(object.vat);
        chosen.set(place, { client: made, edge: { to: made } });
      }
    }
    return chosen;
  }

  #leadsTo({ to }: Edge, call: Call): boolean {
    return doubtOf([{ to }], false).calls.has(call);
  }

  #fill(call: Call, context: Loose, chosen: Places): void {
    context.results.pack = packOf(call.number, chosen);
  }

  #settle(call: Call, chosen: Places): void {
    call.outcome = { edges: new Map([...chosen].map(([place, { edge }]) => [place, edge])) };
  }

  #answer(call: Call, context: Loose, chosen: Places, given: readonly Given[]): void {
    this.#settle(call, chosen);
    this.#fill(call, context, chosen);
    this.#letGo(given);
  }

  /** The vat has what came from now on. */
  #keep(call: Call, context: Loose, object: ModelObject, given: readonly Given[]): void {
    this.#settle(call, new Map());
    this.#fill(call, context, new Map());
    for (const { client, edge } of given) this.#world.hold(object.vat, client, edge);
  }

  /** Until the run ends the method, or the caller gives up. */
  #wait(call: Call, context: Loose, given: readonly Given[]): Promise<boolean> {
    const world = this.#world;
    call.isRunning = true;
    world.busy.set(
      call,
      given.map(({ edge }) => edge),
    );
    return new Promise((resolve) => {
      const end = (isAborted: boolean): void => {
        if (!world.slow.delete(call)) return;
        world.busy.delete(call);
        call.isRunning = false;
        resolve(isAborted);
      };
      world.slow.set(call, () => end(false));
      const { signal } = context;
      if (signal.aborted) end(true);
      else signal.addEventListener("abort", () => end(true));
    });
  }

  async #slow(
    call: Call,
    context: Loose,
    object: ModelObject,
    given: readonly Given[],
    random: SeededRandom,
  ): Promise<void> {
    const isAborted = await this.#wait(call, context, given);
    if (isAborted) {
      if (failuresOf(call).size === 0) this.#world.fail(`call ${call.id} was aborted, and nobody had canceled it`);
      call.outcome = "threw";
      this.#letGo(given);
      throw new Error("on purpose");
    }
    this.#answer(call, context, this.#choose(call, object, given, random), given);
  }

  /** Says what the results will be before the method is done. */
  async #preset(
    call: Call,
    context: Loose,
    object: ModelObject,
    given: readonly Given[],
    random: SeededRandom,
  ): Promise<void> {
    const chosen = this.#choose(call, object, given, random);
    const kept = [...chosen.values()].map(({ client, edge }) => ({ client: new Node.Client(client), edge }));
    const own = new Map([...chosen.keys()].map((place, i) => [place, kept[i] as Given]));
    this.#settle(call, own);
    context.setPipeline({ pack: packOf(call.number, own) });
    if (random.below(2) === 0) {
      call.isRunning = true;
      this.#world.resting++;
      await turn();
      this.#world.resting--;
      call.isRunning = false;
    } else await this.#wait(call, context, [...given, ...kept]);
    this.#fill(call, context, own);
    this.#letGo([...given, ...kept]);
  }

  /** Some reference that the vat can pass a call on to. */
  #elsewhere(call: Call, object: ModelObject, random: SeededRandom): Reference | undefined {
    const held = this.#world.held[object.vat] as Reference[];
    const next = held[random.below(held.length)];
    if (next === undefined || call.depth >= deepest || this.#leadsTo(next.edge, call)) return undefined;
    return next;
  }

  #passed(call: Call, given: readonly Given[]): Places {
    return new Map(given.filter(({ edge }) => !this.#leadsTo(edge, call)).map((one, i) => [places[i] as Place, one]));
  }

  #tail(call: Call, context: Loose, object: ModelObject, given: readonly Given[], random: SeededRandom): void {
    const world = this.#world;
    const next = this.#elsewhere(call, object, random);
    if (next === undefined) {
      this.#answer(call, context, new Map(), given);
      return;
    }
    const params = this.#passed(call, given);
    const seed = random.below(2 ** 32);
    const tail = world.record(next, params, { seed, depth: call.depth + 1, parent: call, isUntold: true });
    world.trace?.(`vat ${object.vat} passes call ${call.id} on as ${tail.id} on counter ${next.counter.id}`);
    const request = next.client.packRequest();
    request.pack = packOf(tail.number, params);
    call.outcome = { tail };
    context.tailCall(request);
    this.#letGo(given);
  }

  /** Answers with the results of another call, which are there for calls before they are there. */
  async #forward(
    call: Call,
    context: Loose,
    object: ModelObject,
    given: readonly Given[],
    random: SeededRandom,
  ): Promise<void> {
    const world = this.#world;
    const next = this.#elsewhere(call, object, random);
    if (next === undefined) {
      this.#answer(call, context, new Map(), given);
      return;
    }
    const params = this.#passed(call, given);
    const seed = random.below(2 ** 32);
    const inner = world.record(next, params, { seed, depth: call.depth + 1, parent: call });
    world.trace?.(`vat ${object.vat} asks for call ${call.id} by ${inner.id} on counter ${next.counter.id}`);
    call.inner = inner;
    call.isRunning = true;
    const promise = next.client.pack({ pack: packOf(inner.number, params) });
    world.listen(inner, promise, (results) => results.pack.number);
    const chosen: Places = new Map([["cap", { client: promise.pack.cap, edge: { to: new Slot(inner, "cap") } }]]);
    this.#settle(call, chosen);
    context.setPipeline({ pack: packOf(call.number, chosen) });
    world.busy.set(call, [
      ...given.map(({ edge }) => edge),
      ...places.map((place) => ({ to: new Slot(inner, place) })),
    ]);
    try {
      await promise;
      this.#fill(call, context, chosen);
    } catch (error) {
      call.outcome = "threw";
      throw error;
    } finally {
      call.isRunning = false;
      world.busy.delete(call);
      this.#letGo(given);
      promise[Symbol.dispose]();
    }
  }
}
