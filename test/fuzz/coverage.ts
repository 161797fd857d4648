import { type Profiler, Session } from "node:inspector";

/** Tells which blocks of this library's code ran since it was asked last. */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  get size(): number {
    return this.#seen.size;
  }

  forget(): void {
    this.#seen.clear();
  }

  /** Blocks that ran now and never before. */
  take(): string[] {
    let scripts: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw error;
      scripts = answer.result;
    });
    const fresh: string[] = [];
    for (const { url, functions } of scripts) {
      if (!url.includes("/lib/") || url.includes("node_modules")) continue;
      for (const { ranges } of functions) {
        for (const { startOffset, endOffset, count } of ranges) {
          const key = `${url}:${startOffset}-${endOffset}`;
          if (count === 0 || this.#seen.has(key)) continue;
          this.#seen.add(key);
          fresh.push(key);
        }
      }
    }
    return fresh;
  }
}
