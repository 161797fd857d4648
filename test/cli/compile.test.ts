import { expect } from "chai";
import { symlink } from "node:fs/promises";
import { join, relative } from "node:path";
import { runCommand } from "../../lib/cli/run-command.ts";
import { decodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { Workplace } from "../support/document.ts";
import { recordedTerminal } from "../support/recorded-terminal.ts";
import { repositoryRoot } from "../support/repository.ts";

const wrong = "@0xc5a1e1b2d3f40601;\nstruct A { x @0 :Nothing; }\n\tstruct B { é @0 :Int8; }\n";

describe("capstan compile", () => {
  let place: Workplace;
  let good: string;
  let bad: string;
  /** From the repository's root, in which the tests run. */
  let here: string;
  before(async () => {
    place = await Workplace.make();
    here = relative(repositoryRoot, place.folder);
    good = await place.write("good.capnp", "@0xc5a1e1b2d3f40602;\nstruct Good { x @0 :Int8; }\n");
    bad = await place.write("bad.capnp", wrong);
  });
  after(() => place.remove());

  const compile = async (...args: string[]) => {
    const terminal = recordedTerminal();
    const status = await runCommand(["compile", ...args], terminal);
    return { status, stdout: terminal.stdout.bytes, stderr: terminal.stderr.text };
  };

  it("-o- writes the request, in which files have their paths from the current folder or the source prefix", async () => {
    const { status, stdout, stderr } = await compile("-o-", good);
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    const { nodes, requestedFiles } = decodeCompiledSchema(stdout);
    expect(nodes.map(({ displayName }) => displayName)).to.include(`${here}/good.capnp:Good`);
    expect(requestedFiles.map(({ filename }) => filename)).to.deep.equal([`${here}/good.capnp`]);
    const short = await compile("-o-", "--src-prefix", "dist", `--src-prefix=${place.folder}`, good);
    expect(decodeCompiledSchema(short.stdout).requestedFiles[0]?.filename).to.equal("good.capnp");
  });

  it("prints every mistake as file:line:column-column: error: text, and ends with status 1", async () => {
    const { status, stdout, stderr } = await compile("-o-", bad);
    expect(status).to.equal(1);
    expect(stdout).to.have.lengthOf(0);
    expect(stderr.split("\n")[0]).to.equal(`${here}/bad.capnp:3:13: error: Parse error.`);
  });

  describe("beside the C++ compiler", () => {
    let capnp: CapnpTool;
    before(async function () {
      capnp = await capnpTool.call(this);
      await place.write("sub/imported.capnp", "@0xc5a1e1b2d3f40603;\nstruct A { x @0 :Nothing; }\n");
      await place.write(
        "importing.capnp",
        '@0xc5a1e1b2d3f40604;\nusing import "/imported.capnp".A;\nusing import "no.capnp".N;\nstruct B { a @0 :A; }\n',
      );
    });

    const theirs = (args: readonly string[]): string => {
      try {
        capnp(["compile", "-o-", ...args], "");
      } catch (error) {
        return (error as Error).message.split("\n").slice(1).join("\n");
      }
      throw new Error("the C++ compiler accepts it");
    };

    for (const [what, args] of Object.entries({
      "a file below the current folder": () => [`${here}/sub/imported.capnp`],
      "a path with dots": () => [`./${here}/../${here.split("/").at(-1)}/sub/imported.capnp`],
      "a source prefix": () => [`--src-prefix=${here}`, `${here}/sub/imported.capnp`],
      "an import path": () => [`-I${here}/sub`, `${here}/importing.capnp`],
      "several files": () => [`${here}/bad.capnp`, `${here}/sub/imported.capnp`],
    })) {
      it(`${what}: stderr is the same`, async () => {
        const { status, stderr } = await compile("-o-", ...args());
        expect(status).to.equal(1);
        expect(stderr).to.equal(theirs(args())).and.include("error: ");
      });
    }
  });

  describe("of what is no readable schema", () => {
    it("a missing file, a folder, a device and a loop of links are diagnostics", async () => {
      await symlink("loop.capnp", join(place.folder, "loop.capnp"));
      const missing = join(place.folder, "missing.capnp");
      const { status, stderr } = await compile(
        "-o-",
        good,
        missing,
        place.folder,
        "/dev/zero",
        join(place.folder, "loop.capnp"),
      );
      expect(status).to.equal(1);
      const lines = stderr.trimEnd().split("\n");
      expect(lines.slice(0, 3)).to.deep.equal([
        `${here}/missing.capnp:1:1: error: No such file.`,
        `${here}:1:1: error: This is a folder, not a file.`,
        "/dev/zero:1:1: error: This is not a regular file.",
      ]);
      expect(lines[3]).to.match(/loop\.capnp:1:1: error: This file cannot be read: ELOOP/);
      expect(lines).to.have.lengthOf(4);
    });

    it("an import of a folder says so beside the failed import", async () => {
      const file = await place.write("folder.capnp", '@0xc5a1e1b2d3f40605;\nusing import "sub".A;\n');
      await place.write("sub/x.capnp", "");
      const { status, stderr } = await compile("-o-", file);
      expect(status).to.equal(1);
      expect(stderr).to.equal(
        `${here}/folder.capnp:2:14-19: error: Import failed: sub\n${here}/sub:1:1: error: This is a folder, not a file.\n`,
      );
    });

    it("bytes that are not UTF-8 are a diagnostic with their place", async () => {
      const file = await place.write("latin.capnp", Buffer.from("@0xc5a1e1b2d3f40606;\n\xff\xfe;\n", "latin1"));
      const { status, stderr } = await compile("-o-", file);
      expect(status).to.equal(1);
      expect(stderr).to.match(/latin\.capnp:2:1-3: error: Non-UTF-8 input detected\./);
    });
  });

  describe("on a terminal", () => {
    const print = async (file: string, hasColors: boolean) => {
      const terminal = recordedTerminal({ isInteractive: true, hasColors });
      expect(await runCommand(["compile", "-o-", file], terminal)).to.equal(1);
      return terminal.stderr.text;
    };

    it("shows the source line with carets beneath the mistake", async () => {
      const file = await place.write("caret.capnp", "@0xc5a1e1b2d3f40607;\nstruct A { x @0 :Nothing; }\n");
      expect(await print(file, false)).to.equal(
        `${here}/caret.capnp:2:18-25: error: Not defined: Nothing\nstruct A { x @0 :Nothing; }\n                 ^^^^^^^\n`,
      );
    });

    it("counts characters, not bytes, and keeps tabs", async () => {
      const file = await place.write(
        "unicode.capnp",
        '\ufeff@0xc5a1e1b2d3f40608;\nconst a :Text =\t"żółw" + 1; const b :Foo = 1;\n',
      );
      const [, line, carets] = (await print(file, false)).split("\n");
      expect(line).to.equal('const a :Text =\t"żółw" + 1; const b :Foo = 1;');
      expect(carets).to.match(/^ {15}\t {9}\^+$/);
    });

    it("colours it, and lets no byte of the schema command the terminal", async () => {
      const file = await place.write("escape.capnp", '@0xc5a1e1b2d3f40609;\nconst a :Foo = "\u001b]0;title\u0007";\n');
      const text = await print(file, true);
      expect(text).to.include("\u001b[1;31merror:\u001b[0m");
      expect(text).to.include("\u001b[1;31m^^^\u001b[0m");
      expect(text).not.to.include("\u001b]0;");
      expect(text).not.to.include("\u0007");
    });

    it("shows nothing more for a file without that line", async () => {
      const text = await print(join(place.folder, "missing.capnp"), false);
      expect(text).to.equal(`${here}/missing.capnp:1:1: error: No such file.\n`);
    });
  });

  describe("with arguments that make no sense", () => {
    for (const [args, text] of [
      [["--nonsense", "x.capnp"], "Unknown option '--nonsense'"],
      [["-x", "x.capnp"], "Unknown option '-x'"],
      [[], "no files given"],
      [["-o"], "argument missing"],
      [["-I", "no-such-folder", "x.capnp"], "-I: no folder no-such-folder"],
      [["--src-prefix=no-such-folder", "x.capnp"], "--src-prefix: no folder no-such-folder"],
      [["--ts", "--js", "x.capnp"], "--ts"],
      [["-o-", "--watch", "x.capnp"], "-o-"],
    ] as const) {
      it(`${args.join(" ") || "none"}: says so, points to --help and ends with status 2`, async () => {
        const { status, stderr } = await compile(...args);
        expect(status).to.equal(2);
        expect(stderr).to.include(text).and.include("Try 'capstan compile --help' for more information.");
      });
    }
  });
});
