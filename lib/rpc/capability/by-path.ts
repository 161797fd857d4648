/**
 * What is known of capabilities in results, by their paths. Nearly always it is one path or two, for which a list takes a
 * fraction of the memory of a map with texts as keys, and less time; beyond some it becomes a map.
 */
export class ByPath<T> {
  readonly #entries: { readonly path: readonly number[]; readonly value: T }[] = [];
  #map: Map<string, T> | undefined;

  get size(): number {
    return this.#entries.length;
  }

  get(path: readonly number[]): T | undefined {
    if (this.#map !== undefined) return this.#map.get(path.join());
    for (const { path: known, value } of this.#entries) if (areEqual(known, path)) return value;
    return undefined;
  }

  /** Adds what is not known yet. */
  add(path: readonly number[], value: T): void {
    this.#entries.push({ path, value });
    if (this.#map !== undefined) this.#map.set(path.join(), value);
    else if (this.#entries.length > maxListed) {
      this.#map = new Map(this.#entries.map((entry) => [entry.path.join(), entry.value]));
    }
  }

  /** In the order in which they were added. */
  entries(): readonly { readonly path: readonly number[]; readonly value: T }[] {
    return this.#entries;
  }
}

const maxListed = 8;

const areEqual = (a: readonly number[], b: readonly number[]): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
};
