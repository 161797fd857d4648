import { join } from "node:path";
import { isInstalled, RunningProcess } from "./processes.ts";
import { repositoryRoot } from "./repository.ts";

/** Absolute paths of the programs that test/interop/cpp builds. */
export interface CppPeers {
  readonly server: string;
  readonly client: string;
}

const cpp = join(repositoryRoot, "test/interop/cpp");
const installation = "apt-get install capnproto libcapnp-dev pkg-config g++ make";
const buildTimeout = 180_000;

async function missingTools(): Promise<string[]> {
  const missing: string[] = [];
  for (const tool of ["capnp", "g++", "make", "pkg-config"]) {
    if (!(await isInstalled(tool))) missing.push(tool);
  }
  if (missing.length > 0) return missing;
  const libraries = await new RunningProcess("pkg-config", ["--exists", "kj-tls", "capnp-rpc"]).finished();
  return libraries.status === 0 ? [] : ["libcapnp-dev"];
}

async function build(): Promise<CppPeers | { readonly missing: readonly string[] }> {
  const missing = await missingTools();
  if (missing.length > 0) return { missing };
  const { status, stdout, stderr } = await new RunningProcess("make", ["-C", cpp], {
    timeout: buildTimeout,
  }).finished();
  if (status !== 0) throw new Error(`make -C ${cpp} ended with status ${status}\n${stdout}${stderr}`);
  return { server: join(cpp, "build/calculator-server"), client: join(cpp, "build/calculator-client") };
}

/** The tests that `skipInterop` has skipped, or the suites of the hooks that it was called in. */
export const needsPeers = new WeakSet<Mocha.Runnable | Mocha.Suite>();

/** Skips the tests of a hook that needs what is not installed, or fails them where CAPSTAN_REQUIRE_INTEROP is 1. */
export function skipInterop(context: Mocha.Context, problem: string): never {
  if (process.env.CAPSTAN_REQUIRE_INTEROP === "1") throw new Error(problem);
  console.warn(`      skipped: ${problem}`);
  const test = context.test as Mocha.Hook | Mocha.Test | undefined;
  const place = test?.type === "hook" ? test.parent : test;
  if (place !== undefined) needsPeers.add(place);
  return context.skip();
}

let built: ReturnType<typeof build> | undefined;

/**
 * The C++ peers, built at the first call of a run. Call it in a `before` hook: `peers = await cppPeers.call(this)`.
 * Where the tools are missing it skips the hook's tests, or fails them where CAPSTAN_REQUIRE_INTEROP is 1.
 */
export async function cppPeers(this: Mocha.Context): Promise<CppPeers> {
  this.timeout(buildTimeout + 20_000);
  built ??= build();
  const peers = await built;
  if (!("missing" in peers)) return peers;
  return skipInterop(this, `the C++ peers need ${peers.missing.join(", ")}: ${installation}`);
}

/** The path of one program of test/interop/cpp, built now; used and skipped as `cppPeers` is. */
export async function cppProgram(this: Mocha.Context, name: string): Promise<string> {
  this.timeout(buildTimeout + 20_000);
  const missing = await missingTools();
  if (missing.length === 0) {
    const { status, stdout, stderr } = await new RunningProcess("make", ["-C", cpp, name], {
      timeout: buildTimeout,
    }).finished();
    if (status !== 0) throw new Error(`make -C ${cpp} ${name} ended with status ${status}\n${stdout}${stderr}`);
    return join(cpp, "build", name);
  }
  return skipInterop(this, `${name} needs ${missing.join(", ")}: ${installation}`);
}
