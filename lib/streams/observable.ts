import type { Observable as RxObservable } from "rxjs";
import type { Observable, Observer } from "../generated/capstan/observable.capnp.ts";
import type * as $ from "../generated/v1.ts";
import { rxjs } from "../lazy-rxjs.ts";
import { Client } from "../rpc/capability/client.ts";
import type { RemotePromise } from "../rpc/capability/remote-promise.ts";
import { observableModule, observerOf } from "./serve-observable.ts";

/**
 * An rxjs Observable of what an `Observable(T)` capability of `/capstan/observable.capnp` tells. Each subscription is one there, and
 * unsubscribing releases it. It fails with what the other end says, with the error of the call that subscribes, or with
 * CAPNP_DISCONNECTED when the connection is lost.
 *
 * The client stays yours: release it when nobody will subscribe any more; subscriptions go on without it. About values see
 * `observer`.
 */
export const observable = <T extends $.PointerType>(
  client: Observable.Client<T>,
): RxObservable<Observer.NextParams.Reader<T>["value"]> => {
  const { Observable: RxObservable } = rxjs();
  return new RxObservable((subscriber) => {
    const server = observerOf(
      observerClass(client),
      subscriber,
      () => subscriber.closed,
      // A call that fails gives the observer back, too; then its own error is the one to tell.
      (error) =>
        void call.then(
          () => subscriber.error(error),
          () => undefined,
        ),
    );
    const call = client.subscribe({ observer: server } as never) as unknown as RemotePromise<{
      readonly subscription: Client | null;
    }>;
    let subscription: Client | null = null;
    call.then(
      (results) => {
        subscription = results.subscription;
        if (subscriber.closed) release();
      },
      (error: unknown) => subscriber.error(error),
    );
    const release = (): void => {
      if (subscription !== null) Client.release(subscription);
    };
    return () => {
      // A call that has returned cannot be canceled any more.
      call.cancel();
      release();
    };
  });
};

/** The class of observers that an observable takes; its type parameter is bound as that of the client is. */
const observerClass = <T extends $.PointerType>(client: Observable.Client<T>): Observer<T> => {
  const { schema } = observableModule().Observable;
  const bound = client.$schema?.findSuperclass(schema.id) ?? schema;
  const field = bound.methods[0]?.params.fieldsByName.get("observer");
  if (field?.type.which !== "interface" || field.type.schema === undefined) {
    return observableModule().Observer as unknown as Observer<T>;
  }
  return field.type.schema.interfaceClass as unknown as Observer<T>;
};
