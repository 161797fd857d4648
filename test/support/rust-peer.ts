import { dirname, join } from "node:path";
import { skipInterop } from "./interop.ts";
import { isInstalled, RunningProcess } from "./processes.ts";
import { repositoryRoot } from "./repository.ts";

const crate = join(repositoryRoot, "test/interop/rust");
const packages = ["librust-capnp-rpc-dev", "librust-tokio-dev", "librust-tokio-util-dev"];
const buildTimeout = 300_000;

/** Where Debian keeps the sources of crates, which takes the place of a registry; undefined where they are not installed. */
async function debianCrates(): Promise<string | undefined> {
  for (const tool of ["cargo", "dpkg-query"]) if (!(await isInstalled(tool))) return undefined;
  const { status, stdout } = await new RunningProcess("dpkg-query", ["-L", ...packages]).finished();
  const manifest = /^\S+\/capnp-rpc-[^/]+\/Cargo\.toml$/m.exec(stdout)?.[0];
  return status === 0 && manifest !== undefined ? dirname(dirname(manifest)) : undefined;
}

async function build(crates: string): Promise<string> {
  const target = join(crate, "target");
  const { status, stdout, stderr } = await new RunningProcess(
    "cargo",
    [
      "build",
      "--quiet",
      "--offline",
      `--manifest-path=${join(crate, "Cargo.toml")}`,
      `--target-dir=${target}`,
      '--config=source.crates-io.replace-with="debian"',
      `--config=source.debian.directory="${crates}"`,
    ],
    { timeout: buildTimeout },
  ).finished();
  if (status !== 0) throw new Error(`cargo build of ${crate} ended with status ${status}\n${stdout}${stderr}`);
  return join(target, "debug/torture-peer");
}

let built: Promise<string> | undefined;

/** The path of the Rust end of the torture tests, built at the first call of a run; used and skipped as `cppPeers` is. */
export async function rustPeer(this: Mocha.Context): Promise<string> {
  this.timeout(buildTimeout + 20_000);
  const crates = await debianCrates();
  if (crates !== undefined) {
    built ??= build(crates);
    return built;
  }
  return skipInterop(this, `the Rust peer needs more: apt-get install cargo ${packages.join(" ")}`);
}
