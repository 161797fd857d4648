import * as nodeModule from "node:module";
import { pathToFileURL } from "node:url";
import { MessageChannel } from "node:worker_threads";
import { schemaModuleLoader } from "./import-hook/load-hook.ts";
import { reportToWatcher } from "./import-hook/watch-report.ts";
import "./require.ts";

/**
 * `node --import capstan/register main.js`: from then on `import { Person } from "./addressbook.capnp"` gives what the file
 * declares, and so does `require`. With Bun: `bun --preload capstan/register main.js`.
 */

type Load = (
  url: string,
  context: { readonly conditions?: readonly string[] },
  nextLoad: (url: string, context: unknown) => unknown,
) => unknown;

/** What Bun has in place of Node's hooks, as far as it matters here. */
interface Bun {
  plugin(plugin: {
    readonly name: string;
    setup(build: {
      onLoad(
        modules: { readonly filter: RegExp },
        load: (module: { readonly path: string }) => { readonly contents: string; readonly loader: "js" },
      ): void;
    }): void;
  }): void;
}

const { Bun: bun } = globalThis as { readonly Bun?: Bun };
const { registerHooks } = nodeModule as { readonly registerHooks?: (hooks: { readonly load: Load }) => void };

if (bun !== undefined) {
  const loadSchema = schemaModuleLoader(reportToWatcher);
  bun.plugin({
    name: "capstan",
    setup: (build) =>
      build.onLoad({ filter: /\.capnp(\?.*)?$/ }, ({ path }) => {
        const { source } = loadSchema(pathToFileURL(path.replace(/\?.*$/, "")).href)!;
        return { contents: source, loader: "js" };
      }),
  });
} else if (registerHooks === undefined) {
  const { port1, port2 } = new MessageChannel();
  port1.on("message", reportToWatcher).unref();
  nodeModule.register("./import-hook/hooks-thread.js", import.meta.url, {
    data: { port: port2 },
    transferList: [port2],
  });
} else {
  const loadSchema = schemaModuleLoader(reportToWatcher);
  registerHooks({
    // `require` has its own way.
    load: (url, context, nextLoad) =>
      (context.conditions?.includes("require") ? undefined : loadSchema(url)) ?? nextLoad(url, context),
  });
}
