import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Processes } from "../support/processes.ts";
import { repositoryRoot } from "../support/repository.ts";

/** How a project in TypeScript has its modules. */
export interface ModuleSetting {
  readonly type: "module" | "commonjs";
  readonly compilerOptions: Readonly<Record<string, unknown>>;
}

/** Those that every TypeScript has. */
export const moduleSettings: Readonly<Record<string, ModuleSetting>> = {
  "of Node's modules": { type: "module", compilerOptions: { module: "nodenext" } },
  "of Node's modules that becomes CommonJS": { type: "commonjs", compilerOptions: { module: "nodenext" } },
};

/** What test/consumers/project/main.ts prints: one round trip for two calls, one copy of the library, exact types. */
export const printed = "Hello, world! 1\nstring true\nfunction true\nbootstrap object 1\n";

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Besides its dependencies: what a project in TypeScript that bundles has. Not `@types/ws`: users do not have that. */
const projectPackages = ["@types/node", "unplugin", "esbuild"];

/**
 * The package as `npm install` would lay it out: what `npm pack` packs, beside nothing but its dependencies, in a folder that has
 * no other `node_modules` above it. Without a network: the dependencies are links to those of this repository.
 */
export class InstalledPackage {
  /** The folder of projects; `node_modules` is in it. */
  readonly folder: string;
  /** How many bytes the packed package has. */
  readonly packedBytes: number;
  readonly #processes = new Processes();

  private constructor(folder: string, packedBytes: number) {
    this.folder = folder;
    this.packedBytes = packedBytes;
  }

  static async make(): Promise<InstalledPackage> {
    const folder = await mkdtemp(join(tmpdir(), "capstan-consumers-"));
    const processes = new Processes();
    const done = async (command: string, args: readonly string[]) => {
      const { status, stderr, stdout } = await processes.run(command, args, { timeout: 60_000 });
      if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${stderr}${stdout}`);
    };
    // Not its scripts: they would build again.
    await done("npm", ["pack", "--ignore-scripts", "--offline", "--silent", "--pack-destination", folder]);
    const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz"))!;
    const packedBytes = (await readFile(join(folder, tarball))).length;
    const target = join(folder, "node_modules/capstan");
    await mkdir(target, { recursive: true });
    await done("tar", ["-xzf", join(folder, tarball), "-C", target, "--strip-components=1"]);
    const installed = new InstalledPackage(folder, packedBytes);
    const { dependencies } = await installed.manifest();
    for (const name of [...Object.keys(dependencies), ...projectPackages]) {
      const link = join(folder, "node_modules", name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(join(repositoryRoot, "node_modules", name), link);
    }
    return installed;
  }

  async manifest(): Promise<Manifest> {
    return JSON.parse(await this.read("package.json")) as Manifest;
  }

  /** The paths of all files in the package, in order. */
  async files(): Promise<string[]> {
    const entries = await readdir(join(this.folder, "node_modules/capstan"), { recursive: true, withFileTypes: true });
    const root = join(this.folder, "node_modules/capstan/").length;
    return entries.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(root)] : [])).sort();
  }

  /** The text of a file in the package. */
  read(path: string): Promise<string> {
    return readFile(join(this.folder, "node_modules/capstan", path), "utf8");
  }

  /** A project beside `node_modules`, of the sources in test/consumers/project. */
  async project(name: string, setting: ModuleSetting, files: readonly string[] = ["main.ts"]): Promise<Project> {
    const folder = join(this.folder, name);
    await cp(join(repositoryRoot, "test/consumers/project"), folder, { recursive: true });
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      target: "es2022",
      lib: ["es2023", "esnext.disposable"],
      types: ["node"],
      rootDir: ".",
      outDir: "out",
      ...setting.compilerOptions,
    };
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: setting.type }));
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
    const { bin } = await this.manifest();
    const project = new Project(folder, this.#processes);
    await project.node(join(this.folder, "node_modules/capstan", bin.capstan!), "compile", "greeter.capnp");
    return project;
  }

  async remove(): Promise<void> {
    await this.#processes.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A project of somebody who has installed the package. */
export class Project {
  readonly #folder: string;
  readonly #processes: Processes;

  constructor(folder: string, processes: Processes) {
    this.#folder = folder;
    this.#processes = processes;
  }

  /** Runs a command in the project's folder; resolves with all that it printed, and rejects where it failed. */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    const line = ["-c", 'cd "$0" && exec "$@" 2>&1', this.#folder, command, ...args];
    const { status, stdout } = await this.#processes.run("sh", line, { timeout: 120_000 });
    if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stdout}`);
    return stdout;
  }

  node(...args: readonly string[]): Promise<string> {
    return this.run(process.execPath, ...args);
  }
}
