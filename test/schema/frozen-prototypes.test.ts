import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

describe("a schema with names such as __proto__, constructor, then and toJSON", () => {
  it("gives correct classes, and touches no prototype that others share", () => {
    const child = fileURLToPath(new URL("frozen-prototypes-child.js", import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, ["--enable-source-maps", child], { encoding: "utf8" });
    expect(stderr).to.equal("");
    expect(status).to.equal(0);
  }).timeout(20_000);
});
