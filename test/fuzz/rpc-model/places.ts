import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import type { Edge } from "./shadow.ts";

const { Node } = testSchema;

/** Where a `Pack` has capabilities. */
export const places = ["cap", "any", "group", "nested", "chosen"] as const;
export type Place = (typeof places)[number];

/** What is to be put there. */
export type Places = ReadonlyMap<Place, { readonly client: Loose; readonly edge: Edge }>;

/** A `Pack` as a plain object. */
export const packOf = (number: number, given: Places): Loose => {
  const pack: Loose = { number };
  for (const [place, { client }] of given) {
    if (place === "group" || place === "nested") pack[place] = { cap: client };
    else pack[place] = client;
  }
  return pack;
};

/** The capability at a place of a `Pack` that is read. */
export const readAt = (pack: Loose, place: Place): Loose => {
  switch (place) {
    case "any":
      return pack.any.as(Node);
    case "group":
      return pack.group.cap;
    case "nested":
      return pack.nested.cap;
    default:
      return pack[place];
  }
};
