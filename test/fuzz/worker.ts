import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";
import { Random } from "../support/random-schema/random.ts";
import { randomSchema } from "../support/random-schema/random-schema.ts";
import { textOf } from "../support/random-schema/statement.ts";
import { Coverage } from "./coverage.ts";
import { mutateMessage } from "./mutate-message.ts";
import { mutateText } from "./mutate-text.ts";
import { SharedInput } from "./shared-input.ts";
import { type TargetName, targets } from "./targets.ts";

export interface WorkerTask {
  readonly target: TargetName;
  readonly seed: number;
  readonly corpus: readonly Uint8Array[];
  readonly shared: SharedArrayBuffer;
  /** Set for trying the inputs once, as they are. */
  readonly isProbe: boolean;
}

export type WorkerReport =
  | { readonly which: "error"; readonly input: Uint8Array; readonly message: string; readonly stack: string }
  | { readonly which: "kept"; readonly input: Uint8Array }
  | { readonly which: "done"; readonly blocks: number; readonly corpus: readonly Uint8Array[] };

const task = workerData as WorkerTask;
const shared = new SharedInput(task.shared);
const report = (message: WorkerReport): void => parentPort!.postMessage(message);
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function attempt(input: Uint8Array): void {
  shared.begin(input);
  try {
    targets[task.target](input.slice());
  } catch (error) {
    const { message, stack = "" } = error as Error;
    report({ which: "error", input, message, stack });
  }
  shared.end();
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

function mutated(corpus: readonly Uint8Array[], random: Random): Uint8Array {
  const input = random.pick(corpus);
  const other = random.pick(corpus);
  if (task.target !== "compiler") return mutateMessage(input, other, random);
  if (random.chance(0.02)) {
    const [file] = randomSchema(random.below(2 ** 31), "s").files;
    return Buffer.from(mutateText(Buffer.from(textOf(file!)).toString("latin1"), "", random), "latin1");
  }
  return Buffer.from(mutateText(latin1(input), latin1(other), random), "latin1");
}

/** The smallest inputs that together reach all that was reached. */
function distilled(corpus: readonly Uint8Array[], coverage: Coverage): Uint8Array[] {
  coverage.forget();
  const bySize = [...corpus].sort((a, b) => a.length - b.length);
  return bySize.filter((input) => {
    attempt(input);
    return coverage.take().length > 0;
  });
}

function fuzz(): void {
  const random = new Random(task.seed);
  const coverage = new Coverage();
  const corpus = [...task.corpus];
  for (const input of corpus) attempt(input);
  coverage.take();
  const start = process.memoryUsage.rss();
  while (!shared.isStopped) {
    const batch = Array.from({ length: 24 }, () => mutated(corpus, random)).filter(
      ({ length }) => length <= SharedInput.maxLength,
    );
    const found: Uint8Array[] = [];
    for (const input of batch) {
      attempt(input);
      // Asking takes longer than most inputs do: only one in a few is asked for, and answers for those before it.
      if (random.chance(0.25) && coverage.take().length > 0) found.push(input);
    }
    for (const input of found) {
      corpus.push(input);
      report({ which: "kept", input });
    }
    if (process.memoryUsage.rss() - start > 96 * 2 ** 20) collectGarbage();
  }
  report({ which: "done", blocks: coverage.size, corpus: distilled(corpus, coverage) });
}

if (task.isProbe) for (const input of task.corpus) attempt(input);
else fuzz();
