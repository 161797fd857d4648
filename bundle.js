// Makes of lib/ what Node imports: a few modules in dist/package/, each entry at the path that it has in lib/. Node spends half
// a millisecond on every module that it loads, so that lib/'s 200 take four times as long. Bundlers, which leave out what is
// not used, types and tests get what tsc makes of lib/: one module for each file, in dist/lib/.
import { renameSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL(".", import.meta.url));

const target = `${root}/dist/package`;
const next = `${root}/dist/package-next`;

rmSync(next, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: [
    "lib/index.ts",
    "lib/browser.ts",
    "lib/register.ts",
    "lib/require.ts",
    "lib/unplugin.ts",
    "lib/import-hook/hooks-thread.ts",
    "lib/cli/main.ts",
    "lib/cli/capnpc-capstan.ts",
    "lib/generated/v1.ts",
    "lib/generated/capnp/**/*.ts",
    "lib/generated/capstan/*.ts",
  ],
  outdir: next,
  outbase: "lib",
  // One folder deep, as the modules that address others by their own URL are in lib/.
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: true,
  sourcesContent: false,
  legalComments: "none",
  logLevel: "warning",
});
// Whoever runs the package meanwhile finds the old one or the new one.
rmSync(target, { recursive: true, force: true });
renameSync(next, target);
