import { expect } from "chai";
import { join } from "node:path";
import { Workplace } from "./support/document.ts";
import { hookArgs, isDeno } from "./support/hooked.ts";
import { Processes } from "./support/processes.ts";
import { repositoryRoot } from "./support/repository.ts";

const nothingEvaluated = "--disallow-code-generation-from-strings";
const fixtures = join(repositoryRoot, "test/fixtures/import-hook");

describe("the import hook", () => {
  const processes = new Processes();
  after(() => processes.stop());

  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const { status, stdout, stderr } = await processes.run(process.execPath, args, { env });
    expect(stderr).to.equal("");
    expect(status).to.equal(0);
    return stdout.trimEnd().split("\n");
  };
  const hooked = (file: string, ...options: string[]) => [...hookArgs, ...options, join(fixtures, file)];

  it("exports every declaration under its own name, and a default with all", async () => {
    // Names that JavaScript reserves are names like others; nothing is evaluated from strings.
    expect(
      await run(hooked("exports.mjs", isDeno ? `--v8-flags=${nothingEvaluated}` : nothingEvaluated)),
    ).to.deep.equal([
      "Canvas Color Line await class default delete hasOwnProperty origin then",
      "1 2 3 4 5 0",
      "true true",
      "(from = (x = 1, y = 0), to = (x = 0, y = 2)) true",
    ]);
  });

  it("gives the same classes by import, by require, by load and through another file's import", async () => {
    expect(await run(hooked("same.mjs"))).to.deep.equal(["true true true true true"]);
  });

  it("serves require alone, without an option of Node", async () => {
    expect(await run([join(fixtures, "same.cjs")])).to.deep.equal(["true true true"]);
  });

  it("throws what is wrong with a schema, with every place", async () => {
    const place = (name: string) => join(fixtures, name);
    expect(await run(hooked("wrong.mjs"))).to.deep.equal([
      `CAPNP_COMPILE 1 ${place("wrong.capnp")}:3:18-25: error: Not defined: Nothing`,
      `CAPNP_COMPILE 2 ${place("wrong.capnp")}:3:18-25: error: Not defined: Nothing`,
      `${place("wrong.capnp")}:4:18-25: error: Not defined: Missing`,
    ]);
  });

  it("looks absolute imports up in CAPSTAN_IMPORT_PATH", async () => {
    const env = { CAPSTAN_IMPORT_PATH: join(fixtures, "common") };
    expect(await run(hooked("path.mjs"), env)).to.deep.equal(["(at = (x = 0, y = 5))"]);
  });

  describe("in a folder of its own", () => {
    let place: Workplace;
    beforeEach(async () => {
      place = await Workplace.make();
    });
    afterEach(() => place.remove());

    it("finds schemas of packages, from modules and from schemas", async () => {
      const folder = "node_modules/some-package";
      await place.write(`${folder}/package.json`, '{ "name": "some-package", "exports": { "./*": "./lib/*" } }');
      await place.write(`${folder}/lib/some.capnp`, "@0xc5a1e1b2d3f40701;\nstruct Some { x @0 :Int8; }\n");
      await place.write(
        "mine.capnp",
        '@0xc5a1e1b2d3f40702;\nstruct Mine { some @0 :import "/some-package/lib/some.capnp".Some; }\n',
      );
      await place.write(
        "app.mjs",
        'import { Some } from "some-package/some.capnp";\nimport { Mine } from "./mine.capnp";\n' +
          "console.log(Mine.newMessage().init('some') instanceof Some.Builder);\n",
      );
      expect(await place.run("node --import capstan/register app.mjs")).to.deep.include({
        stdout: "true\n",
        stderr: "",
      });
    });

    it("restarts under node --watch when a schema changes, even one that is only imported by another", async () => {
      const constant = (value: string) => `@0xc5a1e1b2d3f40703;\nconst value :Int32 = ${value};\n`;
      await place.write("inner.capnp", constant("1"));
      await place.write("outer.capnp", '@0xc5a1e1b2d3f40704;\nconst outer :Int32 = import "inner.capnp".value;\n');
      await place.write("app.mjs", 'import { outer } from "./outer.capnp";\nconsole.log("value", outer);\n');
      const node = place.start("exec node --watch --import capstan/register app.mjs");
      await node.line(/^value 1$/);
      await node.line(/^Completed running/);
      // A mistake does not end the watch either.
      await place.write("inner.capnp", constant("nothing"));
      await node.line(/^Failed running/);
      await place.write("inner.capnp", constant("2"));
      await node.line(/^value 2$/);
    });
  });
});
