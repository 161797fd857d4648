import { TwoPartyServer } from "../../../lib/stream-vat.ts";
import type { Loose } from "../../support/loose.ts";
import { decode, encode, rpc, testSchema } from "../../support/rpc-messages.ts";
import { setIndex } from "../../support/scripted-peer.ts";
import type { SeededRandom } from "../../support/seeded-random.ts";
import { endOptions, Link } from "./link.ts";

const { Node } = testSchema;

/** What an honest vat lets a malicious one make it hold: little, so that a run of a few messages gets there. */
const limits = {
  maxCalls: 12,
  maxAnswers: 24,
  maxExports: 16,
  maxImports: 16,
  maxEmbargoes: 4,
  maxPipelinedCalls: 8,
  maxPipelinedPromises: 24,
  maxCapabilitiesPerMessage: 8,
  maxTransformOps: 4,
  cancelBurst: 20,
} as const;

const bounded: readonly ["calls" | "answers" | "exports" | "imports" | "embargoes", number][] = [
  ["calls", limits.maxCalls],
  ["answers", limits.maxAnswers],
  ["exports", limits.maxExports],
  ["imports", limits.maxImports],
  // Its own and ours.
  ["embargoes", 2 * limits.maxEmbargoes],
];

const methods = ["order", "pack", "echo", "two", "fail", "never", "packed"];
const kept = 24;

/**
 * A connection whose far end sends whatever it likes: messages with right and wrong ids, real messages again, late or changed,
 * and bytes that are no message at all.
 */
export class MaliciousLink extends Link {
  readonly ends: readonly [TwoPartyServer];
  readonly isMalicious = true;
  readonly #random: SeededRandom;
  /** One id in so many is made up. */
  readonly #care: number;
  /** Questions of the honest vat's, capabilities of its, and what was asked of it. */
  readonly #asked: number[] = [];
  readonly #given: number[] = [];
  readonly #questions: number[] = [];
  /** Messages that went either way. */
  readonly #captured: Uint8Array[][] = [];

  constructor(vat: number, bootstrap: Loose, random: SeededRandom, trace?: (line: string) => void) {
    super([vat, undefined]);
    this.#random = random;
    this.#care = random.oneOf([2, 5, 20, 100]);
    const options = endOptions(`${vat} with the malicious vat`, bootstrap, trace);
    this.ends = [new TwoPartyServer(this.pair.a, { ...options, limits })];
    this.pair.b.start({
      message: (segments) => {
        this.#capture(segments.map((segment) => segment.slice()));
        this.#learn(decode(segments));
      },
      closed: () => {
        this.isCut = true;
      },
    });
  }

  /** The tables are as consistent, and as small, as with an honest peer. */
  override *contradictions(): Generator<string> {
    yield* super.contradictions();
    const stats = this.ends[0].stats();
    for (const [name, limit] of bounded) {
      if (stats[name] > limit)
        yield `vat ${this.vats[0]} holds ${stats[name]} ${name} for the malicious vat; the limit is ${limit}`;
    }
  }

  #capture(segments: Uint8Array[]): void {
    this.#captured.push(segments);
    if (this.#captured.length > kept) this.#captured.shift();
  }

  #remember(list: number[], id: number): void {
    if (list.length < kept) list.push(id);
    else list[this.#random.below(kept)] = id;
  }

  #learn(message: Loose): void {
    const which = message.which();
    if (which === "bootstrap") this.#remember(this.#asked, message.bootstrap.questionId);
    if (which === "call") {
      this.#remember(this.#asked, message.call.questionId);
      this.#learnCaps(message.call.params);
    } else if (which === "return" && message.return.which() === "results") this.#learnCaps(message.return.results);
  }

  #learnCaps({ capTable }: Loose): void {
    for (const cap of capTable) {
      const kind = cap.which();
      if (kind === "senderHosted" || kind === "senderPromise") this.#remember(this.#given, cap[kind]);
    }
  }

  /** Sends something. */
  act(): void {
    const random = this.#random;
    for (let count = 1 + random.below(4); count > 0 && !this.isCut; count--) {
      const segments = this.#next();
      this.#capture(segments);
      this.pair.b.send(segments);
    }
  }

  #next(): Uint8Array[] {
    const random = this.#random;
    const what = random.below(100);
    const captured = this.#captured[random.below(this.#captured.length)];
    if (captured !== undefined && random.oneIn(this.#care)) {
      if (what < 40) return captured;
      if (what < 90) return this.#changed(captured);
      return this.#garbage();
    }
    const message = rpc.Message.newMessage();
    this.#fill(message, what);
    return encode(message).map((segment) => segment.slice());
  }

  #changed(segments: readonly Uint8Array[]): Uint8Array[] {
    const random = this.#random;
    const copy = segments.map((segment) => segment.slice());
    const one = copy[random.below(copy.length)];
    if (one !== undefined && one.length > 0) {
      for (let count = 1 + random.below(3); count > 0; count--) one[random.below(one.length)] = random.below(256);
    }
    return copy;
  }

  #garbage(): Uint8Array[] {
    const random = this.#random;
    return Array.from({ length: 1 + random.below(2) }, () =>
      Uint8Array.from({ length: 8 * random.below(12) }, () => (random.oneIn(2) ? 0 : random.below(256))),
    );
  }

  /** An id that means something, most of the time. */
  #id(known: readonly number[]): number {
    const random = this.#random;
    if (random.oneIn(this.#care)) return random.oneIn(10) ? random.below(2 ** 32) : random.below(10);
    return known.length === 0 ? 0 : (known[random.below(known.length)] as number);
  }

  #taken(known: number[]): number {
    const id = this.#id(known);
    const at = known.indexOf(id);
    if (at >= 0) known.splice(at, 1);
    return id;
  }

  #fill(message: Loose, what: number): void {
    const random = this.#random;
    if (what < 8) message.bootstrap = { questionId: this.#newQuestion() };
    else if (what < 45) this.#call(message.init("call"));
    else if (what < 62) this.#return(message.init("return"));
    else if (what < 75) {
      message.finish = { questionId: this.#taken(this.#questions), releaseResultCaps: random.oneIn(2) };
    } else if (what < 82) message.release = { id: this.#taken(this.#given), referenceCount: random.oneIn(20) ? 2 : 1 };
    else if (what < 88) {
      const resolve = message.init("resolve");
      resolve.promiseId = random.below(8);
      if (random.oneIn(4)) resolve.exception = { reason: "on purpose" };
      else resolve.cap = this.#descriptor();
    } else if (what < 94) this.#disembargo(message.init("disembargo"));
    else if (what < 96) message.unimplemented = { call: { questionId: this.#id(this.#asked) } };
    else if (what < 97)
      message.unimplemented = { resolve: { promiseId: this.#id(this.#given), cap: this.#descriptor() } };
    else if (what < 98) message.init(random.oneOf(["provide", "accept", "join", "obsoleteSave"]));
    else if (random.oneIn(10)) message.abort = { reason: "on purpose" };
    else message.finish = { questionId: random.below(30) };
  }

  #newQuestion(): number {
    const random = this.#random;
    let id = random.below(16);
    if (!random.oneIn(this.#care)) while (this.#questions.includes(id)) id++;
    this.#remember(this.#questions, id);
    return id;
  }

  #target(): object {
    const random = this.#random;
    if (random.below(3) > 0 && this.#given.length > 0) return { importedCap: this.#id(this.#given) };
    return { promisedAnswer: this.#promised() };
  }

  #promised(): object {
    const random = this.#random;
    const transform: object[] = [];
    for (const index of random.oneOf([[], [], [0, 0], [0, 2], [0, 6], [0, 5, 0], [3], [0, 0, 0, 0, 0]])) {
      transform.push({ getPointerField: index });
    }
    return { questionId: this.#id(this.#questions), transform };
  }

  #descriptor(): object {
    const random = this.#random;
    switch (random.below(8)) {
      case 0:
        return { none: null };
      case 1:
      case 2:
        return { senderHosted: random.below(8) };
      case 3:
        return { senderPromise: 8 + random.below(8) };
      case 4:
        return { receiverAnswer: this.#promised() };
      case 5:
        return { thirdPartyHosted: { vineId: random.below(8) } };
      default:
        return { receiverHosted: this.#id(this.#given) };
    }
  }

  /** A struct with capabilities, and the table of them. */
  #payload(payload: Loose, type: Loose): void {
    const random = this.#random;
    const count = random.oneIn(this.#care) ? random.below(12) : random.below(4);
    payload.capTable = Array.from({ length: count }, () => this.#descriptor());
    const content = payload.content.init(type);
    const { pointerCount } = type;
    const pack = content.$fields?.has("pack") ? content.init("pack") : undefined;
    for (let at = 0; at < (pack === undefined ? pointerCount : 4); at++) {
      if (random.below(3) === 0) setIndex(pack ?? content, at, random.below(count + 1));
    }
    if (pack !== undefined) pack.number = random.oneIn(4) ? random.below(2 ** 32) : random.below(20);
  }

  #call(call: Loose): void {
    const random = this.#random;
    const method = Node.schema.allMethods.get(random.oneOf(methods));
    call.target = this.#target();
    call.questionId = this.#newQuestion();
    call.interfaceId = method.interfaceId;
    call.methodId = random.oneIn(this.#care) ? random.below(100) : method.ordinal;
    this.#payload(call.params, method.params.structClass);
    if (random.oneIn(8)) call.sendResultsTo.yourself = null;
    if (random.oneIn(10)) call.onlyPromisePipeline = true;
    if (random.oneIn(10)) call.noPromisePipelining = true;
  }

  #return(ret: Loose): void {
    const random = this.#random;
    ret.answerId = this.#taken(this.#asked);
    ret.releaseParamCaps = random.oneIn(this.#care);
    ret.noFinishNeeded = random.oneIn(this.#care);
    const what = random.below(12);
    if (what < 8) {
      const method = Node.schema.allMethods.get(random.oneOf(methods));
      this.#payload(ret.init("results"), method.results.structClass);
    } else if (what < 10) ret.exception = { reason: "on purpose" };
    else if (what === 10) ret.takeFromOtherQuestion = this.#id(this.#questions);
    else if (random.oneIn(this.#care)) ret.canceled = null;
    else ret.exception = { reason: "on purpose", type: "disconnected" };
  }

  #disembargo(disembargo: Loose): void {
    const random = this.#random;
    disembargo.target = this.#target();
    const what = random.below(8);
    const { context } = disembargo;
    if (what < 4) context.senderLoopback = random.below(4);
    else if (what < 6) context.receiverLoopback = random.below(4);
    else if (what === 6) context.provide = random.below(4);
    else context.accept = null;
  }
}
