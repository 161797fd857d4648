import { join } from "node:path";
import { repositoryRoot } from "../support/repository.ts";

/** The runtimes that the portable part of the tests must pass on, in the order of the matrix. */
export const runtimeNames = ["node-20", "node-22", "node-24", "node-26", "bun", "deno"] as const;

export type RuntimeName = (typeof runtimeNames)[number];

export interface Runtime {
  readonly name: RuntimeName;
  /** What the matrix calls it. */
  readonly title: string;
  readonly command: string;
  /** What stands before the path of the program. Tests import the library as the sources do, and collect garbage. */
  readonly args: readonly string[];
}

/** Where the runtimes are installed, and what the runs leave behind. */
export const runtimesFolder = join(repositoryRoot, "dist/runtimes");

const packages = join(runtimesFolder, "node_modules");

/** The packages of Bun and Deno that hold their binaries, by the platform as Node names it. */
const binaries: Readonly<Record<string, { readonly bun: string; readonly deno: string }>> = {
  "linux-x64": { bun: "@oven/bun-linux-x64/bin/bun", deno: "@deno/linux-x64-glibc/deno" },
  "linux-arm64": { bun: "@oven/bun-linux-aarch64/bin/bun", deno: "@deno/linux-arm64-glibc/deno" },
};

const libraryAsInSources = "--conditions=unbundled";

/** How the runtimes are started on this machine. */
export function runtimesOf(platform: string): readonly Runtime[] {
  const here = binaries[platform];
  if (here === undefined) {
    throw new Error(
      `the runtimes are installed on ${Object.keys(binaries).join(" and ")} only, and this is ${platform}`,
    );
  }
  return runtimeNames.map((name): Runtime => {
    switch (name) {
      case "bun":
        return {
          name,
          title: "Bun",
          command: join(packages, here.bun),
          args: ["--expose-gc", libraryAsInSources],
        };
      case "deno":
        return {
          name,
          title: "Deno",
          command: join(packages, here.deno),
          args: ["run", "--allow-all", "--v8-flags=--expose-gc", libraryAsInSources],
        };
      default:
        return {
          name,
          title: `Node ${name.slice("node-".length)}`,
          command: join(packages, `${name}-${platform}/bin/node`),
          // Tests that count memory count garbage too, which newer versions leave longer unless they are told not to.
          args: ["--enable-source-maps", "--expose-gc", "--max-semi-space-size=16", libraryAsInSources],
        };
    }
  });
}
