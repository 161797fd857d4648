import { expect } from "chai";
import { randomSchema } from "../support/random-schema/random-schema.ts";
import { smallest } from "../support/random-schema/smallest.ts";
import { type SourceTree, textOf } from "../support/random-schema/statement.ts";
import { capnpTool } from "../support/capnp-tool.ts";
import { checkRandomSchemas, firstDifference, seedOfRun } from "./random-schema-check.ts";

const constructs: Readonly<Record<string, RegExp>> = {
  "a named union": /\w :union/,
  "an unnamed union": /^\s*union \{/m,
  "a retroactive union": /@\d+! :union/,
  "a group": /:group/,
  "a list of lists": /:List\(List\(/,
  "an enum": /enum \w+/,
  inheritance: /extends \(/,
  "a generic method": /@\d+ \[X/,
  streaming: /-> stream/,
  "type arguments": /\w\((?:Text|Data)/,
  "a type parameter": /:T\b/,
  "a constant": /const \w+/,
  "a reference to a constant": / = +\.?[\w.]+\.[a-z]\w*;/,
  "a struct default": /@\d+ :[\w.]+ = \(\w/,
  "a list default": / = \[/,
  "a relative import": /import "(?!\/)/,
  "an absolute import": /import "\/s/,
  "an embedded file": /embed "/,
  "an annotation on a param": /annotation \w+ [^:]*param/,
  "an annotation": /\$\.?\w/,
  "an explicit id": /struct \w+ @0x/,
  alias: /using \w+ = /,
  "a doc comment": /; # doc/,
  "a byte order mark": /^\ufeff/,
};

describe("a random schema", () => {
  it("is the same for the same seed", () => {
    for (let seed = 0; seed < 20; seed++) {
      expect(randomSchema(seed, "s").files.map(textOf)).to.deep.equal(randomSchema(seed, "s").files.map(textOf));
    }
  });

  it("uses every construct of the language, among a few hundred", () => {
    const missing = new Set(Object.keys(constructs));
    for (let seed = 0; missing.size > 0 && seed < 300; seed++) {
      for (const text of randomSchema(seed, "s").files.map(textOf)) {
        for (const construct of missing) if (constructs[construct]!.test(text)) missing.delete(construct);
      }
    }
    expect([...missing]).to.deep.equal([]);
  });

  it("shrinks to what a failure needs", () => {
    const fails = ({ files }: SourceTree) => files.some((file) => textOf(file).includes(":union"));
    const seed = Array.from({ length: 100 }, (_, i) => i).find((one) => fails(randomSchema(one, "s")))!;
    const lines = smallest(randomSchema(seed, "s"), fails).files.flatMap((file) => textOf(file).trim().split("\n"));
    expect(lines.filter((line) => line !== "" && line !== "}").length).to.be.lessThan(8);
  });
});

describe("differences between plain values", () => {
  it("are found, and told by their place", () => {
    expect(firstDifference({ a: [1, { b: 2n }] }, { a: [1, { b: 2n }] })).to.equal(undefined);
    expect(firstDifference({ a: [1, { b: 2n }] }, { a: [1, { b: 3n }] })).to.equal('.a.1.b: C++ "0x2", ours "0x3"');
    expect(firstDifference(new Map([[1n, "x"]]), new Map())).to.equal('.1: C++ "x", ours undefined');
    expect(firstDifference(Uint8Array.of(1), Uint8Array.of(2))).to.equal(": C++ 01, ours 02");
  });
});

describe("random valid schemas of all constructs", () => {
  before(capnpTool);

  it("compile to the nodes of the C++ compiler", function () {
    this.timeout(120_000);
    const count = 40;
    const { accepts } = checkRandomSchemas(seedOfRun(), count, 20);
    expect(accepts).to.be.greaterThan(0.8 * count);
  });
});
