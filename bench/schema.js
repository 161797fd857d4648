// Start-up, loading and compiling. Each figure is the median of fresh processes: what a user waits for is the first time.
import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));
const library = join(root, "dist", "package", "index.js");
const runs = 9;

const median = (figures) => figures.toSorted((a, b) => a - b)[figures.length >> 1];

/** What a fresh process prints: one number. */
const inFreshProcess = async (script, ...args) => {
  const figures = [];
  for (let i = 0; i < runs; i++) {
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script, ...args]);
    figures.push(Number(stdout));
  }
  return median(figures);
};

/** Milliseconds of a whole process; undefined where the program is not installed. */
const wholeProcess = (command, args) => {
  const figures = [];
  for (let i = 0; i < runs; i++) {
    const begin = performance.now();
    const { status, error } = spawnSync(command, args, { maxBuffer: 1 << 28 });
    if (error !== undefined || status !== 0) return undefined;
    figures.push(performance.now() - begin);
  }
  return median(figures);
};

const inFolder = async (work) => {
  const folder = await mkdtemp(join(tmpdir(), "capstan-bench-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
};

const blockLines = 24;

/** A schema of at most so many lines, with what schemas are made of: structs, unions, groups, lists, enums, interfaces, defaults. */
const schemaOf = (lines) => {
  const text = ["@0xb1fd3a7c5d2e9f01;", ""];
  for (let i = 0; text.length + blockLines <= lines; i++) {
    text.push(
      `struct Record${i} {`,
      "  # One record of many.",
      "  id @0 :UInt64;",
      `  name @1 :Text = "record ${i}";`,
      "  tags @2 :List(Text);",
      "  score @3 :Float64 = 1.5;",
      "  kind @4 :Kind = second;",
      "  shape :union {",
      "    none @5 :Void;",
      "    circle @6 :Float32;",
      "    box :group {",
      "      width @7 :UInt16;",
      "      height @8 :UInt16 = 3;",
      "    }",
      "  }",
      `  next @9 :Record${Math.max(0, i - 1)};`,
      "  enum Kind { first @0; second @1; third @2; }",
      "}",
      "",
      `interface Service${i} {`,
      `  get @0 (id :UInt64) -> (record :Record${i});`,
      `  put @1 (record :Record${i}) -> ();`,
      "}",
      "",
    );
  }
  return text.join("\n");
};

const peersOf = (figures) => Object.fromEntries(Object.entries(figures).filter(([, figure]) => figure !== undefined));

const importTime = async () => ({
  work: "import",
  unit: "ms",
  capstan: await inFreshProcess(
    `const begin = performance.now(); await import(process.argv[1]); console.log(performance.now() - begin);`,
    library,
  ),
  peers: {},
  target: "under 60",
});

const loadTime = () =>
  inFolder(async (folder) => {
    const file = join(folder, "schema.capnp");
    await writeFile(file, schemaOf(100));
    const capstan = await inFreshProcess(
      `const { load } = await import(process.argv[1]);
       const begin = performance.now();
       await load(process.argv[2]);
       console.log(performance.now() - begin);`,
      library,
      file,
    );
    return { work: "load-100", unit: "ms", capstan, peers: {}, target: "under 15" };
  });

const compileTime = () =>
  inFolder(async (folder) => {
    const file = join(folder, "schema.capnp");
    await writeFile(file, schemaOf(10_000));
    const capstan = await inFreshProcess(
      `const { loadSync } = await import(process.argv[1]);
       const begin = performance.now();
       loadSync(process.argv[2]);
       console.log(performance.now() - begin);`,
      library,
      file,
    );
    const peers = peersOf({
      "capnp compile (whole process)": wholeProcess("capnp", ["compile", "-o-", file]),
      "capstan compile (whole process)": wholeProcess(process.execPath, [
        join(root, "dist", "package", "cli", "main.js"),
        "compile",
        "-o-",
        file,
      ]),
    });
    return { work: "compile-10k", unit: "ms", capstan, peers };
  });

export const schemaWorks = { import: importTime, "load-100": loadTime, "compile-10k": compileTime };
