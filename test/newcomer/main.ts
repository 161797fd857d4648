/**
 * `npm run newcomer [-- TARBALL]`: somebody who has nothing but Node and npm installs the package in empty folders and does what
 * README.md and docs/quickstart.md say, letter by letter. Prints the transcript. Takes the registry or npm's cache for the
 * dependencies and TypeScript; without TARBALL the package is packed first.
 */
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { Processes } from "../support/processes.ts";
import { type Folder, follow } from "./follow.ts";
import { type Part, readGuide } from "./guide.ts";

const timeout = 300_000;
const processes = new Processes();
const machine = await mkdtemp(join(tmpdir(), "capstan-newcomer-"));

// What `npm run` and this repository's tests tell the programs that they start is not for a newcomer's.
for (const name of Object.keys(process.env)) {
  if (/^(?:npm_(?:package|lifecycle)_|npm_config_(?:local_)?prefix$|INIT_CWD$|NODE_)/.test(name))
    delete process.env[name];
}

/** The one folder of programs that the newcomer has: Node's, and the shell that npm needs. */
async function bareMachine(): Promise<string> {
  const bin = join(machine, "bin");
  await mkdir(bin);
  for (const name of ["node", "npm", "npx", "sh"]) {
    const { stdout } = await processes.run("sh", ["-c", 'command -v "$1"', "sh", name]);
    await symlink(name === "node" ? process.execPath : stdout.trim(), join(bin, name));
  }
  return bin;
}

async function pack(): Promise<string> {
  const { status, stdout, stderr } = await processes.run(
    "npm",
    ["pack", "--ignore-scripts", "--silent", "--pack-destination", machine],
    { timeout },
  );
  if (status !== 0) throw new Error(`npm pack failed:\n${stdout}${stderr}`);
  return join(machine, (await readdir(machine)).find((name) => name.endsWith(".tgz"))!);
}

async function emptyFolder(name: string, PATH: string): Promise<Folder> {
  const path = join(machine, name);
  await mkdir(path);
  const start = (line: string) =>
    processes.start(join(PATH, "sh"), ["-c", `cd "${path}" && ${line}`], { env: { PATH }, timeout });
  return {
    start,
    run: (line) => start(line).finished(),
    write: async (file, text) => {
      await mkdir(dirname(join(path, file)), { recursive: true });
      await writeFile(join(path, file), text);
    },
  };
}

const service = "## A service over TLS";
const guides: readonly { readonly name: string; readonly guide: readonly Part[] }[] = [
  { name: "readme", guide: await readGuide("README.md", { from: "## Start", to: "## What works" }) },
  { name: "quickstart", guide: await readGuide("docs/quickstart.md", { to: service }) },
  { name: "service", guide: await readGuide("docs/quickstart.md", { from: service }) },
];

try {
  const bin = await bareMachine();
  const tarball = process.argv[2] === undefined ? await pack() : resolve(process.argv[2]);
  const installs = (line: string) =>
    line.startsWith("npm install ") ? line.replace(/\bcapstan\b/, tarball.replaceAll("\\", "/")) : line;
  let outputs = 0;
  for (const { name, guide } of guides) {
    console.log(`\n=== ${name}: an empty folder\n`);
    const folder = await emptyFolder(name, bin);
    const seen = await follow(guide, folder, { replace: installs, log: (text) => console.log(text) });
    outputs += seen.length;
  }
  console.log(`\nAll is as the documents say: ${outputs} outputs, and nothing but Node and npm on the PATH.`);
} finally {
  await processes.stop();
  await rm(machine, { recursive: true, force: true });
}
