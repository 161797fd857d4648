/**
 * Runs the portable part of the tests on Node 20, 22, 24 and 26, Bun and Deno: `npm run test:runtimes`. It installs them into
 * dist/runtimes first. With names and paths, only those: `npm run test:runtimes -- bun deno --only transport/`. A whole run
 * that passes writes the matrix in docs/runtimes.md. Exits 1 where a test fails.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../support/repository.ts";
import { table, writeMatrix } from "./matrix.ts";
import { type RuntimeRun, runOn } from "./run.ts";
import { type Runtime, runtimeNames, runtimesFolder, runtimesOf } from "./runtimes.ts";

/** npm writes it last, so that it tells what is there. */
const installed = join(runtimesFolder, "node_modules/.package-lock.json");

/** Installs the runtimes that the lock file names, unless they are there. No script of theirs runs. */
async function install(): Promise<void> {
  const source = join(repositoryRoot, "test/runtimes");
  const copy = join(runtimesFolder, "package-lock.json");
  const lock = readFileSync(join(source, "package-lock.json"), "utf8");
  if (existsSync(installed) && existsSync(copy) && readFileSync(copy, "utf8") === lock) return;
  mkdirSync(runtimesFolder, { recursive: true });
  for (const file of ["package.json", "package-lock.json"])
    copyFileSync(join(source, file), join(runtimesFolder, file));
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  const npm = process.env.npm_execpath;
  const child =
    npm === undefined
      ? spawn("npm", args, { cwd: runtimesFolder, stdio: "inherit" })
      : spawn(process.execPath, [npm, ...args], { cwd: runtimesFolder, stdio: "inherit" });
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`npm ci in ${runtimesFolder} ended with status ${status}`);
}

/** Runs on each runtime, as many at a time as there are processors, two at most: some tests have a time to keep. */
async function runAll(runtimes: readonly Runtime[], paths: readonly string[]): Promise<RuntimeRun[]> {
  const runs: RuntimeRun[] = [];
  const waiting = [...runtimes.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, runtime] = next;
      const run = await runOn(runtime, paths);
      runs[index] = run;
      const verdict = run.problem === undefined ? "passed" : "FAILED";
      console.log(`${runtime.title} ${run.version}: ${verdict} after ${Math.round(run.seconds)} s`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
  return runs;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string", multiple: true, default: [] } },
});
for (const name of positionals) {
  if (!(runtimeNames as readonly string[]).includes(name)) {
    throw new Error(`${name} is none of ${runtimeNames.join(", ")}`);
  }
}
const runtimes = runtimesOf(`${process.platform}-${process.arch}`).filter(
  ({ name }) => positionals.length === 0 || positionals.includes(name),
);
await install();
const runs = await runAll(runtimes, values.only);

const failed = runs.filter(({ problem }) => problem !== undefined);
for (const { runtime, version, problem, log } of failed) {
  console.log(`\n== ${runtime.title} ${version} (what the tests printed is in ${log})\n\n${problem}`);
}
console.log(`\n${table(runs)}`);
const isWhole = runtimes.length === runtimeNames.length && values.only.length === 0;
if (isWhole && failed.length === 0) writeMatrix(join(repositoryRoot, "docs/runtimes.md"), runs);
process.exitCode = failed.length === 0 ? 0 : 1;
