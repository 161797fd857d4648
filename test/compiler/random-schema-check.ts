import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { formatDiagnostic } from "../../lib/compiler/diagnostics.ts";
import type { CompiledSchema } from "../../lib/schema/node.ts";
import { decodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { randomSchema } from "../support/random-schema/random-schema.ts";
import { smallest } from "../support/random-schema/smallest.ts";
import { type SourceTree, textOf } from "../support/random-schema/statement.ts";
import { compileIn, compileWithCpp, withoutInventedId } from "./golden.ts";

/** What the C++ compiler makes of a schema, and how ours differs from it. */
export interface Verdict {
  readonly cpp: "accepts" | "refuses" | "crashes";
  readonly difference: string | undefined;
}

/** The parts of a request whose order matters, and the others by id: C++ writes those in the order of a hash table. */
function comparable({ nodes, requestedFiles, sourceInfo }: CompiledSchema) {
  return { nodes, requestedFiles, sourceInfo: new Map(sourceInfo.map((info) => [info.id, info])) };
}

/** Where two plain values differ first: the path to the place and both values there. */
export function firstDifference(a: unknown, b: unknown, path = ""): string | undefined {
  if (isDeepStrictEqual(a, b)) return undefined;
  const isTree = (value: unknown): value is object =>
    typeof value === "object" && value !== null && !(value instanceof Uint8Array);
  if (!isTree(a) || !isTree(b)) return `${path}: C++ ${show(a)}, ours ${show(b)}`;
  const entries = (value: object) =>
    value instanceof Map ? new Map([...value].map(([key, one]) => [`${key}`, one])) : new Map(Object.entries(value));
  const theirs = entries(a);
  const ours = entries(b);
  for (const key of new Set([...theirs.keys(), ...ours.keys()])) {
    const difference = firstDifference(theirs.get(key), ours.get(key), `${path}.${key}`);
    if (difference !== undefined) return difference;
  }
  return `${path}: keys in another order`;
}

function show(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  const text = JSON.stringify(value, (_key, one: unknown) => (typeof one === "bigint" ? `0x${one.toString(16)}` : one));
  return text === undefined ? String(value) : text.slice(0, 200);
}

/** A folder for schemas to compare our compiler with C++'s on. */
class SchemaFolder {
  readonly #path = mkdtempSync(join(tmpdir(), "capstan-random-"));

  [Symbol.dispose](): void {
    rmSync(this.#path, { recursive: true, force: true });
  }

  /** Compiles several schemas in one go; their paths must not collide. */
  compare(trees: readonly SourceTree[]): Verdict {
    for (const { files, embedded } of trees) {
      for (const file of files) this.#write(file.path, textOf(file));
      for (const [path, bytes] of Object.entries(embedded)) this.#write(path, bytes);
    }
    const requested = trees.flatMap((tree) => tree.requested);
    const { stdout, stderr } = compileWithCpp(this.#path, ...requested);
    const { schema, diagnostics } = compileIn(this.#path, ...requested);
    const errors = withoutInventedId(diagnostics.map((one) => `${formatDiagnostic(one)}\n`).join(""));
    if (/exception|signal #|Internal compiler bug/.test(stderr)) {
      // Some layouts C++ refuses in this way, and ours has to refuse them too.
      const isRefusal = stderr.includes("capnproto/issues/344");
      return { cpp: "crashes", difference: isRefusal && errors === "" ? `C++: ${stderr}\nours: accepted` : undefined };
    }
    if (stderr !== "" || stdout.length === 0) {
      const expected = withoutInventedId(stderr);
      const difference = expected === errors ? undefined : `C++: ${expected}\nours: ${errors || "accepted"}`;
      return { cpp: "refuses", difference };
    }
    if (errors !== "") return { cpp: "accepts", difference: `accepted by C++, ours: ${errors}` };
    const reference = comparable(decodeCompiledSchema(stdout));
    return { cpp: "accepts", difference: firstDifference(reference, comparable(schema)) };
  }

  #write(path: string, content: string | Uint8Array): void {
    const absolute = join(this.#path, path);
    mkdirSync(dirname(absolute), { recursive: true });
    writeFileSync(absolute, content);
  }
}

/** How many schemas a run checked, by what C++ makes of them. */
export type Counts = Record<Verdict["cpp"], number>;

/**
 * Checks the schemas of `count` seeds from `firstSeed`, `together` of them in one run of the C++ compiler.
 *
 * @throws for the first one that compiles to something else than with C++: the error tells its seed, the difference and the
 * smallest schema that shows it.
 */
export function checkRandomSchemas(firstSeed: number, count: number, together: number): Counts {
  using folder = new SchemaFolder();
  const counts: Counts = { accepts: 0, refuses: 0, crashes: 0 };
  for (let i = 0; i < count; i += together) {
    const seeds = Array.from({ length: Math.min(together, count - i) }, (_, j) => firstSeed + i + j);
    const trees = seeds.map((seed) => randomSchema(seed, `s${seed}`));
    const { cpp, difference } = folder.compare(trees);
    if (cpp === "accepts" && difference === undefined) {
      counts.accepts += trees.length;
      continue;
    }
    for (const [j, tree] of trees.entries()) counts[checkOne(folder, tree, seeds[j]!)]++;
  }
  return counts;
}

function checkOne(folder: SchemaFolder, tree: SourceTree, seed: number): Verdict["cpp"] {
  const { cpp, difference } = folder.compare([tree]);
  if (difference === undefined) return cpp;
  const least = smallest(tree, (candidate) => {
    const verdict = folder.compare([candidate]);
    return verdict.cpp === cpp && verdict.difference !== undefined;
  });
  const texts = least.files.map((file) => `--- ${file.path}\n${textOf(file)}`);
  const problem = folder.compare([least]).difference ?? difference;
  throw new Error(
    `The random schema of seed ${seed} compiles to something else than in C++.\n${problem}\n${texts.join("\n")}`,
  );
}

/** The seed to begin with: that of CAPSTAN_SEED, for repeating a run, or another one each time. */
export function seedOfRun(): number {
  const { CAPSTAN_SEED } = process.env;
  return CAPSTAN_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(CAPSTAN_SEED);
}
