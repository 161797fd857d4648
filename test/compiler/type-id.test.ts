import { expect } from "chai";
import { createHash } from "node:crypto";
import { md5Prefix } from "../../lib/compiler/md5.ts";
import { childId, groupId, methodStructId } from "../../lib/compiler/type-id.ts";

describe("generated ids", () => {
  it("are the ids that the C++ compiler generates", () => {
    const file = 0x85150b117366d14bn;
    const calculator = childId(file, "Calculator");
    expect(calculator).to.equal(0x97983392df35cc36n);
    expect(childId(calculator, "Expression")).to.equal(15292209801435843861n);
    expect(groupId(15292209801435843861n, 3)).to.equal(15678475764784139622n);
    expect(methodStructId(calculator, 0, false)).to.equal(13478898619544909524n);
    expect(methodStructId(calculator, 0, true)).to.equal(9345430975918089745n);
  });

  it("hash names as UTF-8, whatever their length", () => {
    for (let length = 0; length < 200; length++) {
      const bytes = Buffer.from("n".repeat(length));
      expect(md5Prefix(bytes)).to.equal(createHash("md5").update(bytes).digest().readBigUInt64BE(0));
    }
  });
});
