/** What a worker tries at the moment, where the main thread sees it even while the worker hangs or is out of memory. */
export class SharedInput {
  static readonly maxLength = 1 << 20;
  readonly buffer: SharedArrayBuffer;
  readonly #header: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(16 + SharedInput.maxLength)) {
    this.buffer = buffer;
    this.#header = new Int32Array(buffer, 0, 4);
    this.#bytes = new Uint8Array(buffer, 16);
  }

  begin(input: Uint8Array): void {
    this.#bytes.set(input);
    Atomics.store(this.#header, 1, input.length);
    Atomics.add(this.#header, 0, 1);
  }

  end(): void {
    Atomics.add(this.#header, 0, 1);
  }

  /** Odd while an input is being tried; two for each input. */
  get count(): number {
    return Atomics.load(this.#header, 0);
  }

  get current(): Uint8Array {
    return this.#bytes.slice(0, Atomics.load(this.#header, 1));
  }

  stop(): void {
    Atomics.store(this.#header, 2, 1);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#header, 2) === 1;
  }
}
