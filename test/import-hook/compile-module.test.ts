import { expect } from "chai";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CompileError } from "../../lib/compile-error.ts";
import { ModuleCompiler } from "../../lib/import-hook/compile-module.ts";
import { moduleSource } from "../../lib/import-hook/module-source.ts";
import type { CompiledSchema } from "../../lib/schema/node.ts";

describe("a schema that a module imports", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "capstan-"));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const write = async (name: string, text: string) => {
    const path = join(folder, name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text);
    return path;
  };

  it("is compiled once for its content and that of all that it was made from", async () => {
    const outer = await write(
      "outer.capnp",
      '@0xc5a1e1b2d3f40901;\nusing import "inner.capnp".Inner;\nconst data :Data = embed "data.bin";\nstruct A { i @0 :Inner; }\n',
    );
    const inner = await write("inner.capnp", "@0xc5a1e1b2d3f40902;\nstruct Inner {}\n");
    const data = await write("data.bin", "1");
    const compiler = new ModuleCompiler([]);
    const first = compiler.compile(outer);
    expect(first.result).not.to.be.instanceOf(CompileError);
    expect(first.dependencies).to.have.members([outer, inner, data]);
    expect(compiler.compile(outer)).to.equal(first);
    await write("data.bin", "2");
    const second = compiler.compile(outer);
    expect(second).not.to.equal(first);
    await write("inner.capnp", "@0xc5a1e1b2d3f40902;\nstruct Other {}\n");
    expect(compiler.compile(outer).result).to.be.instanceOf(CompileError);
    await write("inner.capnp", "@0xc5a1e1b2d3f40902;\nstruct Inner {}\n");
    expect(compiler.compile(outer).result).to.deep.equal(second.result);
  });

  it("finds an import in the import path first, then among the standard schemas, then in node_modules", async () => {
    const file = await write(
      "app/file.capnp",
      '@0xc5a1e1b2d3f40903;\nusing import "/package/x.capnp".X;\nusing C = import "/capnp/c++.capnp";\nstruct A { x @0 :X; }\n$C.namespace("a");\n',
    );
    const packaged = await write("node_modules/package/x.capnp", "@0xc5a1e1b2d3f40904;\nstruct X {}\n");
    await write("node_modules/capnp/c++.capnp", "not a schema");
    expect(new ModuleCompiler([]).compile(file).dependencies).to.have.members([file, packaged]);
    const own = await write("own/package/x.capnp", "@0xc5a1e1b2d3f40905;\nstruct X {}\n");
    expect(new ModuleCompiler([join(folder, "own")]).compile(file).dependencies).to.have.members([file, own]);
  });

  it("is not named after the folders of this machine", async () => {
    for (const [name, displayName] of [
      ["x.capnp", "x.capnp"],
      ["node_modules/some-package/lib/y.capnp", "some-package/lib/y.capnp"],
    ] as const) {
      const { result } = new ModuleCompiler([]).compile(await write(name, "@0xc5a1e1b2d3f40906;\n"));
      expect((result as CompiledSchema).nodes.map((node) => node.displayName)).to.deep.equal([displayName]);
    }
  });

  it("becomes a module with exports of any name", async () => {
    const file = await write(
      "names.capnp",
      "@0xc5a1e1b2d3f40907;\nconst delete :Int8 = 1;\nconst default :Int8 = 2;\n",
    );
    const { result } = new ModuleCompiler([]).compile(file);
    const { nodes, ...rest } = result as CompiledSchema;
    // Names that only a request made by hand can have must not become code.
    const renamed = nodes.map((node) => ({
      ...node,
      nestedNodes: [...node.nestedNodes, { name: '"; process.exit(1); "', id: 1n }, { name: "a\u2028b", id: 2n }],
    }));
    const source = moduleSource({ nodes: renamed, ...rest }, "capstan/generated/v1");
    const module = source.replace(/^.*\n.*\n/, "const file = {};\n");
    // In base64, since Bun takes what follows a dot for the ending of a file.
    const imported = (await import(`data:text/javascript;base64,${Buffer.from(module).toString("base64")}`)) as object;
    expect(Object.keys(imported)).to.have.members(["delete", "default", '"; process.exit(1); "', "a\u2028b"]);
  });
});
