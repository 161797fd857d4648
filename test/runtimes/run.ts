import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { repositoryRoot } from "../support/repository.ts";
import { type Runtime, runtimesFolder } from "./runtimes.ts";
import { readEvents, type SuiteEvent } from "./suite-events.ts";

export interface RuntimeRun {
  readonly runtime: Runtime;
  readonly version: string;
  readonly events: readonly SuiteEvent[];
  /** What is wrong with the run; undefined where it passed. */
  readonly problem: string | undefined;
  readonly seconds: number;
  /** What the tests printed. */
  readonly log: string;
}

/** Nothing of a run takes longer. Who takes longer hangs, and is killed. */
const longestRun = 1_800_000;

const environment = (): NodeJS.ProcessEnv => {
  // Options of the Node that runs this are none of the others', and FORCE_COLOR=0 means colors to Deno.
  const { NODE_OPTIONS: _, FORCE_COLOR: _colors, ...rest } = process.env;
  return {
    ...rest,
    NO_COLOR: "1",
    CAPSTAN_WITHOUT_PEERS: "1",
    CAPSTAN_REQUIRE_INTEROP: "0",
    DENO_DIR: join(runtimesFolder, "deno"),
    DENO_NO_UPDATE_CHECK: "1",
  };
};

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], env: environment() });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
  });
  const [status] = (await once(child, "close")) as [number | null];
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with status ${status}`);
  return text;
}

const versionOf = async ({ command, name }: Runtime): Promise<string> => {
  const expression = name === "deno" ? "Deno.version.deno" : name === "bun" ? "Bun.version" : "process.versions.node";
  const args = name === "deno" ? ["eval"] : ["-e"];
  return (await outputOf(command, [...args, `console.log(${expression})`])).trim();
};

/** What ended the process, if that was not the tests' own verdict. */
async function endOf(child: ChildProcess): Promise<string | undefined> {
  let hangs = false;
  const timer = setTimeout(() => {
    hangs = true;
    child.kill("SIGKILL");
  }, longestRun);
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timer);
  if (hangs) return `was still running after ${longestRun / 1000} s`;
  return status === 0 || status === 1 ? undefined : `ended with ${signal ?? `status ${status}`}`;
}

/** Says what is wrong with a run whose process ended, for whatever reason. */
function problemOf(events: readonly SuiteEvent[], end: string | undefined): string | undefined {
  const problems = events.flatMap((event) => {
    if (event.event === "failed") return [`${event.file}: ${event.title}\n${event.error}`];
    if (event.event === "stale") return [`no test is what an exception names: ${event.file} "${event.title}"`];
    if (event.event === "skipped" && event.reason === undefined) {
      return [`${event.file}: ${event.title}\nskipped itself, and no exception says why`];
    }
    return [];
  });
  const last = events.flatMap((event) => (event.event === "began" ? [event] : [])).at(-1);
  if (!events.some(({ event }) => event === "ended")) {
    const where = last === undefined ? "before the first test" : `in ${last.file}: ${last.title}`;
    problems.unshift(`the run ${end ?? "ended"} ${where}`);
  } else if (end !== undefined) {
    problems.unshift(`the run ${end} after its last test`);
  }
  return problems.length === 0 ? undefined : problems.join("\n\n");
}

/** Runs the portable part of the tests, or those whose paths begin so, on one runtime. */
export async function runOn(runtime: Runtime, paths: readonly string[]): Promise<RuntimeRun> {
  if (!existsSync(runtime.command))
    throw new Error(`${runtime.title} is not installed: there is no ${runtime.command}`);
  const version = await versionOf(runtime);
  const out = join(runtimesFolder, `${runtime.name}.jsonl`);
  const log = join(runtimesFolder, `${runtime.name}.log`);
  rmSync(out, { force: true });
  const began = Date.now();
  const child = spawn(
    runtime.command,
    [...runtime.args, join(import.meta.dirname, "suite.js"), runtime.name, out, ...paths],
    { cwd: repositoryRoot, env: environment(), stdio: ["ignore", "pipe", "pipe"] },
  );
  const stream = createWriteStream(log);
  child.stdout.pipe(stream, { end: false });
  child.stderr.pipe(stream, { end: false });
  const end = await endOf(child);
  stream.end();
  const events = existsSync(out) ? readEvents(out) : [];
  return { runtime, version, events, problem: problemOf(events, end), seconds: (Date.now() - began) / 1000, log };
}
