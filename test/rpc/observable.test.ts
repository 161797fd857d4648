import { expect } from "chai";
import {
  BehaviorSubject,
  concat,
  EMPTY,
  from,
  NEVER,
  type Observable,
  of,
  Subject,
  type Subscription,
  throwError,
} from "rxjs";
import { CapnpError } from "../../lib/errors.ts";
import { AnyPointer, Text } from "../../lib/schema/type-argument.ts";
import { observable } from "../../lib/streams/observable.ts";
import { observer, serveObservable } from "../../lib/streams/serve-observable.ts";
import type { Loose } from "../support/loose.ts";
import { quickStream, streaming } from "../support/streams.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../support/vats.ts";

const { Stream, Tick, Ticker } = streaming;

/** What a subscriber hears, each in a word. */
const note = (source: Observable<Loose>, text: (value: Loose) => string) => {
  const heard: string[] = [];
  const errors: Loose[] = [];
  const subscription = source.subscribe({
    next: (value) => heard.push(text(value)),
    complete: () => heard.push("complete"),
    error: (error) => {
      errors.push(error);
      heard.push(`error ${error.message}`);
    },
  });
  return { heard, errors, subscription };
};

const noteTicks = (source: Observable<Loose>) => note(source, ({ n }) => `${n}`);

/** Two vats of which b serves a Ticker with these methods. */
const withTicker = (methods: Loose, options: Loose = {}): { vats: Vats; ticker: Loose } => {
  const servers = new Servers();
  const vats = new Vats({ servers, ...options, b: { ...options.b, bootstrap: servers.make(methods, Ticker) } });
  return { vats, ticker: bootstrapOf(vats.a, Ticker) };
};

/** The same, serving one observable; and that as an rxjs Observable, of which the client is released already. */
const withTicks = async (ticks: Observable<Loose>, options: Loose = {}) => {
  const { vats, ticker } = withTicker({ ticks: () => serveObservable(ticks, Tick, options.serve) as Loose }, options);
  const call = ticker.ticks();
  await vats.settle();
  const client = (await call).ticks;
  ticker.release();
  return { vats, client, ticks$: observable(client) as Observable<Loose> };
};

const ticks = (...numbers: number[]): Observable<Loose> => from(numbers.map((n) => ({ n })));

describe("an observable as a capability", () => {
  it("tells its values and its completion, to each subscriber anew", async () => {
    const { vats, client, ticks$ } = await withTicks(ticks(1, 2, 3));
    const first = noteTicks(ticks$);
    await vats.settle();
    const second = noteTicks(ticks$);
    await vats.settle();
    for (const { heard, subscription } of [first, second]) {
      expect(heard).to.deep.equal(["1", "2", "3", "complete"]);
      expect(subscription.closed).to.equal(true);
    }
    client.release();
    await vats.expectEmpty();
  });

  it("tells values as they come, until the subscriber has had enough; the source is unsubscribed then", async () => {
    const subject = new Subject<Loose>();
    const { vats, client, ticks$ } = await withTicks(subject);
    const { heard, subscription } = noteTicks(ticks$);
    await vats.settle();
    client.release();
    for (const n of [1, 2]) {
      subject.next({ n });
      await vats.settle();
      expect(heard.at(-1)).to.equal(`${n}`);
    }
    expect(subject.observed).to.equal(true);
    subscription.unsubscribe();
    await vats.settle();
    expect(subject.observed).to.equal(false);
    subject.next({ n: 3 });
    await vats.expectEmpty();
    expect(heard).to.deep.equal(["1", "2"]);
  });

  it("is unsubscribed before it has answered, too: what was sent goes nowhere", async () => {
    const subject = new BehaviorSubject<Loose>({ n: 0 });
    const { vats, client, ticks$ } = await withTicks(subject);
    const { heard, errors, subscription } = noteTicks(ticks$);
    subscription.unsubscribe();
    await vats.settle();
    const late = noteTicks(ticks$);
    vats.pair.step();
    await turn();
    late.subscription.unsubscribe();
    await vats.settle();
    expect(subject.observed).to.equal(false);
    expect([heard, errors, late.heard, late.errors]).to.deep.equal([[], [], [], []]);
    client.release();
    await vats.expectEmpty();
  });

  it("is unsubscribed by a subscriber that leaves in the middle of a value", async () => {
    const { vats, client, ticks$ } = await withTicks(concat(ticks(1, 2, 3, 4), NEVER));
    const heard: number[] = [];
    let subscription: Subscription | undefined;
    subscription = ticks$.subscribe(({ n }) => {
      heard.push(n);
      if (n === 2) (subscription as Subscription | undefined)?.unsubscribe();
    });
    await vats.settle();
    expect(heard).to.deep.equal([1, 2]);
    client.release();
    await vats.expectEmpty();
  });

  it("tells its error, of which kind and code stay what they are", async () => {
    const overloaded = new CapnpError("CAPNP_LIMIT", "too many ticks");
    for (const [thrown, code, kind, message] of [
      [overloaded, "CAPNP_LIMIT", "overloaded", "too many ticks"],
      [new TypeError("no tick"), "CAPNP_REMOTE", "failed", "no tick"],
      ["just text", "CAPNP_REMOTE", "failed", "just text"],
    ] as const) {
      const { vats, client, ticks$ } = await withTicks(
        concat(
          ticks(1),
          throwError(() => thrown),
        ),
      );
      const { heard, errors } = noteTicks(ticks$);
      await vats.settle();
      expect(heard).to.deep.equal(["1", `error ${message}`]);
      expect(errors[0]).to.be.instanceOf(CapnpError);
      expect([errors[0].code, errors[0].kind]).to.deep.equal([code, kind]);
      client.release();
      await vats.expectEmpty();
    }
  });

  it("fails as the call that subscribes does", async () => {
    const Class = await observableClass();
    for (const methods of [{}, { subscribe: () => Promise.reject(new CapnpError("CAPNP_LIMIT", "no room")) }]) {
      const servers = new Servers();
      const vats = new Vats({ servers, b: { bootstrap: servers.make(methods, Class) } });
      const here = new Class.Client(servers.make(methods, Class));
      const there = bootstrapOf(vats.a, Class);
      for (const client of [here, there]) {
        const { errors } = noteTicks(observable(client) as Observable<Loose>);
        await vats.settle();
        expect(errors.map(({ kind }) => kind)).to.deep.equal(["subscribe" in methods ? "overloaded" : "unimplemented"]);
        client.release();
      }
      await vats.expectEmpty();
    }
  });

  it("fails with disconnected when the connection is lost; the source is unsubscribed", async () => {
    const subject = new Subject<Loose>();
    const { vats, client, ticks$ } = await withTicks(subject);
    const { heard, errors } = noteTicks(ticks$);
    await vats.settle();
    subject.next({ n: 1 });
    await vats.settle();
    client.release();
    await vats.expectEmptyAfterClose();
    await turn();
    expect(heard[0]).to.equal("1");
    expect(errors.map(({ kind }) => kind)).to.deep.equal(["disconnected"]);
    expect(subject.observed).to.equal(false);
  });

  it("waits for room in the window of the stream: a source that is faster fills a queue, and no connection", async () => {
    const subject = new Subject<Loose>();
    const options = { b: { streamWindow: 2048 }, serve: { maxWaiting: 10 } };
    const { vats, client, ticks$ } = await withTicks(subject, options);
    const { heard } = noteTicks(ticks$);
    await vats.settle();
    const text = "x".repeat(900);
    const before = vats.messages("call", "b").length;
    for (let n = 0; n < 8; n++) subject.next({ n, text });
    await turn();
    expect(vats.messages("call", "b").length - before).to.equal(3);
    await vats.settle();
    expect(heard).to.deep.equal(["0", "1", "2", "3", "4", "5", "6", "7"]);
    // One more than may wait, before anything could be delivered.
    for (let n = 0; n < 20; n++) subject.next({ n, text });
    expect(subject.observed).to.equal(false);
    await vats.settle();
    expect(heard.at(-1)).to.match(/^error The observer is too slow: 10 values/);
    client.release();
    await vats.expectEmpty();
  });

  it("completes after the values that wait", async () => {
    const options = { b: { streamWindow: 64 } };
    const { vats, client, ticks$ } = await withTicks(ticks(...Array(50).keys()), options);
    const { heard } = noteTicks(ticks$);
    await vats.settle();
    expect(heard).to.deep.equal([...Array.from({ length: 50 }, (_, n) => `${n}`), "complete"]);
    client.release();
    await vats.expectEmpty();
  });

  it("carries values of any pointer type", async () => {
    const { vats, ticker } = withTicker({
      texts: () => serveObservable(of("one", "two"), Text) as Loose,
      any: () =>
        serveObservable(of(Tick.newMessage({ n: 7 }), Tick.newMessage({ n: 8 })) as Loose, AnyPointer) as Loose,
    });
    const calls = [ticker.texts(), ticker.any()];
    await vats.settle();
    const texts = (await calls[0]).texts;
    const any = (await calls[1]).any;
    const heardTexts = note(observable(texts) as Observable<Loose>, (value) => value).heard;
    const heardAny = note(observable(any) as Observable<Loose>, (value) => `${value.as(Tick).n}`).heard;
    await vats.settle();
    expect(heardTexts).to.deep.equal(["one", "two", "complete"]);
    expect(heardAny).to.deep.equal(["7", "8", "complete"]);
    for (const client of [texts, any, ticker]) client.release();
    await vats.expectEmpty();
  });

  it("carries capabilities in its values", async () => {
    const quick = quickStream();
    const servers = new Servers();
    const server = servers.make(quick.methods, Stream);
    const { vats, client, ticks$ } = await withTicks(of({ n: 1, cap: server }), { servers });
    const caps: Loose[] = [];
    ticks$.subscribe(({ cap }) => caps.push(cap));
    await vats.settle();
    caps[0].write({ n: 5 });
    await vats.settle();
    expect(quick.numbers).to.deep.equal([5]);
    caps[0].release();
    client.release();
    await vats.expectEmpty();
    servers.expectDisposed();
  });

  it("works within one vat, and for sources that are over at once", async () => {
    const Class = await observableClass();
    for (const [source, expected] of [
      [EMPTY, ["complete"]],
      [ticks(1), ["1", "complete"]],
    ] as const) {
      const client = new Class.Client(serveObservable(source as Loose, Tick) as Loose);
      const { heard } = noteTicks(observable(client) as Observable<Loose>);
      await turn();
      await turn();
      expect(heard).to.deep.equal(expected);
      client.release();
    }
  });

  it("stops what it told when it is asked to, with a call instead of a release", async () => {
    const subject = new Subject<Loose>();
    const Class = await observableClass();
    const client = new Class.Client(serveObservable(subject, Tick) as Loose);
    const heard: number[] = [];
    const { subscription } = await client.subscribe({
      observer: observer(
        new (class extends Subject<Loose> {
          override next(value: Loose): void {
            heard.push(value.n);
          }
        })(),
        Tick,
      ) as Loose,
    });
    subject.next({ n: 1 });
    await turn();
    await subscription.unsubscribe();
    expect(subject.observed).to.equal(false);
    expect(heard).to.deep.equal([1]);
    expect((await rejection(client.subscribe({ observer: null }))).code).to.equal("CAPNP_NULL_CAPABILITY");
    for (const one of [subscription, client]) one.release();
  });
});

describe("an observer as a capability", () => {
  it("passes on what it is told to a Subject; nothing comes after the end", async () => {
    const told: Loose[] = [];
    const { vats, ticker } = withTicker({
      watch({ observer: watcher }: Loose) {
        told.push(watcher);
      },
    });
    const subject = new Subject<Loose>();
    const { heard } = noteTicks(subject);
    const call = ticker.watch({ observer: observer(subject, Tick) });
    await vats.settle();
    await call;
    const [watcher] = told;
    watcher.next({ value: { n: 1 } });
    watcher.next({ value: { n: 2 } });
    const completed = watcher.complete();
    await vats.settle();
    await completed;
    expect(heard).to.deep.equal(["1", "2", "complete"]);
    const late = watcher.next({ value: { n: 3 } });
    await vats.settle();
    await late;
    const after = watcher.next({ value: { n: 4 } });
    expect((await rejection(after)).message).to.include("unsubscribed");
    for (const one of [watcher, ticker]) one.release();
    await vats.expectEmpty();
    expect(heard).to.deep.equal(["1", "2", "complete"]);
  });

  it("fails with disconnected when it is released without an end", async () => {
    const { vats, ticker } = withTicker({ watch: ({ observer: watcher }: Loose) => watcher.release() });
    const subject = new Subject<Loose>();
    const { errors } = noteTicks(subject);
    const call = ticker.watch({ observer: observer(subject, Tick) });
    await vats.settle();
    await call;
    expect(errors.map(({ code }) => code)).to.deep.equal(["CAPNP_DISCONNECTED"]);
    ticker.release();
    await vats.expectEmpty();
  });

  it("keeps a code that it does not know as CAPNP_REMOTE, and a kind that it does not know as failed", async () => {
    const { vats, ticker } = withTicker({
      async watch({ observer: watcher }: Loose) {
        await watcher.error({ error: { reason: "odd", kind: "disconnected", code: "CAPNP_FROM_THE_FUTURE" } });
        watcher.release();
      },
    });
    const subject = new Subject<Loose>();
    const { errors } = noteTicks(subject);
    const call = ticker.watch({ observer: observer(subject, Tick) });
    await vats.settle();
    await call;
    expect(errors.map(({ code, kind, message }) => [code, kind, message])).to.deep.equal([
      ["CAPNP_REMOTE", "disconnected", "odd"],
    ]);
    ticker.release();
    await vats.expectEmpty();
  });
});

/** The interface of observables of ticks, of the fixture's own universe. */
const observableClass = async (): Promise<Loose> => {
  const { ticks: method } = Object.fromEntries(Ticker.schema.allMethods) as Loose;
  return method.results.fieldsByName.get("ticks").type.schema.interfaceClass;
};
