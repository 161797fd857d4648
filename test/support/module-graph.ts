import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { repositoryRoot } from "./repository.ts";

export interface ModuleImport {
  /** A path from the repository's root for a relative import, else the specifier itself. */
  readonly target: string;
  readonly isRelative: boolean;
  /** True where nothing of the target is left at run time: `import type`, `export type ... from`, `typeof import()`. */
  readonly typeOnly: boolean;
}

/** Module paths from the repository's root to what each imports. */
export type ModuleGraph = ReadonlyMap<string, readonly ModuleImport[]>;

/** The files under `folder` whose names end with `extension`; paths from the repository's root, sorted. */
export function filesUnder(folder: string, extension: string): string[] {
  const absolute = join(repositoryRoot, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => join(entry.parentPath, entry.name).slice(repositoryRoot.length + 1))
    .sort();
}

export const readSource = (path: string): string => readFileSync(join(repositoryRoot, path), "utf8");

// One alternative for each thing in which the word `import` means nothing. Plain strings are kept: specifiers are such.
const opaque =
  /\/\*[\s\S]*?\*\/|\/\/.*|(?<=[(,=:[!&|?{};]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*|`(?:\\.|[^`\\])*`|("(?:\\.|[^"\\\n])*")/g;

/** `source` without its comments, templates and regular expressions. */
export const codeOf = (source: string): string => source.replace(opaque, (_all, text?: string) => text ?? " ");

const statement = /^(?:import|export)\s+(type\s+)?(?:[^"'`;()=]*?from\s*)?"([^"]+)"/gm;
const importCall = /(typeof\s+)?\bimport\(\s*"([^"]+)"/g;

/** What the module at `path` imports, by statements and by calls with a literal. */
export function importsOf(path: string, source: string): ModuleImport[] {
  const code = codeOf(source);
  return [...code.matchAll(statement), ...code.matchAll(importCall)].map(([, type, specifier]) => {
    const isRelative = specifier!.startsWith(".");
    const target = isRelative ? normalize(join(dirname(path), specifier!)) : specifier!;
    return { target, isRelative, typeOnly: type !== undefined };
  });
}

export function moduleGraph(folders: readonly string[]): ModuleGraph {
  const paths = folders.flatMap((folder) => filesUnder(folder, ".ts"));
  return new Map(paths.map((path) => [path, importsOf(path, readSource(path))]));
}

const valueTargets = (graph: ModuleGraph, path: string): string[] =>
  (graph.get(path) ?? []).filter((one) => !one.typeOnly).map((one) => one.target);

/** Each cycle among value imports once, as the path that leads back to its first module. */
export function importCycles(graph: ModuleGraph): string[][] {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string) => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push([...trail.slice(start), path]);
    if (start >= 0 || done.has(path)) return;
    trail.push(path);
    for (const target of valueTargets(graph, path)) visit(target);
    trail.pop();
    done.add(path);
  };
  for (const path of graph.keys()) visit(path);
  return cycles;
}

/** What runs when `entry` is imported: modules and packages, each with the module that first asked for it. */
export function reachableFrom(graph: ModuleGraph, entry: string): Map<string, string> {
  const reached = new Map([[entry, entry]]);
  for (const path of reached.keys()) {
    for (const target of valueTargets(graph, path)) {
      if (!reached.has(target)) reached.set(target, path);
    }
  }
  return reached;
}
