import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import vm from "node:vm";
import { build as esbuild } from "esbuild";
import { rollup } from "rollup";
import { build as viteBuild, createServer } from "vite";
import { capstan } from "../lib/unplugin.ts";
import { Workplace } from "./support/document.ts";
import { repositoryRoot } from "./support/repository.ts";

const fixtures = join(repositoryRoot, "test/fixtures/import-hook");
const printed = "(from = (x = 1, y = 0), to = (x = 0, y = 0)) 0 true\n";

/** Runs a bundle where there is nothing of Node, as in a browser. */
function runInBrowser(code: string): string {
  let output = "";
  const console = { log: (...words: unknown[]) => (output += `${words.join(" ")}\n`) };
  vm.runInNewContext(code, { console, TextEncoder, TextDecoder, atob, btoa, queueMicrotask, setTimeout, clearTimeout });
  return output;
}

describe("the plugin for bundlers", function () {
  this.timeout(30_000);
  let place: Workplace;
  let entry: string;
  before(async () => {
    place = await Workplace.make();
    entry = await place.write(
      "entry.js",
      `import file, { Canvas, Line, origin } from ${JSON.stringify(join(fixtures, "shapes.capnp"))};\n` +
        "console.log(String(Line.newMessage({ from: { x: 1 }, to: {} })), origin.x, file.Canvas === Canvas);\n",
    );
  });
  after(() => place.remove());

  it("esbuild: the bundle runs in a browser", async () => {
    const { outputFiles } = await esbuild({
      entryPoints: [entry],
      bundle: true,
      format: "iife",
      platform: "browser",
      write: false,
      plugins: [capstan.esbuild()],
    });
    expect(runInBrowser(outputFiles[0]!.text)).to.equal(printed);
  });

  it("Vite: the bundle runs in a browser", async () => {
    await viteBuild({
      configFile: false,
      logLevel: "error",
      root: place.folder,
      plugins: [capstan.vite()],
      build: { outDir: "vite", lib: { entry, formats: ["iife"], name: "bundle", fileName: () => "bundle.js" } },
    });
    expect(runInBrowser(await readFile(join(place.folder, "vite/bundle.js"), "utf8"))).to.equal(printed);
  });

  it("Vite's development server serves a schema as a module", async () => {
    const server = await createServer({
      configFile: false,
      logLevel: "error",
      root: fixtures,
      plugins: [capstan.vite()],
      server: { middlewareMode: true, ws: false, watch: null },
      optimizeDeps: { noDiscovery: true },
    });
    try {
      const module = await server.transformRequest("/shapes.capnp");
      expect(module?.code).to.match(/export \{ _\d+ as Line \}/);
    } finally {
      await server.close();
    }
  });

  it("Rollup: watches the schema and those that it imports, and leaves the library to others", async () => {
    const bundle = await rollup({ input: entry, plugins: [capstan.rollup()], external: ["capstan/generated/v1"] });
    try {
      expect(bundle.watchFiles).to.include.members([
        entry,
        join(fixtures, "shapes.capnp"),
        join(fixtures, "common/point.capnp"),
      ]);
      await bundle.write({ file: join(place.folder, "rollup.mjs") });
    } finally {
      await bundle.close();
    }
    expect(await place.run("node rollup.mjs")).to.deep.include({ stdout: printed, stderr: "" });
  });

  it("a wrong schema fails the build with every mistake", async () => {
    const input = await place.write("wrong.js", `import ${JSON.stringify(join(fixtures, "wrong.capnp"))};\n`);
    const error = await rollup({ input, plugins: [capstan.rollup()] }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect((error as Error).message)
      .to.include("wrong.capnp:3:18-25: error: Not defined: Nothing")
      .and.include("wrong.capnp:4:18-25: error: Not defined: Missing");
  });

  it("looks absolute imports up in its import path", async () => {
    const file = JSON.stringify(join(fixtures, "needs-path.capnp"));
    const input = await place.write("path.js", `import { Dot } from ${file};\nexport { Dot };\n`);
    const plugins = [capstan.rollup({ importPath: [join(fixtures, "common")] })];
    const bundle = await rollup({ input, plugins, external: ["capstan/generated/v1"] });
    expect(bundle.watchFiles).to.include(join(fixtures, "common/point.capnp"));
    await bundle.close();
  });
});
