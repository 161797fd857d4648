import { expect } from "chai";
import { savedCorpus } from "./corpus.ts";
import { type TargetName, targets } from "./targets.ts";

describe("what the fuzzer found worth keeping", () => {
  for (const name of Object.keys(targets) as TargetName[]) {
    it(`is answered by the ${name} without anything but a CapnpError`, () => {
      const inputs = savedCorpus(name);
      expect(inputs).not.to.have.lengthOf(0);
      for (const input of inputs) expect(() => targets[name](input)).not.to.throw();
    });
  }
});
