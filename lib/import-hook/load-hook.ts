import { CapnpError } from "../errors.ts";
import { ModuleCompiler } from "./compile-module.ts";
import { moduleSource } from "./module-source.ts";
import { runtimeUrl, schemaPathOf } from "./schema-url.ts";

/** What Node's `load` hooks resolve with, as far as it matters here. */
export interface LoadedModule {
  readonly format: "module";
  readonly source: string;
  readonly shortCircuit: true;
}

/**
 * Makes the module text of a schema file; undefined for every other module. `report` is told the files that it was made
 * from, also where one of them is wrong.
 *
 * @throws CompileError with every mistake.
 */
export function schemaModuleLoader(
  report: (paths: readonly string[]) => void,
): (url: string) => LoadedModule | undefined {
  const compiler = new ModuleCompiler();
  return (url) => {
    const path = schemaPathOf(url);
    if (path === undefined) return undefined;
    const { result, dependencies } = compiler.compile(path);
    report(dependencies);
    if (result instanceof CapnpError) throw result;
    return { format: "module", source: moduleSource(result, runtimeUrl), shortCircuit: true };
  };
}
