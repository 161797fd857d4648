/**
 * The name of a result's accessor in a pipeline. `then`, `catch` and `finally` get another one: the promise of the results
 * has methods of these names, and whatever has a `then` is taken for a promise.
 */
export const pipelineName = (name: string): string =>
  name === "then" || name === "catch" || name === "finally" ? `${name}_` : name;
