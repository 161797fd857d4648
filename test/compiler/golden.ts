import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { type CompileResult, compile } from "../../lib/compiler/compiler.ts";
import { formatDiagnostic } from "../../lib/compiler/diagnostics.ts";
import { repositoryRoot } from "../support/repository.ts";

export const schemaFolder = join(repositoryRoot, "test/fixtures/schemas");
export const wrongSchemaFolder = join(repositoryRoot, "test/fixtures/wrong-schemas");
export const standardFolder = join(repositoryRoot, "lib/std");

/** The import path, seen from `folder`. */
const importFolder = (folder: string): string => relative(folder, standardFolder) || ".";

/** The schema files in a folder and those below, as paths from there. */
export function schemasIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".capnp")).sort();
}

/** Compiles files as seen from `folder`, with the standard schemas and what is below `lib` on the import path. */
export function compileIn(folder: string, ...files: readonly string[]): CompileResult {
  const readSource = (path: string): Uint8Array | undefined => {
    const absolute = resolve(folder, path);
    return existsSync(absolute) ? readFileSync(absolute) : undefined;
  };
  return compile(files, { readSource, importPath: [importFolder(folder), "lib"] });
}

/** Compiles sources that are given by path; the first one is the file to compile. */
export function compileText(files: Readonly<Record<string, string>>): CompileResult {
  const [first = ""] = Object.keys(files);
  return compile([first], { readSource: (path) => files[path], importPath: ["/"] });
}

/** What is wrong with a file that consists of an id, a newline and `text`. */
export function errorsOf(text: string): string[] {
  return compileText({ "a.capnp": `@0xdbb9ad1f14bf0b36;\n${text}` }).diagnostics.map(formatDiagnostic);
}

export interface CppOutput {
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/** Runs the C++ compiler on the same files in the same way. */
export function compileWithCpp(folder: string, ...files: readonly string[]): CppOutput {
  const importPath = existsSync(join(folder, "lib")) ? [importFolder(folder), "lib"] : [importFolder(folder)];
  const args = ["compile", "-o-", "--no-standard-import", ...importPath.map((path) => `-I${path}`), ...files];
  const env = { ...process.env, PWD: folder };
  const { stdout, stderr } = spawnSync("capnp", args, { cwd: folder, env, maxBuffer: 1 << 26 });
  return { stdout, stderr: String(stderr) };
}

/** The id that a compiler invents for a file without one differs from run to run. */
export const withoutInventedId = (text: string): string =>
  text.replace(/your file: @0x[0-9a-f]+;/g, "your file: @0x...;");

/** Where the golden file of a wrong schema is. */
export const goldenOf = (file: string): string => join(wrongSchemaFolder, file.replace(/\.capnp$/, ".txt"));
