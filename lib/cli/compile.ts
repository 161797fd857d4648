import { compile } from "../compiler/compiler.ts";
import type { Diagnostic } from "../compiler/diagnostics.ts";
import { encodeCompiledSchema } from "../schema/node-codec.ts";
import { SchemaFiles } from "../schema-files.ts";
import { type CompileOptions, compileOptions, folderBeside } from "./compile-options.ts";
import { generatedFiles } from "./generated-files.ts";
import { type OutputFile, writeOutputFiles } from "./output-files.ts";
import { illustratedDiagnostics, plainDiagnostics } from "./print-diagnostics.ts";
import { type Command, type Terminal, write } from "./terminal.ts";
import { type Round, watchAndRepeat } from "./watch.ts";

const usage = `Usage: capstan compile [OPTIONS] FILE.capnp ...

Compiles schema files and writes FILE.capnp.ts beside each: the classes and exact types of all that it declares.

Options:
  -o DIR, --output DIR     write below DIR instead, under the file's path from the current folder
  -o-                      write the encoded CodeGeneratorRequest to standard output, for any plugin to read
  --ts                     TypeScript (the default)
  --js                     JavaScript: FILE.capnp.js
  --dts                    only types: FILE.capnp.d.ts, and FILE.d.capnp.ts for the import hook
  -I DIR, --import-path DIR
                           look for import "/..." below DIR; may be given several times
  --no-standard-import     do not find /capnp/c++.capnp and the other schemas that come with capstan
  --src-prefix DIR         cut DIR from the paths of files before they are put below the output folder
  --watch                  go on, and compile again when a file changes
  --help                   print this text

Mistakes are printed as file:line:column-column: error: text; the exit status is then 1.
`;

async function report(diagnostics: readonly Diagnostic[], files: SchemaFiles, terminal: Terminal): Promise<void> {
  const text = terminal.isInteractive
    ? illustratedDiagnostics(diagnostics, files.readSource, terminal.hasColors)
    : plainDiagnostics(diagnostics);
  await write(terminal.stderr, text);
}

/** Below the output folder, or beside each file. */
function writeCode(files: readonly OutputFile[], { inputs, output }: CompileOptions): void {
  if (output?.which === "folder") {
    writeOutputFiles(output.path, files);
    return;
  }
  for (const { path, displayName } of inputs) {
    const types = `${displayName.replace(/\.capnp$/, "")}.d.capnp.ts`;
    const own = files.filter((file) => file.path.startsWith(`${displayName}.`) || file.path === types);
    writeOutputFiles(folderBeside(path, displayName), own);
  }
}

async function compileOnce(options: CompileOptions, terminal: Terminal): Promise<Round> {
  const files = new SchemaFiles(options.importPath);
  const result = compile(options.inputs, files);
  const diagnostics = files.explain(result.diagnostics);
  const round = { lookedFor: files.lookedFor, isCurrent: () => files.isCurrent() };
  if (diagnostics.length > 0) {
    await report(diagnostics, files, terminal);
    return { ok: false, ...round };
  }
  if (options.output?.which === "request") {
    await write(terminal.stdout, encodeCompiledSchema(result.schema));
  } else {
    writeCode(generatedFiles(result.schema, options.forms), options);
  }
  return { ok: true, ...round };
}

export const compileCommand: Command = {
  summary: "Compiles schema files to TypeScript or JavaScript.",
  usage,
  async run(args, terminal) {
    const options = compileOptions(args);
    if (options.watch) return watchAndRepeat(() => compileOnce(options, terminal), terminal);
    const { ok } = await compileOnce(options, terminal);
    return ok ? 0 : 1;
  },
};
