import { expect } from "chai";
import { join, posix } from "node:path";
import { repositoryRoot } from "../support/repository.ts";
import { InstalledPackage, type ModuleSetting, moduleSettings, printed } from "./installed-package.ts";

const tsc = join(repositoryRoot, "node_modules/.bin/tsc");

describe("the packed package", function () {
  this.timeout(60_000);

  let installed: InstalledPackage;
  before(async () => {
    installed = await InstalledPackage.make();
  });
  after(() => installed?.remove());

  describe("holds what users need", () => {
    it("and nothing else", async () => {
      const files = await installed.files();
      const kinds = files.map((path) => path.replace(/(?:[^/]+\/)*[^/]*?((?:\.d)?\.\w+(?:\.map)?)$/, "*$1"));
      const folders = files.map((path) => /^(?:dist\/)?[^/]+\//.exec(path)?.[0] ?? path);
      const kindsIn = (folder: string) => [...new Set(kinds.filter((_, index) => folders[index] === folder))].sort();
      expect([...new Set(folders)].sort()).to.deep.equal([
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "dist/lib/",
        "dist/package/",
        "docs/",
        "lib/",
        "package.json",
      ]);
      expect(kindsIn("dist/lib/")).to.deep.equal(["*.d.ts", "*.js", "*.js.map"]);
      expect(kindsIn("dist/package/")).to.deep.equal(["*.js", "*.js.map"]);
      expect(kindsIn("lib/")).to.deep.equal(["*.capnp", "*.md", "*.ts"]);
      expect(kindsIn("docs/")).to.deep.equal(["*.md"]);
      // Half of it is source maps and the sources that they name.
      expect(installed.packedBytes).to.be.lessThan(2_000_000);
    });

    it("every source map beside its file, and every source that it names", async () => {
      const files = new Set(await installed.files());
      const missing: string[] = [];
      let maps = 0;
      for (const path of files) {
        if (!path.endsWith(".js")) continue;
        const map = /^\/\/# sourceMappingURL=(.*)$/m.exec(await installed.read(path))?.[1];
        if (map === undefined) continue;
        maps++;
        const mapPath = posix.join(posix.dirname(path), map);
        if (!files.has(mapPath)) missing.push(mapPath);
        const { sources } = JSON.parse(await installed.read(mapPath)) as { readonly sources: readonly string[] };
        // What bundle.js makes up has no file: esbuild calls it `made:NAME`.
        const written = sources.filter((source) => !source.startsWith("made:"));
        missing.push(
          ...written.map((source) => posix.join(posix.dirname(mapPath), source)).filter((path) => !files.has(path)),
        );
      }
      expect(missing).to.deep.equal([]);
      expect(maps).to.be.greaterThan(300);
    });

    it("every file that package.json names", async () => {
      const files = await installed.files();
      const manifest = await installed.read("package.json");
      const named = [...manifest.matchAll(/"(?:\.\/)?(dist\/[^"*]*|lib\/[^"*]*)"/g)].map(([, path]) => path!);
      expect(named.length).to.be.greaterThan(20);
      expect(named.filter((path) => !files.some((file) => file === path || file.startsWith(`${path}/`)))).to.deep.equal(
        [],
      );
    });
  });

  describe("serves TypeScript", () => {
    const settings: Readonly<Record<string, ModuleSetting>> = {
      ...moduleSettings,
      "of CommonJS": { type: "commonjs", compilerOptions: { module: "commonjs", moduleResolution: "bundler" } },
    };
    for (const [index, [name, setting]] of Object.entries(settings).entries()) {
      it(`${name}: it compiles, with the declarations checked, and runs`, async () => {
        const project = await installed.project(`typescript-${index}`, setting);
        expect(await project.run(tsc)).to.equal("");
        expect(await project.node("out/main.js")).to.equal(printed);
      });
    }

    it("that writes declarations: they can name all types, of generated code as well", async () => {
      const compilerOptions = { module: "nodenext", declaration: true };
      const project = await installed.project("declared", { type: "module", compilerOptions }, ["declared.ts"]);
      expect(await project.run(tsc)).to.equal("");
    });

    it("of a bundler: it compiles, and what the plugin has bundled runs", async () => {
      // The declarations of unplugin name bundlers that are not installed.
      const compilerOptions = { module: "esnext", moduleResolution: "bundler", skipLibCheck: true };
      const project = await installed.project("bundler", { type: "module", compilerOptions }, ["main.ts", "build.ts"]);
      expect(await project.run(tsc)).to.equal("");
      expect(await project.node("out/build.js")).to.equal("");
      expect(await project.node("bundled/main.js")).to.equal(printed);
      expect(await project.node("bundled/module.js")).to.equal("Hello from a module\n");
    });
  });

  describe("serves JavaScript", () => {
    it("that imports", async () => {
      const project = await installed.project("modules", { type: "module", compilerOptions: {} });
      expect(await project.node("--import", "capstan/register", "module.mjs")).to.equal("Hello from a module\n");
    });

    it("that requires, with one copy of the library for both", async () => {
      const project = await installed.project("commonjs", { type: "commonjs", compilerOptions: {} });
      expect(await project.node("commonjs.cjs")).to.equal("Hello from CommonJS\ntrue true\n");
    });
  });
});
