import { CapnpError } from "../errors.ts";

/**
 * A reference to a capability, as a message holds it. What stands behind it is the business of the RPC layer; a message
 * only counts references: it owns one for each entry of its table.
 */
export interface Capability {
  /** Adds a reference and returns what holds it, usually the same object. */
  addRef(): Capability;
  /** Gives one reference back. */
  release(): void;
}

/** The capabilities of one message. A capability pointer in the message is an index into this list. */
export class CapTable {
  readonly #entries: (Capability | null)[];
  /** What was made for the user from an entry; the entry's reference belongs to that object then. */
  #taken: (object | undefined)[] | undefined;
  #released = false;
  /** Called when the message was collected while the table still held something. */
  onForgotten: (() => void) | undefined;

  /** @param entries One reference for each is handed over to the table. */
  constructor(entries: (Capability | null)[] = []) {
    this.#entries = entries;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** True where each entry gives back what it holds once it is collected: nobody needs to release a table that was forgotten. */
  get releasesItself(): boolean {
    return false;
  }

  /** The entry at an index, without a reference for the caller; null where the message says "none" there. */
  get(index: number): Capability | null {
    if (index >= this.#entries.length) {
      throw new CapnpError(
        "CAPNP_CAPABILITY_INDEX",
        `Message contains invalid capability pointer: index ${index} of a table of ${this.#entries.length}.`,
      );
    }
    if (this.#released) {
      throw new CapnpError(
        "CAPNP_RELEASED",
        "This message's capabilities were released. Read a capability before its message is released, and keep what you read.",
      );
    }
    return this.#entries[index] as Capability | null;
  }

  /** Takes over a reference and returns its index. */
  add(capability: Capability | null): number {
    return this.#entries.push(capability) - 1;
  }

  /**
   * The object that stands for an entry on the user's side: made by `make` at the first call, the same one afterwards. It
   * owns the entry's reference from then on: releasing the table leaves it alone.
   */
  take<T extends object>(index: number, make: (capability: Capability) => T): T | null {
    const capability = this.get(index);
    if (capability === null) return null;
    this.#taken ??= [];
    const taken = this.#taken[index];
    if (taken !== undefined) return taken as T;
    const made = make(capability);
    this.#taken[index] = made;
    return made;
  }

  /** The objects that `take` has made. */
  get taken(): readonly object[] {
    return this.#taken === undefined ? [] : this.#taken.filter((one) => one !== undefined);
  }

  /** Gives up the entry at an index, as a pointer to it is overwritten while a message is built. */
  drop(index: number): void {
    const capability = this.#entries[index];
    if (capability === null || capability === undefined) return;
    this.#entries[index] = null;
    if (this.#taken?.[index] === undefined) capability.release();
  }

  /** Hands all references over to the caller and leaves the table released. */
  detach(): (Capability | null)[] {
    this.#released = true;
    return this.#entries.slice();
  }

  /** Gives back every reference that nobody took. Calling it again does nothing. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    for (let i = 0; i < this.#entries.length; i++) {
      if (this.#taken?.[i] === undefined) this.#entries[i]?.release();
    }
  }

  /** The message was collected. */
  forgotten(): void {
    if (this.onForgotten !== undefined && !this.#released && this.#holds) this.onForgotten();
    this.release();
  }

  get #holds(): boolean {
    return this.#entries.some((entry, i) => entry !== null && this.#taken?.[i] === undefined);
  }

  /** The entries as they are, for a connection to describe to its peer. */
  entries(): readonly (Capability | null)[] {
    return this.#entries;
  }
}
