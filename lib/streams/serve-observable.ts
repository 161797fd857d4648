import type { Observer as RxObserver, Subscribable } from "rxjs";
import { CapnpError, type ErrorCode, errorCodes } from "../errors.ts";
import type {
  Observable,
  Observer,
  Subscription,
  Error as SchemaError,
} from "../generated/capstan/observable.capnp.ts";
import type * as $ from "../generated/v1.ts";
import { observableNodes } from "../std/late-nodes.ts";
import { Feed, type ObserverClient } from "./feed.ts";
import { lateModule } from "./late-module.ts";

/** What `/capstan/observable.capnp` declares. */
export const observableModule = lateModule<{
  readonly Observable: Observable;
  readonly Observer: Observer;
  readonly Subscription: Subscription;
}>(0xe0c5634ff5344b7cn, observableNodes);

export interface ServeObservableOptions {
  /** Values that may wait until an observer has room for them; one more fails its subscription with CAPNP_LIMIT. Default: 1,024. */
  readonly maxWaiting?: number;
}

/**
 * A server object for `Observable(T)` of `/capstan/observable.capnp`: pass it, or return it, where a schema has one. Each
 * subscriber subscribes to the source anew, and unsubscribes when it releases its subscription or its connection is lost.
 *
 * Values are sent as fast as the flow window of the subscriber's connection has room; an error keeps its kind and code.
 *
 * @param source An rxjs Observable or Subject.
 * @param type What T is: a struct or interface class, `listOf(...)`, `Text`, `Data` or `AnyPointer`.
 */
export const serveObservable = <A extends $.PointerArgument>(
  source: Subscribable<$.SetOf<$.PointerFor<A>>>,
  type: A,
  options: ServeObservableOptions = {},
): Observable.Server<$.PointerFor<A>> => {
  const { maxWaiting = 1024 } = options;
  const { Observable: Any, Subscription: AnySubscription } = observableModule();
  class SubscriptionServer extends AnySubscription.Server {
    readonly #feed: Feed;

    constructor(feed: Feed) {
      super();
      this.#feed = feed;
    }

    override unsubscribe(): void {
      this.#feed.stop();
    }

    [Symbol.dispose](): void {
      this.#feed.stop();
    }
  }
  class Server extends (Any.of(type).Server as abstract new () => $.InterfaceServer) {
    subscribe({ observer }: { readonly observer: ObserverClient | null }): {
      readonly subscription: SubscriptionServer;
    } {
      if (observer === null) throw new CapnpError("CAPNP_NULL_CAPABILITY", "Observable.subscribe needs an observer.");
      let subscribed: { unsubscribe(): void } | undefined;
      let isStopped = false;
      const feed = new Feed(observer, maxWaiting, () => {
        isStopped = true;
        subscribed?.unsubscribe();
      });
      subscribed = source.subscribe(feed);
      // A source may be over, or the observer gone, before `subscribe` has returned.
      if (isStopped) subscribed.unsubscribe();
      return { subscription: new SubscriptionServer(feed) };
    }
  }
  return new Server() as unknown as Observable.Server<$.PointerFor<A>>;
};

/** What an observer was told that something failed with. */
const errorFrom = (error: SchemaError.Reader | null): CapnpError => {
  const code = error !== null && Object.hasOwn(errorCodes, error.code) ? (error.code as ErrorCode) : "CAPNP_REMOTE";
  const kind = typeof error?.kind === "string" ? error.kind : "failed";
  return new CapnpError(code, error?.reason ?? "", { kind });
};

/**
 * A server object for `Observer(T)` of `/capstan/observable.capnp` that passes on what it is told to an observer here, such as an
 * rxjs Subject. What was released by whoever told it, or lost with the connection, without `complete` or `error`, fails with
 * CAPNP_DISCONNECTED.
 *
 * A value is read where it arrived. Capabilities in it are released when the observer's `next` has returned, but for those that
 * were read by then.
 *
 * @param type What T is: a struct or interface class, `listOf(...)`, `Text`, `Data` or `AnyPointer`.
 */
export const observer = <A extends $.PointerArgument>(
  target: RxObserver<Observer.NextParams.Reader<$.PointerFor<A>>["value"]>,
  type: A,
): Observer.Server<$.PointerFor<A>> => observerOf(observableModule().Observer.of(type), target);

/**
 * The same for an interface class.
 *
 * @param isClosed Whether the target wants no more.
 * @param lost Told in place of the target when nothing more can come.
 */
export const observerOf = <T extends $.PointerType>(
  Interface: Observer<T>,
  target: RxObserver<Observer.NextParams.Reader<T>["value"]>,
  isClosed: () => boolean = () => false,
  lost: (error: CapnpError) => void = (error) => target.error(error),
): Observer.Server<T> => {
  let isOver = false;
  class Server extends (Interface.Server as abstract new () => $.InterfaceServer) {
    next({ value }: { readonly value: Observer.NextParams.Reader<T>["value"] }): void {
      if (isOver || isClosed()) throw new CapnpError("CAPNP_CANCELED", "The observer has unsubscribed.");
      target.next(value);
    }

    complete(): void {
      if (isOver) return;
      isOver = true;
      target.complete();
    }

    error({ error }: { readonly error: SchemaError.Reader | null }): void {
      if (isOver) return;
      isOver = true;
      target.error(errorFrom(error));
    }

    [Symbol.dispose](): void {
      if (isOver || isClosed()) return;
      isOver = true;
      lost(
        new CapnpError(
          "CAPNP_DISCONNECTED",
          "The observer was released before the observable was complete, or the connection with it was lost.",
        ),
      );
    }
  }
  return new Server() as unknown as Observer.Server<T>;
};
