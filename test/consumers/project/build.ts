// A consumer with a bundler: the TypeScript of main.ts, and a schema through the plugin.
import { build } from "esbuild";
import { capstan } from "capstan/unplugin";

await build({
  entryPoints: ["main.ts", "module.mjs"],
  outdir: "bundled",
  bundle: true,
  format: "esm",
  platform: "node",
  // What the library needs in Node, and the hooks, which serve what is not bundled.
  external: ["rxjs", "ws", "pino", "capstan/register", "capstan/require"],
  plugins: [capstan.esbuild({ importPath: [] })],
});
