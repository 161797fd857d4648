import { expect } from "chai";
import { InstalledPackage, type ModuleSetting, moduleSettings, printed } from "../consumers/installed-package.ts";

/** The last TypeScript that is written in JavaScript, which most projects have; it comes from the registry or npm's cache. */
const tsc = ["npm", "exec", "--yes", "--package=typescript@5.9", "--", "tsc"] as const;

const settings: Readonly<Record<string, ModuleSetting>> = {
  ...moduleSettings,
  // Knows nothing of package.json's `exports`: it goes by `types` and `typesVersions`. TypeScript 7 does not have it any more.
  "of CommonJS that is resolved as in Node 10": {
    type: "commonjs",
    compilerOptions: { module: "commonjs", moduleResolution: "node10" },
  },
};

describe("the packed package and TypeScript 5.9", function () {
  this.timeout(300_000);

  let installed: InstalledPackage;
  before(async () => {
    installed = await InstalledPackage.make();
  });
  after(() => installed?.remove());

  for (const [index, [name, setting]] of Object.entries(settings).entries()) {
    it(`serves TypeScript ${name}: it compiles and runs`, async () => {
      const project = await installed.project(`typescript-${index}`, setting);
      expect(await project.run(...tsc)).to.not.include("error");
      expect(await project.node("out/main.js")).to.equal(printed);
    });
  }
});
