import { spawnSync } from "node:child_process";
import { skipInterop } from "./interop.ts";
import { isInstalled } from "./processes.ts";
import { repositoryRoot } from "./repository.ts";

/** Runs `capnp` with the given arguments and input, in the repository's root, and returns its output. */
export type CapnpTool = (args: readonly string[], input: Uint8Array | string) => Buffer;

const run: CapnpTool = (args, input) => {
  const { status, stdout, stderr } = spawnSync("capnp", args, { cwd: repositoryRoot, input });
  if (status !== 0) throw new Error(`capnp ${args.join(" ")} ended with status ${status}\n${stderr}`);
  return stdout;
};

/**
 * The reference implementation's tool. Call it in a `before` hook: `capnp = await capnpTool.call(this)`. Where it is missing
 * the hook's tests are skipped, or fail where CAPSTAN_REQUIRE_INTEROP is 1.
 */
export async function capnpTool(this: Mocha.Context): Promise<CapnpTool> {
  if (await isInstalled("capnp")) return run;
  return skipInterop(this, "these tests need capnp: apt-get install capnproto");
}
