import type * as Rxjs from "rxjs";

/** What of rxjs an end of a connection needs. */
export type Observables = Pick<typeof Rxjs, "BehaviorSubject" | "Observable">;

let loaded: typeof Rxjs | undefined;
let given: Observables | undefined;

/**
 * rxjs, loaded at the first use: that takes longer than loading all of this library, and who never observes anything need
 * not wait for it. It is the same module that `import "rxjs"` gives on Node.
 */
export const rxjs = (): typeof Rxjs => {
  // Asked for rather than imported: what the browser entry reaches imports nothing of Node.
  loaded ??= process.getBuiltinModule("node:module").createRequire(import.meta.url)("rxjs") as typeof Rxjs;
  return loaded;
};

/** The same on Node; elsewhere, what the entry gave, which a bundler has to find by an import. */
export const observables = (): Observables => given ?? rxjs();

export const useObservables = (parts: Observables): void => {
  given = parts;
};

/** Tells one last value. It is what `of` does, which brings half of rxjs with it. */
export const ended = <T>(Observable: typeof Rxjs.Observable, value: T): Rxjs.Observable<T> =>
  new Observable((observer) => {
    observer.next(value);
    observer.complete();
  });
