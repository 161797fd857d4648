import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageVersion } from "../../lib/cli/version.ts";
import { type GeneratedFile, type GenerateOptions, generate } from "../../lib/codegen/generate.ts";
import { type CompileResult, compile } from "../../lib/compiler/compiler.ts";
import type { CompiledSchema } from "../../lib/schema/node.ts";
import { schemaTexts } from "../../lib/std/schema-texts.ts";
import { repositoryRoot } from "./repository.ts";

const standard = "standard:";

/** Schema files below a folder of the repository, by their path from there. */
export const schemasBelow = (folder: string): string[] =>
  readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".capnp"))
    .sort();

type Texts = Readonly<Record<string, string | Uint8Array>>;

const compileTexts = (folder: string, files: readonly string[], texts: Texts): CompileResult => {
  const readSource = (path: string): Uint8Array | string | undefined => {
    if (path.startsWith(standard)) return schemaTexts[path.slice(standard.length)];
    if (Object.hasOwn(texts, path)) return texts[path];
    const absolute = join(repositoryRoot, folder, path);
    return existsSync(absolute) ? readFileSync(absolute) : undefined;
  };
  return compile(files, { readSource, importPath: [standard, ""] });
};

/** Compiles schema files, as {@link compileBelow}; undefined where they have mistakes. */
export const tryCompile = (files: readonly string[], texts: Texts): CompiledSchema | undefined => {
  const { schema, diagnostics } = compileTexts("", files, texts);
  return diagnostics.length > 0 ? undefined : schema;
};

/** Compiles schema files; a name of `texts` stands for its text, any other for a file below the folder. */
export const compileBelow = (folder: string, files: readonly string[], texts: Texts = {}): CompiledSchema => {
  const { schema, diagnostics } = compileTexts(folder, files, texts);
  if (diagnostics.length > 0) throw new Error(`${files.join()}: ${diagnostics[0]?.message}`);
  return schema;
};

/** The same of schemas that come with the library. */
export const compileStandard = (path: string): CompiledSchema => {
  const readSource = (one: string): string | undefined => schemaTexts[one.slice(standard.length)];
  const input = { path: `${standard}${path}`, displayName: path.slice(1) };
  return compile([input], { readSource, importPath: [standard] }).schema;
};

const generator = `capstan ${packageVersion()}`;

/** Generates code for a schema, as the command line does. */
export const generated = (schema: CompiledSchema, options: Partial<GenerateOptions> = {}): GeneratedFile[] =>
  generate(schema, { form: "ts", generator, ...options });

/** The code for one schema that is given as text. */
export const generatedFrom = (text: string, options: Partial<GenerateOptions> = {}): string => {
  const [file] = generated(
    compileBelow("", ["test.capnp"], { "test.capnp": `@0xd3d3d3d3d3d3d3d3;\n${text}` }),
    options,
  );
  return file?.text ?? "";
};

/** Writes files below a folder, which is emptied before. */
export const writeBelow = (root: string, files: readonly GeneratedFile[]): void => {
  rmSync(root, { recursive: true, force: true });
  for (const { path, text } of files) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
};

const compilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  noImplicitOverride: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  allowArbitraryExtensions: true,
  erasableSyntaxOnly: true,
  noEmit: true,
  target: "ES2022",
  lib: ["ES2023", "ESNext.Disposable"],
  types: ["node"],
  module: "NodeNext",
  moduleResolution: "NodeNext",
  rootDir: ".",
};

/** A tsconfig.json for folders with generated code, as strict as TypeScript can be. */
export const strictConfig = (...include: readonly string[]): GeneratedFile => ({
  path: "tsconfig.json",
  text: JSON.stringify({ compilerOptions, include }),
});

/** What a command has to complain about. */
export const run = (command: string, args: readonly string[], cwd = repositoryRoot): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  return status === 0 ? "" : `${stdout}${stderr}`;
};

/** A tool that is installed in the repository. */
export const tool = (name: string): string => join(repositoryRoot, "node_modules", ".bin", name);
