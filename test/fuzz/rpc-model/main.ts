/**
 * Plays random conversations of vats against a shadow graph: `npm run fuzz:rpc -- --runs 100000 [--seed N] [--malicious]`
 * [--calm]. `--seed N --runs 1` plays one again and prints what happens in it. Exits 1 for the first seed that fails, with the
 * actions that are needed to make it fail.
 */
import { parseArgs } from "node:util";
import { failureOf, run, type RunOptions, shrink } from "./run.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "100000" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    malicious: { type: "boolean", default: false },
    calm: { type: "boolean", default: false },
  },
});
const first = Number(values.seed);
const runs = Number(values.runs);
const options: RunOptions = { malicious: values.malicious, calm: values.calm };
// Errors are many, and nobody reads where they come from until one is played again.
if (runs > 1) Error.stackTraceLimit = 0;
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
process.on("uncaughtException", (error) => unhandled.push(error));

/** A seed's failure, with rejections that nobody handled. */
const failure = async (seed: number): Promise<Error | undefined> => {
  const error = await failureOf(seed, options);
  const [stray] = unhandled;
  if (error !== undefined || stray === undefined) return error;
  return new Error(`nobody handled this: ${stray instanceof Error ? stray.stack : String(stray)}`);
};

const report = async (seed: number, error: Error): Promise<void> => {
  console.log(`FAILED with --seed ${seed} --runs 1\n${error.stack}\n`);
  const only = await shrink(seed, options, error);
  console.log(`The ${only.size} actions that are needed:`);
  const lines: string[] = [];
  await failureOf(seed, { ...options, only, trace: (line) => lines.push(line) }).then((last) =>
    lines.push(String(last?.message)),
  );
  console.log(lines.join("\n"));
};

const start = performance.now();
let failed: number | undefined;
for (let seed = first; seed < first + runs; seed++) {
  const error = await failure(seed);
  if (error === undefined) continue;
  await report(seed, error);
  failed = seed;
  break;
}
if (runs === 1 && failed === undefined) await run(first, { ...options, trace: console.log });
const seconds = (performance.now() - start) / 1000;
console.log(`${(failed ?? first + runs) - first} runs from --seed ${first} in ${seconds.toFixed(1)} s`);
process.exit(failed === undefined ? 0 : 1);
