/** A promise that a test keeps when it likes. */
export const deferred = <T>(): { readonly promise: Promise<T>; resolve(value: T): void } => {
  let resolve = (_value: T): void => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve: (value) => resolve(value) };
};
