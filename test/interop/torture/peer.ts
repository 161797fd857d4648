import * as capnp from "capstan";
import { Torture } from "./torture.capnp.ts";

/** What the objects of one connection share. */
export class Counters {
  alive = 0;
  canceled = 0;
}

class ResolverImpl extends Torture.Resolver.Server {
  #resolve: (cap: Torture.Client | null) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  /** What the promise that was handed out resolves to. */
  readonly cap = new Promise<Torture.Client | null>((resolve, reject) => {
    this.#resolve = resolve;
    this.#reject = reject;
  });

  override async resolve({ cap }: Torture.Resolver.ResolveParams.Reader): Promise<void> {
    this.#resolve(cap);
    // Whoever waits for the promise has a reference of its own when this goes on.
    await this.cap;
    cap?.release();
  }

  override reject({ text }: Torture.Resolver.RejectParams.Reader): void {
    this.#reject(new Error(text));
  }
}

/** This library's end of the torture tests. */
export class TortureImpl extends Torture.Server {
  readonly #counters: Counters;
  readonly #depth: number;
  #calls = 0;
  #writtenBytes = 0n;
  #writes = 0;
  #held: Torture.Client | undefined;

  constructor(counters: Counters = new Counters(), depth = 0) {
    super();
    this.#counters = counters;
    this.#depth = depth;
    if (depth > 0) counters.alive++;
  }

  [Symbol.dispose](): void {
    if (this.#depth > 0) this.#counters.alive--;
    this.#held?.release();
  }

  override next() {
    const depth = this.#depth + 1;
    return { next: new TortureImpl(this.#counters, depth), depth };
  }

  override order() {
    return { n: this.#calls++ };
  }

  override echo({ cap }: Torture.EchoParams.Reader) {
    return { cap };
  }

  override promise() {
    const resolver = new ResolverImpl();
    return { cap: resolver.cap, resolver };
  }

  override hold({ cap }: Torture.HoldParams.Reader): void {
    this.#held?.release();
    this.#held = cap ?? undefined;
  }

  override held() {
    return { cap: this.#held };
  }

  override letGo(): void {
    this.#held?.release();
    this.#held = undefined;
  }

  override async callHeld() {
    if (this.#held === undefined) throw new Error("nothing is held");
    const { n } = await this.#held.order();
    return { n };
  }

  override tailOrder_context(context: Torture.TailOrderContext): void {
    using callee = calleeOf(context.params);
    context.tailCall(callee.orderRequest());
  }

  override tailNext_context(context: Torture.TailNextContext): void {
    using callee = calleeOf(context.params);
    context.tailCall(callee.nextRequest());
  }

  override never(_params: Torture.NeverParams.Reader, context: Torture.NeverContext): Promise<void> {
    context.allowCancellation();
    return new Promise((_, reject) => {
      context.signal.addEventListener("abort", () => {
        this.#counters.canceled++;
        reject(context.signal.reason as Error);
      });
    });
  }

  override canceled() {
    return { count: this.#counters.canceled };
  }

  override write({ data }: Torture.WriteParams.Reader): void {
    if (data.length === 0) throw new Error("nothing to write");
    this.#writtenBytes += BigInt(data.length);
    this.#writes++;
  }

  override written() {
    return { bytes: this.#writtenBytes, calls: this.#writes };
  }

  override throw({ kind, text }: Torture.ThrowParams.Reader): never {
    throw new capnp.CapnpError("CAPNP_CALL", text, { kind });
  }

  override null() {
    return { cap: null };
  }

  override broken() {
    return { cap: Promise.reject(new Error("broken as asked")) };
  }

  override alive() {
    return { objects: this.#counters.alive };
  }
}

const calleeOf = ({ callee }: { readonly callee: Torture.Client | null }): Torture.Client => {
  if (callee === null) throw new Error("callee is null: there is nothing to call");
  return callee;
};
