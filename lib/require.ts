import { createRequire } from "node:module";
import { CapnpError } from "./errors.ts";
import { ModuleCompiler } from "./import-hook/compile-module.ts";
import { reportToWatcher } from "./import-hook/watch-report.ts";
import { sharedLoader } from "./schema/shared-loader.ts";

/**
 * `require("capstan/require")` or `node --require capstan/require`: from then on
 * `const { Person } = require("./addressbook.capnp")` gives what the file declares.
 */

const compiler = new ModuleCompiler();

createRequire(import.meta.url).extensions[".capnp"] = (module, filename) => {
  const { result, dependencies } = compiler.compile(filename);
  reportToWatcher(dependencies);
  if (result instanceof CapnpError) throw result;
  const loader = sharedLoader();
  loader.loadAll(result.nodes);
  module.exports = loader.declare(loader.get(result.requestedFiles[0]!.id));
};
