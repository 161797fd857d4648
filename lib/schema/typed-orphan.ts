import type { Orphan as UntypedOrphan } from "../serialization/orphan.ts";
import type { BuilderOf, Type } from "./type-views.ts";

declare const content: unique symbol;

/** What was taken out of a message, to be adopted elsewhere; see {@link UntypedOrphan}. */
export interface Orphan<T extends Type> extends UntypedOrphan {
  readonly [content]?: BuilderOf<T>;
}
