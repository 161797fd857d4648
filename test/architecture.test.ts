import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { expect } from "chai";
import {
  codeOf,
  filesUnder,
  importCycles,
  importsOf,
  type ModuleImport,
  moduleGraph,
  reachableFrom,
  readSource,
} from "./support/module-graph.ts";
import { repositoryRoot } from "./support/repository.ts";

interface Layer {
  /** A file, or a folder with a slash at its end. A module belongs to the longest path that leads to it. */
  readonly path: string;
  /** Files and folders that it may import besides itself. */
  readonly imports: readonly string[];
  /** Those of which it may import types only. */
  readonly types?: readonly string[];
  /** Packages that it may import; "node:*" stands for all that Node brings. */
  readonly packages?: readonly string[];
}

const layers: readonly Layer[] = [
  { path: "lib/errors.ts", imports: [] },
  { path: "lib/logger.ts", imports: [] },
  { path: "lib/limit.ts", imports: ["lib/errors.ts"] },
  { path: "lib/serialization/", imports: ["lib/errors.ts"] },
  { path: "lib/rpc/capability/", imports: ["lib/errors.ts", "lib/serialization/"], types: ["lib/logger.ts"] },
  { path: "lib/schema/", imports: ["lib/errors.ts", "lib/logger.ts", "lib/serialization/", "lib/rpc/capability/"] },
  { path: "lib/compiler/", imports: ["lib/errors.ts", "lib/serialization/", "lib/schema/"] },
  { path: "lib/codegen/", imports: ["lib/errors.ts", "lib/schema/"] },
  {
    path: "lib/rpc/",
    imports: ["lib/errors.ts", "lib/limit.ts", "lib/serialization/", "lib/rpc/capability/", "lib/rpc/connection/"],
    types: ["lib/transport/", "lib/logger.ts"],
    packages: ["rxjs"],
  },
  {
    path: "lib/rpc/connection/",
    imports: ["lib/errors.ts", "lib/serialization/", "lib/rpc/capability/", "lib/rpc/"],
    types: ["lib/transport/", "lib/logger.ts"],
  },
  {
    path: "lib/transport/",
    imports: ["lib/errors.ts", "lib/limit.ts", "lib/serialization/framing.ts"],
    types: ["lib/logger.ts"],
    packages: ["node:*", "ws", "rxjs"],
  },
  { path: "lib/cli/development-certificates.ts", imports: ["lib/"], packages: ["node:*", "selfsigned"] },
  { path: "lib/unplugin.ts", imports: ["lib/"], packages: ["unplugin"] },
  { path: "lib/", imports: ["lib/"], packages: ["node:*", "ws", "rxjs", "pino"] },
];

const holds = (place: string, path: string) => (place.endsWith("/") ? path.startsWith(place) : path === place);

function layerOf(path: string): Layer | undefined {
  return layers.filter((layer) => holds(layer.path, path)).sort((a, b) => b.path.length - a.path.length)[0];
}

function packageOf(specifier: string): string {
  if (isBuiltin(specifier)) return "node:*";
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function isAllowed(layer: Layer, { target, isRelative, typeOnly }: ModuleImport): boolean {
  if (!isRelative) return (layer.packages ?? []).includes(packageOf(target));
  const targetLayer = layerOf(target);
  if (targetLayer === undefined) return false;
  if (targetLayer === layer) return true;
  const listed = (places: readonly string[] = []) =>
    places.some((place) => (place.endsWith("/") ? targetLayer.path === place || place === "lib/" : target === place));
  return listed(layer.imports) || (typeOnly && listed(layer.types));
}

/** Matches where `any` stands as a type, and not as the name of a member. */
const isAny = /(?<=(?:[:<|&,([]|=>|=|\bextends|\bas)\s*)any(?=\s*(?:[;,>)|&\]}=\n]|\[))/;

const lineCount = (text: string) => text.split("\n").length - 1;

/** Exported names as the golden file lists them, sorted; `type` before those that leave nothing at run time. */
function publicNames(index: string): string[] {
  const code = codeOf(index);
  const names: string[] = [];
  for (const [, typeList, list] of code.matchAll(/^export\s+(type\s+)?\{([^}]*)\}/gm)) {
    for (const entry of list!.split(",")) {
      const [, typeName, name] = entry.trim().match(/^(type\s+)?(?:[\w$]+\s+as\s+)?([\w$]+)$/) ?? [];
      if (name !== undefined) names.push(typeList || typeName ? `type ${name}` : name);
    }
  }
  const declaration =
    /^export\s+(?:declare\s+|abstract\s+|async\s+)*(const|let|function\*?|class|type|interface)\s+([\w$]+)/gm;
  for (const [, keyword, name] of code.matchAll(declaration)) {
    names.push(keyword === "type" || keyword === "interface" ? `type ${name}` : name!);
  }
  for (const [, name] of code.matchAll(/^export\s+\*\s+as\s+([\w$]+)\s+from/gm)) names.push(name!);
  return [...new Set(names)].sort();
}

describe("the architecture", () => {
  const graph = moduleGraph(["lib", "servers", "clients", "certs"]);
  const library = [...graph].filter(([path]) => path.startsWith("lib/"));

  it("a layer imports only what its row lists", () => {
    const wrong = library.flatMap(([path, imports]) =>
      imports
        .filter((one) => !isAllowed(layerOf(path)!, one))
        .map((one) => `${path} imports ${one.typeOnly ? "the types of " : ""}${one.target}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it("every relative import names a module that exists", () => {
    const wrong = [...graph].flatMap(([path, imports]) =>
      imports
        .filter(({ target, isRelative }) => isRelative && !existsSync(join(repositoryRoot, target)))
        .map(({ target }) => `${path} imports ${target}`),
    );
    expect(wrong).to.deep.equal([]);
  });

  it("no module imports itself through others", () => {
    expect(importCycles(graph).map((cycle) => cycle.join(" -> "))).to.deep.equal([]);
  });

  it("nothing that the browser entry reaches needs Node, ws or pino", () => {
    const wrong = [...reachableFrom(graph, "lib/browser.ts")]
      .filter(([target]) => ["node:*", "ws", "pino"].includes(packageOf(target)))
      .map(([target, path]) => `${path} imports ${target}`);
    expect(wrong).to.deep.equal([]);
  });

  it("every folder of the library opens with a page, and the files that it names exist", () => {
    const folders = new Set(library.map(([path]) => dirname(path)));
    // What is generated lies in folders that their parent's page speaks for.
    const generated = [...folders].filter((folder) => /^lib\/generated\/./.test(folder));
    const wrong: string[] = [];
    for (const folder of folders) {
      if (generated.includes(folder)) continue;
      const page = join(repositoryRoot, folder, "README.md");
      if (!existsSync(page)) {
        wrong.push(`${folder} has no README.md`);
        continue;
      }
      const text = readFileSync(page, "utf8");
      for (const [, name] of text.matchAll(/`((?:lib\/|\.\.\/)?[\w/-]+(?:\.ts|\/[\w-]+))`/g)) {
        const from = name!.startsWith("lib/") ? repositoryRoot : join(repositoryRoot, folder);
        if (!existsSync(join(from, name!)) && !/^\/capn|^test\//.test(name!))
          wrong.push(`${page} names ${name}, which does not exist`);
      }
    }
    expect(wrong).to.deep.equal([]);
  });

  it("no file of the library is longer than 600 lines", () => {
    const written = library.filter(([path]) => !path.endsWith(".capnp.ts"));
    const long = written.map(([path]) => `${path}: ${lineCount(readSource(path))}`);
    expect(long.filter((line) => Number(line.split(": ")[1]) > 600)).to.deep.equal([]);
  });

  it("no source names the folder in which it happens to lie", () => {
    const wrong = [...graph.keys()].filter((path) => readSource(path).includes(`${repositoryRoot}/`));
    expect(wrong).to.deep.equal([]);
  });

  it("no declaration of the library has the type any", () => {
    const declarations = filesUnder("dist/lib", ".d.ts").filter((path) => {
      return graph.has(path.replace(/^dist\//, "").replace(/\.d\.ts$/, ".ts"));
    });
    const wrong = declarations.flatMap((path) =>
      codeOf(readSource(path))
        .split("\n")
        .filter((line) => isAny.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
    expect(declarations).to.have.lengthOf(library.length);
    expect(wrong).to.deep.equal([]);
  });

  describe("the list of public names", () => {
    const index = "lib/index.ts";
    const golden = "test/fixtures/public-names.txt";

    it("is the one that test/fixtures/public-names.txt holds (CAPSTAN_UPDATE=1 rewrites it)", () => {
      const names = publicNames(readSource(index));
      const text = `${names.join("\n")}\n`;
      if (process.env.CAPSTAN_UPDATE === "1") writeFileSync(join(repositoryRoot, golden), text);
      expect(names).to.deep.equal(readSource(golden).trimEnd().split("\n"));
    });

    it("is written by hand: every name that exists at run time stands in the source", async () => {
      const values = publicNames(readSource(index)).filter((name) => !name.startsWith("type "));
      const module: object = await import(new URL("../lib/index.js", import.meta.url).href);
      expect(Object.keys(module).sort()).to.deep.equal(values);
    });
  });

  describe("the scanner of this test", () => {
    const targets = (source: string) =>
      importsOf("lib/a/b.ts", source).map(({ target, typeOnly }) => (typeOnly ? `type ${target}` : target));

    it("sees imports, exports and calls, and tells types from values", () => {
      const source = [
        'import { a } from "./c.ts";',
        'import type { A } from "../d.ts";',
        'import { type B } from "../e.ts";',
        'import {\n  x,\n  y,\n} from "node:fs";',
        'import "./side.ts";',
        'export { z } from "./z.ts";',
        'export type { Z } from "./zz.ts";',
        'export * from "../all.ts";',
        'const late = await import("./late.ts");',
        'type Late = typeof import("./later.ts");',
      ].join("\n");
      expect(targets(source)).to.deep.equal([
        "lib/a/c.ts",
        "type lib/d.ts",
        "lib/e.ts",
        "node:fs",
        "lib/a/side.ts",
        "lib/a/z.ts",
        "type lib/a/zz.ts",
        "lib/all.ts",
        "lib/a/late.ts",
        "type lib/a/later.ts",
      ]);
    });

    it("does not see those in comments, templates and text", () => {
      const source = [
        "/**",
        'import { a } from "./comment.ts";',
        " */",
        '// import("./line.ts")',
        "const template = `",
        'import { b } from "./template.ts";',
        "`;",
        'const quotes = /["`]/;',
        'export const from = "./text.ts";',
        'import { c } from "./seen.ts";',
      ].join("\n");
      expect(targets(source)).to.deep.equal(["lib/a/seen.ts"]);
    });

    it("finds a cycle of values and lets one of types pass", () => {
      const one = (target: string, typeOnly = false): ModuleImport => ({ target, isRelative: true, typeOnly });
      const cyclic = new Map([
        ["a", [one("b")]],
        ["b", [one("c"), one("a", true)]],
        ["c", [one("b")]],
      ]);
      expect(importCycles(cyclic)).to.deep.equal([["b", "c", "b"]]);
    });

    it("tells the type any from a member of that name", () => {
      for (const text of ["x: any;", "Map<string, any>", "any[]): any;", "...args: any[]", "type A = any;"]) {
        expect(text, text).to.match(isAny);
      }
      for (const text of ["any: string;", "readonly any?: X", "x.any(y)", "company: Company;", '"any" | "all"']) {
        expect(text, text).not.to.match(isAny);
      }
    });

    it("knows a layer that reaches too far", () => {
      const allowed = (path: string, target: string, typeOnly = false) =>
        isAllowed(layerOf(path)!, { target, isRelative: target.startsWith("lib/"), typeOnly });
      expect(allowed("lib/serialization/word.ts", "lib/errors.ts")).to.equal(true);
      expect(allowed("lib/serialization/word.ts", "lib/schema/node.ts")).to.equal(false);
      expect(allowed("lib/serialization/word.ts", "node:fs")).to.equal(false);
      expect(allowed("lib/rpc/two-party.ts", "lib/transport/transport.ts", true)).to.equal(true);
      expect(allowed("lib/rpc/two-party.ts", "lib/transport/transport.ts")).to.equal(false);
      expect(allowed("lib/rpc/capability/client.ts", "lib/rpc/connection/connection.ts")).to.equal(false);
      expect(allowed("lib/transport/tcp.ts", "lib/serialization/framing.ts")).to.equal(true);
      expect(allowed("lib/transport/tcp.ts", "lib/serialization/struct.ts")).to.equal(false);
      expect(allowed("lib/index.ts", "lib/rpc/two-party.ts")).to.equal(true);
      expect(allowed("lib/index.ts", "servers/main.ts")).to.equal(false);
      expect(
        publicNames('export { a, type B, c as d } from "./x.ts";\nexport type { E } from "./y.ts";'),
      ).to.deep.equal(["a", "d", "type B", "type E"]);
    });
  });
});
