import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";
import { CapnpError } from "../lib/errors.ts";
import { CompileError, load, loadSync, SchemaParser } from "../lib/load.ts";
import { expectError } from "./support/errors.ts";
import type { Loose } from "./support/loose.ts";

describe("loading a schema", () => {
  const folder = mkdtempSync(join(tmpdir(), "capstan-"));
  after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  };

  const shapes = write(
    "shapes.capnp",
    '@0xb01e1b1e5b1b1b01;\nusing import "common/point.capnp".Point;\nstruct Line { from @0 :Point; to @1 :Point; }\n',
  );
  const point = write(
    "common/point.capnp",
    "@0xb01e1b1e5b1b1b02;\nstruct Point { x @0 :Int32; y @1 :Int32; }\nconst answer :UInt8 = 42;\n",
  );
  const absolute = write(
    "absolute.capnp",
    '@0xb01e1b1e5b1b1b03;\nusing P = import "/point.capnp";\nstruct Dot { at @0 :P.Point; }\n',
  );

  it("gives what the file declares, and the same for the same file", async () => {
    const file = await load<Loose>(shapes);
    expect(Object.keys(file)).to.deep.equal(["Line"]);
    expect(Object.getPrototypeOf(file)).to.equal(null);
    expect(await load(shapes)).to.equal(file);
    expect(loadSync(shapes)).to.equal(file);
    expect(await load(pathToFileURL(shapes))).to.equal(file);
  });

  it("gives imported types that are those of the imported file", async () => {
    const { Line } = await load<Loose>(shapes);
    const { Point, answer } = await load<Loose>(point);
    expect(Line.newMessage({ from: { x: 1 } }).from).to.be.instanceOf(Point.Builder);
    expect(answer).to.equal(42);
  });

  it("finds absolute imports along the import path", async () => {
    const parser = new SchemaParser({ importPath: [join(folder, "common")] });
    const { Dot } = await parser.load<Loose>(absolute);
    expect(Dot.newMessage({ at: { x: 5 } }).at.x).to.equal(5);
    const other = new SchemaParser();
    expect(other.loadSync<Loose>(absolute, { importPath: [join(folder, "common")] }).Dot).to.not.equal(Dot);
  });

  it("has the standard schemas without any file", async () => {
    const parser = new SchemaParser();
    const { Thing } = parser.parse<Loose>(
      '@0xb01e1b1e5b1b1b07;\nusing Json = import "/capnp/compat/json.capnp";\nstruct Thing { value @0 :Json.Value; }\n',
    );
    const json = await parser.load<Loose>("/capnp/compat/json.capnp");
    expect(Thing.newMessage({ value: { number: 5 } }).value).to.be.instanceOf(json.Value.Builder);
    expect((await load<Loose>("/capnp/schema.capnp")).Node.newMessage({ struct: {} }).which()).to.equal("struct");
  });

  it("reads a schema given as text", () => {
    const { Thing } = new SchemaParser().parse<Loose>(
      '@0xb01e1b1e5b1b1b04;\nusing import "common/point.capnp".Point;\nstruct Thing { at @0 :Point; }\n',
      join(folder, "thing.capnp"),
    );
    expect(Thing.newMessage({ at: { y: 2 } }).at.y).to.equal(2);
  });

  it("refuses another schema under an id that is taken", () => {
    const parser = new SchemaParser();
    const schema = (field: string) => `@0xb01e1b1e5b1b1b08;\nstruct Thing @0xb01e1b1e5b1b1b09 { ${field} @0 :Text; }\n`;
    const { Thing } = parser.parse<Loose>(schema("a"));
    expect(parser.parse<Loose>(schema("a"), "elsewhere.capnp").Thing).to.equal(Thing);
    expectError("CAPNP_SCHEMA", () => parser.parse(schema("b"), "other.capnp"), "0xb01e1b1e5b1b1b09", "other.capnp");
  });

  it("collects every mistake with its place", async () => {
    const wrong = write(
      "wrong.capnp",
      "@0xb01e1b1e5b1b1b05;\nstruct A { x @0 :Nothing; }\nstruct B { y @0 :Missing; }\n",
    );
    const parser = new SchemaParser();
    expectError(
      "CAPNP_COMPILE",
      () => parser.loadSync(wrong),
      `${wrong}:2:18-25: error: `,
      `${wrong}:3:18-25: error: `,
    );
    try {
      await parser.load(wrong);
      expect.fail("a wrong schema was loaded");
    } catch (error) {
      expect(error).to.be.instanceOf(CompileError).and.instanceOf(CapnpError);
      expect((error as CompileError).diagnostics).to.have.lengthOf(2);
    }
  });

  it("says which file is missing", async () => {
    expectError("CAPNP_SCHEMA_NOT_FOUND", () => loadSync(join(folder, "missing.capnp")), "missing.capnp");
    const importing = write("importing.capnp", '@0xb01e1b1e5b1b1b06;\nusing import "missing.capnp".X;\n');
    expectError("CAPNP_COMPILE", () => new SchemaParser().loadSync(importing), "missing.capnp");
    const error = await load(join(folder, "missing.capnp")).catch((reason: unknown) => reason);
    expect((error as CapnpError).code).to.equal("CAPNP_SCHEMA_NOT_FOUND");
  });

  it("finds a file on the import path that the current folder does not have", async () => {
    const places = ["one", "other"].map((name, i) =>
      join(write(`${name}/elsewhere.capnp`, `@0xb01e1b1e5b1b1b1${i};\nconst place :UInt8 = ${i};\n`), ".."),
    );
    for (const [i, place] of places.entries()) {
      const importPath = [place];
      const file = await load("elsewhere.capnp", { importPath });
      expect(file).to.have.property("place", i);
      expect(loadSync("elsewhere.capnp", { importPath })).to.equal(file);
      expect(new SchemaParser({ importPath }).loadSync("elsewhere.capnp")).to.have.property("place", i);
    }
    const missing = () => loadSync("missing.capnp", { importPath: places });
    expectError("CAPNP_SCHEMA_NOT_FOUND", missing, "missing.capnp", "nor in importPath");
  });

  it("takes no import path but an array", async () => {
    const importPath = folder as never;
    expectError("CAPNP_TYPE", () => loadSync("elsewhere.capnp", { importPath }), "importPath must be an array");
    expectError("CAPNP_TYPE", () => new SchemaParser({ importPath }), "not a string");
  });

  it("says what is wrong with a file that cannot be read, and never reads without end", async () => {
    for (const [path, problem] of [
      [folder, "This is a folder, not a file."],
      ["/dev/zero", "This is not a regular file."],
    ] as const) {
      expectError("CAPNP_COMPILE", () => new SchemaParser().loadSync(path), problem);
      const importing = write("importing.capnp", `@0xb01e1b1e5b1b1b06;\nusing import "${path}".X;\n`);
      const parser = new SchemaParser({ importPath: ["/"] });
      expectError("CAPNP_COMPILE", () => parser.loadSync(importing), problem);
      const error = await parser.load(importing).catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(CompileError);
      expect((error as CompileError).message)
        .to.include(problem)
        .and.to.include("importing.capnp:2:");
    }
  });

  it("knows a file again that is reached by two paths", async () => {
    write("twice.capnp", "@0xb01e1b1e5b1b1b07;\nstruct X {}\n");
    const importing = write(
      "twice-importing.capnp",
      '@0xb01e1b1e5b1b1b08;\nstruct Y { a @0 :import "twice.capnp".X; b @1 :import "/twice.capnp".X; }\n',
    );
    const importPath = [relative(".", folder)];
    const loaded = new SchemaParser({ importPath }).loadSync(importing);
    expect(loaded).to.have.property("Y");
    expect(await new SchemaParser({ importPath }).load(importing)).to.have.property("Y");
  });
});
