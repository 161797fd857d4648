import { expect } from "chai";
import { readdir, readFile, stat, utimes } from "node:fs/promises";
import { join, relative } from "node:path";
import { writeOutputFiles } from "../../lib/cli/output-files.ts";
import { runPlugin } from "../../lib/cli/plugin.ts";
import { runCommand } from "../../lib/cli/run-command.ts";
import { CapnpError } from "../../lib/errors.ts";
import type { CompiledSchema } from "../../lib/schema/node.ts";
import { encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { Workplace } from "../support/document.ts";
import { recordedTerminal } from "../support/recorded-terminal.ts";
import { repositoryRoot } from "../support/repository.ts";

describe("the code that capstan compile writes", () => {
  let place: Workplace;
  let here: string;
  beforeEach(async () => {
    place = await Workplace.make();
    here = relative(repositoryRoot, place.folder);
    await place.write("sub/person.capnp", "@0xc5a1e1b2d3f40801;\nstruct Person { name @0 :Text; }\n");
    await place.write(
      "book.capnp",
      '@0xc5a1e1b2d3f40802;\nusing import "sub/person.capnp".Person;\nstruct Book { people @0 :List(Person); }\n',
    );
  });
  afterEach(() => place.remove());

  const compile = async (...args: string[]) => {
    const terminal = recordedTerminal();
    const status = await runCommand(["compile", ...args], terminal);
    expect({ status, stderr: terminal.stderr.text }).to.deep.equal({ status: 0, stderr: "" });
    return terminal.stdout.bytes;
  };
  const written = async (folder = ".") => {
    const names = await readdir(join(place.folder, folder), { recursive: true });
    return names.filter((name) => /\.(ts|js)$/.test(name)).sort();
  };
  const files = () => [`${here}/book.capnp`, `${here}/sub/person.capnp`];

  it("lies beside each file", async () => {
    await compile(...files());
    expect(await written()).to.deep.equal(["book.capnp.ts", "sub/person.capnp.ts"]);
  });

  it("lies below -o DIR under the file's path, less the source prefix", async () => {
    await compile(`-o${here}/out`, `--src-prefix=${here}`, ...files());
    expect(await written("out")).to.deep.equal(["book.capnp.ts", "sub/person.capnp.ts"]);
    await compile("-o", `${here}/whole`, files()[0]!);
    expect(await written("whole")).to.deep.equal([`${here}/book.capnp.ts`]);
  });

  it("is JavaScript and declarations where they are asked for", async () => {
    await compile("--js", files()[0]!);
    expect(await written()).to.deep.equal(["book.capnp.js"]);
    await compile("--dts", files()[0]!);
    expect(await written()).to.deep.equal(["book.capnp.d.ts", "book.capnp.js", "book.d.capnp.ts"]);
  });

  it("is not touched where it would be the same", async () => {
    await compile(...files());
    const path = join(place.folder, "book.capnp.ts");
    await utimes(path, 1, 1);
    await compile(...files());
    expect((await stat(path)).mtimeMs).to.equal(1000);
  });

  it("runs as JavaScript", async () => {
    await compile("--js", `--src-prefix=${here}`, ...files());
    await place.write(
      "app.mjs",
      'import { Book } from "./book.capnp.js";\nimport { Person } from "./sub/person.capnp.js";\n' +
        "console.log(Book.newMessage().init('people', 1).at(0) instanceof Person.Builder);\n",
    );
    expect(await place.run("node app.mjs")).to.deep.include({ stdout: "true\n", stderr: "" });
  });

  it("capnpc-capstan writes the same from a request", async () => {
    const request = await compile("-o-", `--src-prefix=${here}`, ...files());
    const terminal = recordedTerminal({ input: request });
    expect(await runPlugin([], terminal, join(place.folder, "plugin"))).to.equal(0);
    expect(await written("plugin")).to.deep.equal(["book.capnp.ts", "sub/person.capnp.ts"]);
    await compile(`--src-prefix=${here}`, `-o${here}/out`, ...files());
    for (const name of await written("out")) {
      const [one, other] = ["plugin", "out"].map((folder) => readFile(join(place.folder, folder, name), "utf8"));
      expect(await one).to.equal(await other);
    }
  });

  it("is written again under --watch when a file changes, or one that it imports", async () => {
    const watching = place.start(
      `exec node ${join(repositoryRoot, "dist/package/cli/main.js")} compile --watch book.capnp 2>&1`,
    );
    await watching.line(/^Compiled\. Watching 2 files\.$/);
    await place.write("sub/person.capnp", "@0xc5a1e1b2d3f40801;\nstruct Person { name @0 :Nothing; }\n");
    await watching.line(/^sub\/person\.capnp:2:26-33: error: Not defined: Nothing$/);
    await watching.line(/^Not compiled\. Watching 2 files\.$/);
    await place.write("third.capnp", "@0xc5a1e1b2d3f40803;\nconst third :Int8 = 3;\n");
    await place.write(
      "sub/person.capnp",
      '@0xc5a1e1b2d3f40801;\nusing import "../third.capnp".third;\nstruct Person { name @0 :Int8 = .third; }\n',
    );
    await watching.line(/^Compiled\. Watching 3 files\.$/);
  });

  describe("of a request that means harm", () => {
    const file = (filename: string): CompiledSchema => {
      const node = {
        displayName: filename,
        displayNamePrefixLength: 0,
        id: 0xc5a1e1b2d3f40804n,
        scopeId: 0n,
        parameters: [],
        isGeneric: false,
        nestedNodes: [],
        annotations: [],
        body: { which: "file" },
      } as const;
      return { nodes: [node], sourceInfo: [], requestedFiles: [{ id: node.id, filename, imports: [] }] };
    };
    const plugin = async (input: Uint8Array) => {
      const terminal = recordedTerminal({ input });
      const status = await runPlugin([], terminal, join(place.folder, "out"));
      return { status, stderr: terminal.stderr.text };
    };

    for (const name of ["../escape.capnp", "a/../../escape.capnp", "/tmp/escape.capnp", "nul\0.capnp"]) {
      it(`${JSON.stringify(name)}: no file leaves the output folder`, async () => {
        const { status, stderr } = await plugin(encodeCompiledSchema(file(name)));
        expect(status).to.equal(1);
        expect(stderr).to.match(/^capnpc-capstan: .+\n$/);
        expect(await written()).to.deep.equal([]);
      });
    }

    it("writes nothing at all where one of several paths is wrong", () => {
      const write = () =>
        writeOutputFiles(place.folder, [
          { path: "fine.ts", text: "" },
          { path: "../wrong.ts", text: "" },
        ]);
      expect(write).to.throw(CapnpError, "outside of the output folder");
    });

    it("bytes that are no request end with one line and status 1", async () => {
      const good = encodeCompiledSchema(file("good.capnp"));
      const flipped = (at: number) => good.map((byte, index) => (index === at ? byte ^ 0xff : byte));
      const inputs = [
        new Uint8Array(),
        Buffer.from("GET / HTTP/1.1\r\n\r\n"),
        good.subarray(0, 40),
        flipped(3),
        flipped(6),
      ];
      for (const input of inputs) {
        const { status, stderr } = await plugin(input);
        expect(status).to.equal(1);
        expect(stderr).to.match(/^capnpc-capstan: .+\n$/);
      }
    });
  });
});
