// Makes of lib/ what Node imports: a few modules in dist/package/, each entry at the path that it has in lib/. Node spends half
// a millisecond on every module that it loads, so that lib/'s 200 take four times as long. Bundlers, which leave out what is
// not used, types and tests get what tsc makes of lib/: one module for each file, in dist/lib/.
import { readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { compileEagerly, methodsModule } from "./eager-functions.js";

const root = fileURLToPath(new URL(".", import.meta.url));

const target = `${root}/dist/package`;
const next = `${root}/dist/package-next`;

/** The compiler runs as a whole, and mostly once: for the first schema that is loaded. Nobody outside gets at its objects. */
const eagerCompiler = {
  name: "eager-compiler",
  setup(plugins) {
    plugins.onLoad({ filter: /[\\/]lib[\\/]compiler[\\/]\w[^\\/]*\.ts$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), {
        loader: "ts",
        sourcefile: path,
        sourcemap: "inline",
        sourcesContent: false,
        tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
      });
      return { contents: compileEagerly(code), loader: "js" };
    });
    plugins.onResolve({ filter: new RegExp(`^${methodsModule.name}$`) }, ({ path }) => ({ path, namespace: "made" }));
    plugins.onLoad({ filter: /./, namespace: "made" }, () => ({ contents: methodsModule.contents, loader: "js" }));
  },
};

/**
 * esbuild puts what the same entries need into one chunk, however small that is, and a chunk costs what a module costs. So that
 * there are fewer, each entry takes along what nearly all of them need, and what is loaded late the index, which loads it.
 */
const fewerChunks = {
  name: "fewer-chunks",
  setup(plugins) {
    const along = (files, others) => {
      plugins.onLoad({ filter: new RegExp(`[\\\\/]lib[\\\\/](${files.join("|")})\\.ts$`) }, ({ path }) => ({
        contents: [readFileSync(path, "utf8"), ...others.map((other) => `import "along:${other}.ts";`)].join("\n"),
        loader: "ts",
      }));
      plugins.onResolve({ filter: new RegExp(`[:/](${others.join("|")})\\.ts$`) }, ({ path, resolveDir }) => ({
        path: path.startsWith("along:") ? join(root, "lib", path.slice("along:".length)) : join(resolveDir, path),
        // A module that is imported for nothing else would be left out.
        sideEffects: true,
      }));
    };
    along(
      [
        "index",
        "browser",
        "register",
        "require",
        "unplugin",
        "import-hook/hooks-thread",
        "cli/[\\w-]+",
        "generated/.+",
      ],
      [
        "compile-error",
        "compiler/diagnostics",
        "schema/embedded-nodes",
        "schema/node",
        "schema/pipeline-name",
        "schema/references",
        "schema/typescript-name",
        "transport/certificate-names",
      ],
    );
    along(["transport/connect-web-socket", "transport/web-socket-gate", "transport/web-socket-mount"], ["index"]);
  },
};

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
    "lib/generated/*/**/*.ts",
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
  plugins: [eagerCompiler, fewerChunks],
});
// A function that some module needs while it is evaluated, and which is not there yet, shows here.
await import(`${next}/index.js`);
// Whoever runs the package meanwhile finds the old one or the new one.
rmSync(target, { recursive: true, force: true });
renameSync(next, target);
