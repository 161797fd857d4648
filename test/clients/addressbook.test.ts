import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { loadLoosely } from "../support/loose.ts";
import { RunningProcess } from "../support/processes.ts";

const schema = "servers/addressbook/addressbook.capnp";

describe("the address book example", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "capstan-addressbook-"));
  });
  after(() => rm(folder, { recursive: true }));

  const run = async (file: string): Promise<string> => {
    const { status, stdout, stderr } = await new RunningProcess(process.execPath, [
      "dist/clients/main.js",
      "addressbook",
      file,
    ]).finished();
    expect(status, stderr).to.equal(0);
    return stdout;
  };

  it("prints the people that it wrote", async () => {
    const printed = await run(join(folder, "printed.bin"));
    expect(printed).to.include("Alice : alice@example.com\nmobile : 555-1212\nstudent at: MIT\n");
    expect(printed).to.include("Bob : bob@example.com\nhome : 555-4567\nwork : 555-7654\nunemployed\n");
  });

  describe("compared with C++", () => {
    let capnp: CapnpTool;
    before(async function () {
      capnp = await capnpTool.call(this);
    });

    it("writes what C++ reads", async () => {
      const file = join(folder, "compared.bin");
      await run(file);
      const bytes = await readFile(file);
      const { AddressBook } = loadLoosely(schema);
      const text = `${AddressBook.fromBytes(bytes).toText({ pretty: true })}\n`;
      expect(text).to.equal(capnp(["decode", schema, "AddressBook"], bytes).toString());
    });
  });
});
