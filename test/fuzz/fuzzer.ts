import { Worker } from "node:worker_threads";
import { setTimeout as sleep } from "node:timers/promises";
import { SharedInput } from "./shared-input.ts";
import type { TargetName } from "./targets.ts";
import type { WorkerReport, WorkerTask } from "./worker.ts";

/** How long one input may take, in milliseconds of processor time, and how much memory. */
const maxMilliseconds = 1000;
const maxMemory = 256 * 2 ** 20;

export type FindingKind = "error" | "hang" | "memory" | "crash";

export interface Finding {
  readonly kind: FindingKind;
  readonly message: string;
  readonly input: Uint8Array;
}

export interface FuzzResult {
  readonly runs: number;
  readonly blocks: number;
  readonly corpus: readonly Uint8Array[];
  readonly findings: readonly Finding[];
  readonly peakMiB: number;
}

interface Outcome {
  readonly kind: FindingKind;
  readonly message: string;
}

const processorTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Errors that arise at the same place count as one. */
const placeOf = (message: string, stack: string): string =>
  `${message.replaceAll(/\d+|0x[0-9a-f]+|'[^']*'/g, "#").slice(0, 60)} ${/at .*/.exec(stack)?.[0] ?? ""}`;

/** Runs inputs in a worker thread, watches it, and starts it anew when an input has ended it. */
export class Fuzzer {
  readonly #target: TargetName;
  readonly #kept: Uint8Array[];
  #seed: number;
  readonly #findings = new Map<string, Finding>();
  #runs = 0;
  #peak = 0;

  constructor(target: TargetName, corpus: readonly Uint8Array[], seed: number) {
    this.#target = target;
    this.#kept = [...corpus];
    this.#seed = seed;
  }

  async run(seconds: number): Promise<FuzzResult> {
    const end = performance.now() + seconds * 1000;
    let done: Extract<WorkerReport, { readonly which: "done" }> | undefined;
    while (done === undefined) done = await this.#round(end);
    const findings: Finding[] = [];
    for (const finding of this.#findings.values()) findings.push(await this.#minimized(finding));
    const { blocks, corpus } = done;
    return { runs: this.#runs, blocks, corpus, findings, peakMiB: Math.round(this.#peak / 2 ** 20) };
  }

  #start(shared: SharedInput, corpus: readonly Uint8Array[], isProbe: boolean): Worker {
    const task: WorkerTask = { target: this.#target, seed: this.#seed++, corpus, shared: shared.buffer, isProbe };
    const resourceLimits = { maxOldGenerationSizeMb: 512, stackSizeMb: 4 };
    return new Worker(new URL("./worker.js", import.meta.url), { workerData: task, resourceLimits });
  }

  /** One worker's life; undefined where an input ended it. */
  async #round(end: number): Promise<Extract<WorkerReport, { readonly which: "done" }> | undefined> {
    const shared = new SharedInput();
    const worker = this.#start(shared, this.#kept, false);
    let done: Extract<WorkerReport, { readonly which: "done" }> | undefined;
    let crash: string | undefined;
    let exited = false;
    worker.on("message", (report: WorkerReport) => {
      if (report.which === "done") done = report;
      else if (report.which === "kept") this.#kept.push(report.input);
      else
        this.#record(
          placeOf(report.message, report.stack),
          "error",
          `${report.message}\n${report.stack}`,
          report.input,
        );
    });
    worker.on("error", (error: Error) => {
      crash = String(error);
    });
    worker.on("exit", () => {
      exited = true;
    });
    const before = process.memoryUsage.rss();
    let count = -1;
    let since = processorTime();
    while (!exited) {
      await sleep(20);
      if (performance.now() > end) shared.stop();
      if (shared.count !== count) {
        count = shared.count;
        since = processorTime();
      }
      const grown = process.memoryUsage.rss() - before;
      this.#peak = Math.max(this.#peak, grown);
      const isHung = count % 2 === 1 && processorTime() - since > maxMilliseconds;
      if (isHung || grown > maxMemory) {
        const input = shared.current;
        await worker.terminate();
        await this.#confirm(input);
      }
    }
    if (crash !== undefined) await this.#confirm(shared.current);
    this.#runs += shared.count >> 1;
    return done;
  }

  #record(place: string, kind: FindingKind, message: string, input: Uint8Array): void {
    const known = this.#findings.get(place);
    if (known === undefined || input.length < known.input.length) this.#findings.set(place, { kind, message, input });
  }

  async #confirm(input: Uint8Array): Promise<void> {
    const outcome = await this.#probe(input);
    if (outcome !== undefined) this.#record(`${outcome.kind} ${outcome.message}`, outcome.kind, outcome.message, input);
  }

  /** What is wrong with an input when it is tried alone. */
  async #probe(input: Uint8Array): Promise<Outcome | undefined> {
    const shared = new SharedInput();
    let outcome: Outcome | undefined;
    let exited = false;
    const before = process.memoryUsage.rss();
    const worker = this.#start(shared, [input], true);
    worker.on("message", (report: WorkerReport) => {
      if (report.which === "error") outcome = { kind: "error", message: placeOf(report.message, report.stack) };
    });
    worker.on("error", (error: Error) => {
      outcome = { kind: "crash", message: String(error) };
    });
    worker.on("exit", () => {
      exited = true;
    });
    let since: number | undefined;
    while (!exited) {
      await sleep(5);
      if (since === undefined && shared.count > 0) since = processorTime();
      const grown = process.memoryUsage.rss() - before;
      this.#peak = Math.max(this.#peak, grown);
      // a thread of its own takes some megabytes
      if (grown > maxMemory + 32 * 2 ** 20) outcome = { kind: "memory", message: "memory grew by more than 256 MiB" };
      if (since !== undefined && processorTime() - since > maxMilliseconds)
        outcome ??= { kind: "hang", message: "took more than 1 s" };
      if (outcome?.kind === "hang" || outcome?.kind === "memory") await worker.terminate();
    }
    return outcome;
  }

  /** Leaves out pieces for as long as the input fails in the same way. */
  async #minimized(finding: Finding): Promise<Finding> {
    const expected = await this.#probe(finding.input);
    if (expected === undefined) return finding;
    const end = performance.now() + 20_000;
    let { input } = finding;
    for (let length = input.length >> 1; length >= 1; length >>= 1) {
      for (let at = 0; at < input.length && performance.now() < end; ) {
        const shorter = Buffer.concat([input.subarray(0, at), input.subarray(at + length)]);
        const outcome = await this.#probe(shorter);
        if (outcome?.kind === expected.kind && outcome.message === expected.message) input = shorter;
        else at += length;
      }
    }
    return { ...finding, input };
  }
}
