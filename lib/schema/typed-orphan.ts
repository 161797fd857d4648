import type { Orphan as UntypedOrphan } from "./orphan.ts";
import type { PointerArgument, PointerFor } from "./typed-any-pointer.ts";
import type { BuilderOf, ReaderOf, Type } from "./type-views.ts";

declare const content: unique symbol;

/** What was taken out of a message, to be adopted elsewhere; see {@link UntypedOrphan}. */
export interface Orphan<T extends Type> extends UntypedOrphan {
  readonly [content]?: BuilderOf<T>;
  get(): BuilderOf<T>;
  getReader(): ReaderOf<T>;
  as<A extends PointerArgument>(type: A): Orphan<PointerFor<A>>;
  as(type: unknown): UntypedOrphan;
}
