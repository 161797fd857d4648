import { statSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { parseArgs } from "node:util";
import type { CompilerInput } from "../compiler/compiler.ts";
import { shortPath, standardSchemas } from "../schema-files.ts";
import type { Form } from "./generated-files.ts";
import { UsageError } from "./terminal.ts";

export interface CompileOptions {
  readonly files: readonly string[];
  /** What each file is called in the schema and, with `-o DIR`, below it. */
  readonly inputs: readonly Exclude<CompilerInput, string>[];
  readonly importPath: readonly string[];
  /** undefined: each file's code lies beside it. */
  readonly output: { readonly which: "request" } | { readonly which: "folder"; readonly path: string } | undefined;
  readonly forms: readonly Form[];
  readonly watch: boolean;
}

/** node:util names the mistake in the first sentence; the rest talks about its own syntax. */
const parseProblem = (error: unknown): UsageError => {
  const { message, code } = error as NodeJS.ErrnoException;
  if (!code?.startsWith("ERR_PARSE_ARGS")) throw error;
  return new UsageError(message.split(/\. |\n/)[0]!);
};

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        output: { type: "string", short: "o" },
        "import-path": { type: "string", short: "I", multiple: true, default: [] },
        "no-standard-import": { type: "boolean", default: false },
        "src-prefix": { type: "string", multiple: true, default: [] },
        ts: { type: "boolean", default: false },
        js: { type: "boolean", default: false },
        dts: { type: "boolean", default: false },
        watch: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw parseProblem(error);
  }
}

function folder(path: string, option: string): string {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new UsageError(`${option}: no folder ${path}`);
  return path;
}

/** The path of `file` from `folder`, with forward slashes; undefined where it lies elsewhere. */
function within(folder: string, file: string): string | undefined {
  const path = relative(resolve(folder), resolve(file));
  if (path === "" || path === ".." || path.startsWith(`..${sep}`) || resolve(path) === path) return undefined;
  return path.split(sep).join("/");
}

/** As C++ names files: from the source prefix, or from the current folder, or absolute without the first slash. */
function displayName(file: string, prefixes: readonly string[]): string {
  for (const prefix of prefixes) {
    const name = within(prefix, file);
    if (name !== undefined) return name;
  }
  return shortPath(file).replace(/^([a-zA-Z]:)?\/+/, "");
}

export function compileOptions(args: readonly string[]): CompileOptions {
  const { values, positionals: files } = parse(args);
  if (files.length === 0) throw new UsageError("compile: no files given");
  const importPath = values["import-path"].map((path) => shortPath(folder(path, "-I")));
  if (!values["no-standard-import"]) importPath.push(standardSchemas);
  // The longest prefix is the closest.
  const prefixes = values["src-prefix"]
    .map((path) => folder(path, "--src-prefix"))
    .sort((a, b) => resolve(b).length - resolve(a).length);
  const forms = (["ts", "js", "dts"] as const).filter((form) => values[form]);
  if (values.ts && forms.length > 1) throw new UsageError("--ts contains what --js and --dts do: give it alone");
  if (values.output === "-" && (forms.length > 0 || values.watch)) {
    throw new UsageError("-o- writes the request and no code: --ts, --js, --dts and --watch do not go with it");
  }
  return {
    files,
    inputs: files.map((file) => ({ path: shortPath(file), displayName: displayName(file, prefixes) })),
    importPath,
    output:
      values.output === undefined
        ? undefined
        : values.output === "-"
          ? { which: "request" }
          : { which: "folder", path: values.output },
    forms: forms.length === 0 ? ["ts"] : forms,
    watch: values.watch,
  };
}

/** The folder in which a file's code lies where none is given: generated paths begin with the display name. */
export function folderBeside(file: string, name: string): string {
  let folder = dirname(resolve(file));
  for (const _ of name.split("/").slice(1)) folder = dirname(folder);
  return folder;
}
