/**
 * Rows under ids that this side chooses, always the lowest that is free: small numbers pack best (rpc.capnp, "The Four
 * Tables").
 */
export class IdTable<Id extends number, Row> {
  readonly #rows: (Row | undefined)[] = [];
  /** Freed ids below the end, a binary heap with the lowest first. */
  readonly #free: number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: Id | number): Row | undefined {
    return this.#rows[id];
  }

  add(make: (id: Id) => Row): Row {
    const id = (this.#free.length > 0 ? this.#takeLowest() : this.#rows.length) as Id;
    const row = make(id);
    this.#rows[id] = row;
    this.#size++;
    return row;
  }

  delete(id: Id): void {
    if (this.#rows[id] === undefined) return;
    this.#rows[id] = undefined;
    this.#size--;
    if (this.#size === 0) {
      this.#rows.length = 0;
      this.#free.length = 0;
    } else this.#putFree(id);
  }

  /** Empties the table and returns what was in it. */
  clear(): Row[] {
    const rows = this.#rows.filter((row) => row !== undefined);
    this.#rows.length = 0;
    this.#free.length = 0;
    this.#size = 0;
    return rows;
  }

  values(): Row[] {
    return this.#rows.filter((row) => row !== undefined);
  }

  /** What is wrong with the table itself. */
  check(name: string): string[] {
    const problems: string[] = [];
    const rows = this.values().length;
    if (rows !== this.#size) problems.push(`${name} has ${rows} rows and counts ${this.#size}`);
    const free = new Set(this.#free);
    if (free.size !== this.#free.length) problems.push(`${name} has an id twice among those that are free`);
    for (const id of free) if (this.#rows[id] !== undefined) problems.push(`${name} holds ${id} to be free`);
    if (rows + free.size !== this.#rows.length) problems.push(`${name} has lost an id that is free`);
    return problems;
  }

  #putFree(id: number): void {
    const heap = this.#free;
    let i = heap.push(id) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if ((heap[parent] as number) <= id) break;
      heap[i] = heap[parent] as number;
      i = parent;
    }
    heap[i] = id;
  }

  #takeLowest(): number {
    const heap = this.#free;
    const lowest = heap[0] as number;
    const last = heap.pop() as number;
    const size = heap.length;
    if (size === 0) return lowest;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && (heap[child + 1] as number) < (heap[child] as number)) child++;
      if ((heap[child] as number) >= last) break;
      heap[i] = heap[child] as number;
      i = child;
    }
    heap[i] = last;
    return lowest;
  }
}
