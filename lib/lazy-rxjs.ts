import { createRequire } from "node:module";
import type * as Rxjs from "rxjs";

const require = createRequire(import.meta.url);
let loaded: typeof Rxjs | undefined;

/**
 * rxjs, loaded at the first use: that takes longer than loading all of this library, and who never observes anything need
 * not wait for it. It is the same module that `import "rxjs"` gives on Node.
 */
export const rxjs = (): typeof Rxjs => {
  loaded ??= require("rxjs") as typeof Rxjs;
  return loaded;
};
