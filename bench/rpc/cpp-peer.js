// Builds the C++ peer of the works on RPC where Debian's capnproto, libcapnp-dev and g++ are installed.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const build = `${here}build`;
const program = `${build}/cpp-peer`;
const sources = ["bench.capnp", "cpp-peer.c++"].map((name) => here + name);

const isCurrent = () =>
  existsSync(program) && sources.every((source) => statSync(source).mtimeMs < statSync(program).mtimeMs);

const run = (command, args) => execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

/** The program's path and what it was built with; undefined where it cannot be built here, with the reason on the console. */
export const cppPeer = () => {
  try {
    const version = run("capnp", ["--version"]).trim().replace(/^.* /, "");
    if (!isCurrent()) {
      mkdirSync(build, { recursive: true });
      run("capnp", ["compile", `-oc++:${build}`, `--src-prefix=${here}`, sources[0]]);
      const flags = run("pkg-config", ["--cflags", "--libs", "capnp-rpc"]).trim().split(/\s+/);
      run("g++", [
        "-std=c++14",
        "-O2",
        `-I${build}`,
        "-o",
        program,
        sources[1],
        `${build}/bench.capnp.c++`,
        ...flags,
        "-pthread",
      ]);
    }
    return { program, name: `C++ ${version}` };
  } catch (error) {
    console.log(
      `  without C++, which needs capnproto, libcapnp-dev, pkg-config and g++: ${error.message.split("\n")[0]}`,
    );
    return undefined;
  }
};
