import { SchemaLoader } from "./loader.ts";

let shared = new SchemaLoader();

/**
 * The universe of this process: what `load`, the import hooks and generated modules declare. So a type is the same type by
 * whichever way it came in.
 */
export const sharedLoader = (): SchemaLoader => shared;

/** Begins a new universe. What the old one declared stays usable. */
export const forgetSharedLoader = (): void => {
  shared = new SchemaLoader();
};
