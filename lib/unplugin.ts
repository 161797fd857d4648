import { createUnplugin, type UnpluginInstance } from "unplugin";
import { CapnpError } from "./errors.ts";
import { ModuleCompiler } from "./import-hook/compile-module.ts";
import { moduleSource } from "./import-hook/module-source.ts";

export interface CapstanPluginOptions {
  /** Folders that `import "/..."` is looked up in, first match first. Default: those of CAPSTAN_IMPORT_PATH. */
  readonly importPath?: readonly string[];
}

/** Resolved by the bundler, from the schema file: so the bundle holds one copy of this library, the application's. */
const runtime = "capstan/generated/v1";

/**
 * `import { Person } from "./addressbook.capnp"` in bundles: `capstan.vite()`, `capstan.rollup()`, `capstan.esbuild()` and
 * the other bundlers that unplugin knows. The compiler runs while bundling; what is bundled needs nothing of Node.
 */
export const capstan: UnpluginInstance<CapstanPluginOptions | undefined, false> = createUnplugin(
  (options: CapstanPluginOptions | undefined) => {
    const compiler = new ModuleCompiler(options?.importPath);
    return {
      name: "capstan",
      load: {
        // A query, such as `?raw` or `?url`, asks another plugin.
        filter: { id: /\.capnp$/ },
        handler(id) {
          const { result, dependencies } = compiler.compile(id);
          for (const path of dependencies) this.addWatchFile(path);
          if (result instanceof CapnpError) throw result;
          return { code: moduleSource(result, runtime), map: null };
        },
      },
      esbuild: { onLoadFilter: /\.capnp$/, loader: "js" },
    };
  },
);
