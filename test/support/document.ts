import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { hookArgs, isDeno, programArgs } from "./hooked.ts";
import { Processes } from "./processes.ts";
import { repositoryRoot } from "./repository.ts";

/** One command that a document shows, with the output that it shows for it. */
export interface Step {
  readonly command: string;
  readonly output: string;
}

/** What a document asks its reader to do: to write a file ("`name`:" before a block of code), or to run a session in a shell. */
export type Part = { readonly name: string; readonly code: string } | { readonly steps: readonly Step[] };

/** The parts of a document, in its order. */
export async function readDocument(path: string): Promise<Part[]> {
  const text = await readFile(join(repositoryRoot, path), "utf8");
  return [...text.matchAll(/^(?:`([^`\n]+)`:\n\n)?```(\w*)\n([\s\S]*?)^```$/gm)].flatMap(
    ([, name, language, code]): Part[] => {
      if (name !== undefined) return [{ name, code: code! }];
      if (language !== "sh") return [];
      const steps = code!
        .split(/^\$ /m)
        .slice(1)
        .map((step) => {
          const end = step.indexOf("\n");
          return { command: step.slice(0, end), output: step.slice(end + 1) };
        });
      return [{ steps }];
    },
  );
}

const runtime = `exec "${process.execPath}" ${programArgs.join(" ")}`;
/** Deno is given the import hook in words of its own. */
const withHook = `if [ "$1" = --import ]; then
  while [ "$1" = --import ]; do shift 2; done
  exec "${process.execPath}" ${hookArgs.join(" ")} "$@"
fi
`;

const tools = {
  npx: 'exec "$@"',
  node: `${isDeno ? withHook : ""}${runtime} "$@"`,
  tsc: `exec "${join(repositoryRoot, "node_modules/.bin/tsc")}" "$@"`,
  capstan: `${runtime} "${join(repositoryRoot, "dist/package/cli/main.js")}" "$@"`,
  "capnpc-capstan": `${runtime} "${join(repositoryRoot, "dist/package/cli/capnpc-capstan.js")}" "$@"`,
};

/** A folder inside this package, so that the name "capstan" means this build, whose commands are on the PATH. */
export class Workplace {
  readonly folder: string;
  readonly #processes = new Processes();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Workplace> {
    const place = new Workplace(await mkdtemp(join(repositoryRoot, "dist", "workplace-")));
    for (const [name, script] of Object.entries(tools)) {
      await mkdir(join(place.folder, ".bin"), { recursive: true });
      await writeFile(join(place.folder, ".bin", name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    }
    return place;
  }

  async write(name: string, text: string | Uint8Array): Promise<string> {
    const path = join(this.folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return path;
  }

  /** Runs a line of shell in the folder. */
  run(line: string, env: Readonly<Record<string, string>> = {}) {
    return this.start(line, env).finished();
  }

  start(line: string, env: Readonly<Record<string, string>> = {}) {
    const PATH = `${join(this.folder, ".bin")}${delimiter}${process.env.PATH ?? ""}`;
    return this.#processes.start("sh", ["-c", `cd "${this.folder}" && ${line}`], { env: { PATH, ...env } });
  }

  /** Runs the commands of a session in one shell; resolves with them and what they printed. */
  async session(steps: readonly Step[]): Promise<Step[]> {
    const mark = "--- next ---";
    const script = steps.map(({ command }) => `${command}\nstatus=$?\necho "${mark}"\n(exit $status)\n`).join("");
    await this.write(".session", `exec 2>&1\n${script}`);
    const { stdout } = await this.run("sh .session");
    const outputs = stdout.split(`${mark}\n`);
    return steps.map(({ command }, index) => ({ command, output: outputs[index] ?? "" }));
  }

  /** Ends what still runs and removes the folder. */
  async remove(): Promise<void> {
    await this.#processes.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
