import { expect } from "chai";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Processes } from "./support/processes.ts";
import { repositoryRoot } from "./support/repository.ts";

describe("the README", () => {
  const processes = new Processes();
  after(() => processes.stop());

  it("shows a service and a client that run as they stand", async () => {
    const readme = await readFile(join(repositoryRoot, "README.md"), "utf8");
    const code = /```js\n([\s\S]*?)```/.exec(readme)?.[1];
    expect(code).to.be.a("string");
    // Inside the package, so that the name "capstan" means this build.
    const folder = await mkdtemp(join(repositoryRoot, "dist", "readme-"));
    try {
      await writeFile(join(folder, "example.js"), code as string);
      const { status, stdout, stderr } = await processes.run(process.execPath, [join(folder, "example.js")]);
      expect(stderr).to.equal("");
      expect(stdout).to.equal("Hello, world!\n");
      expect(status).to.equal(0);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
