/**
 * What is known of capabilities in results, by their paths. Nearly always it is one path or two, for which a list takes a
 * fraction of the memory of a map with texts as keys, and less time; beyond some it becomes a map.
 */
export class ByPath<T> {
  /** An array that something is pushed to has room for 17; most of these stay with one. */
  #entries: { readonly path: readonly number[]; readonly value: T }[] | undefined;
  #map: Map<string, T> | undefined;

  get size(): number {
    return this.#entries?.length ?? 0;
  }

  get(path: readonly number[]): T | undefined {
    if (this.#map !== undefined) return this.#map.get(path.join());
    const entries = this.#entries ?? noEntries;
    for (let i = 0; i < entries.length; i++) {
      const { path: known, value } = entries[i] as (typeof entries)[number];
      if (areEqual(known, path)) return value as T;
    }
    return undefined;
  }

  /** Adds what is not known yet. */
  add(path: readonly number[], value: T): void {
    if (this.#entries === undefined) {
      this.#entries = [{ path, value }];
      return;
    }
    this.#entries.push({ path, value });
    if (this.#map !== undefined) this.#map.set(path.join(), value);
    else if (this.#entries.length > maxListed) {
      this.#map = new Map(this.#entries.map((entry) => [entry.path.join(), entry.value]));
    }
  }

  /** In the order in which they were added. */
  entries(): readonly { readonly path: readonly number[]; readonly value: T }[] {
    return this.#entries ?? (noEntries as readonly never[]);
  }
}

const maxListed = 8;
const noEntries: readonly { readonly path: readonly number[]; readonly value: unknown }[] = [];

const areEqual = (a: readonly number[], b: readonly number[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};
