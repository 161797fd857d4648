import { expect } from "chai";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { CapnpError, errorCodes } from "../lib/errors.ts";
import { repositoryRoot } from "./support/repository.ts";

const sources = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((one) => one.isFile() && one.name.endsWith(".ts") && one.name !== "errors.ts");
  return Promise.all(files.map((one) => readFile(join(one.parentPath, one.name), "utf8")));
};

describe("error codes", () => {
  it("are all documented, with their kind, and nothing else is", async () => {
    const page = await readFile(join(repositoryRoot, "docs", "errors.md"), "utf8");
    const rows = [...page.matchAll(/^\| `(CAPNP_\w+)` +\| ([\w ]+?) +\|/gm)];
    expect(rows.map((row) => row[1]).sort()).to.deep.equal(Object.keys(errorCodes).sort());
    for (const [, code, kinds] of rows) {
      if (kinds !== "any") expect(kinds, code).to.include(errorCodes[code as keyof typeof errorCodes]);
    }
  });

  it("are all thrown somewhere", async () => {
    const text = (await sources(join(repositoryRoot, "lib"))).join("\n");
    for (const code of Object.keys(errorCodes)) expect(text, code).to.include(`"${code}"`);
  });

  it("have a kind of their own, which the thrower may replace", () => {
    expect(new CapnpError("CAPNP_DISCONNECTED", "gone").kind).to.equal("disconnected");
    expect(new CapnpError("CAPNP_REMOTE", "full", { kind: "overloaded" }).kind).to.equal("overloaded");
    const cause = new Error("why");
    const error = new CapnpError("CAPNP_CALL", "no", { cause });
    expect(error).to.be.instanceOf(Error);
    expect([error.name, error.code, error.kind, error.cause]).to.deep.equal([
      "CapnpError",
      "CAPNP_CALL",
      "failed",
      cause,
    ]);
    expect(new CapnpError("CAPNP_CALL", "no")).not.to.have.property("cause");
  });
});
