import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import type { Node } from "../../lib/schema/node.ts";
import { mutatedNode } from "../support/node-mutations.ts";
import { type Judge, ourVerdict, schemaJudge, type Verdict, type VersionPair } from "../support/schema-verdict.ts";
import { SeededRandom } from "../support/seeded-random.ts";

/** CAPSTAN_LONG=1 makes it a search of minutes. CAPSTAN_SEED is the seed. */
const isLong = process.env.CAPSTAN_LONG === "1";
const seed = Number(process.env.CAPSTAN_SEED ?? 1);
const count = isLong ? 30_000 : 1200;

const source = `@0xe3e3e3e3e3e3e3e3;
struct Fields {
  a @0 :UInt32 = 5; b @1 :Text; c @2 :List(UInt8); d @3 :Color; e @4 :Fields; f @5 :AnyPointer; g @6 :Data;
  h @7 :List(Int32); i @8 :List(Small); j @9 :Float64 = 1.5; k @10 :Iface; l @11 :Box(Text); m @12 :Void;
}
struct Small { a @0 :Int32; b @1 :Text; }
struct WithUnion { x @0 :UInt8; union { a @1 :UInt16; b @2 :Text; c :group { d @3 :Bool; e @4 :Text; } } }
struct WithGroups {
  x @0 :Int32;
  group1 :group { a @1 :Int32; inner :group { b @2 :Text; } }
  named :union { c @3 :Bool; d @4 :Text; }
}
struct Empty {}
struct Box(T) { value @0 :T; nested @1 :Inner; struct Inner { both @0 :T; } }
enum Color { red @0; green @1; blue @2; }
interface Base { a @0 (x :Int32) -> (y :Int32); }
interface Other {}
interface Iface extends(Base) { b @0 Small -> Fields; c @1 [T] (t :T) -> (u :Box(T)); }
const answer :Int32 = 42;
annotation note (struct) :Text;
`;

const baseNodes = (): readonly Node[] => {
  const { schema, diagnostics } = compile(["base.capnp"], { readSource: () => source, importPath: [] });
  if (diagnostics.length > 0) throw new Error(diagnostics[0]?.message);
  return schema.nodes;
};

/** What this loader refuses and C++'s does not look at, or trips over: no verdict to be compared. */
const ownRules = [
  /used twice/, // a group that two fields share
  /more than 64 others/, // groups in a circle, over which C++ recurses
];

/**
 * Fields that became Data or AnyPointer, which language.md allows: C++ 0.9.2 finds the types compatible, and then an
 * assertion of its own fails because the default values are of two types.
 */
const stumble = /^expected value\.which\(\) == replacement\.which\(\)/;

const text = (verdict: Verdict | undefined): string =>
  JSON.stringify(verdict, (_key, value: unknown) => (typeof value === "bigint" ? value.toString(16) : value));

describe("nodes with random changes", function () {
  this.timeout(isLong ? 600_000 : 30_000);
  let judge: Judge;

  before(async function () {
    judge = await schemaJudge.call(this);
  });

  it("are taken and refused as C++ does it, and the same version is kept", () => {
    const random = new SeededRandom(seed);
    const nodes = baseNodes();
    const pairs: VersionPair[] = [];
    for (let i = 0; i < count; i++) {
      const index = random.below(nodes.length);
      const changed = mutatedNode(nodes[index] as Node, random, nodes);
      const all = nodes.with(index, changed);
      pairs.push(
        random.oneOf<VersionPair>([
          { first: nodes, second: [changed] },
          { first: [changed], second: nodes },
          { first: random.shuffled(all), second: random.shuffled(nodes) },
        ]),
      );
    }
    const ours = pairs.map(ourVerdict);
    const theirs = judge(pairs);
    const seen = new Map<string, number>();
    for (const [i, cpp] of theirs.entries()) {
      const verdict = ours[i] as Verdict;
      if (verdict.which !== "loaded" && ownRules.some((rule) => rule.test(verdict.reason))) continue;
      if (cpp.which !== "loaded" && stumble.test(cpp.reason)) continue;
      seen.set(cpp.which, (seen.get(cpp.which) ?? 0) + 1);
      const why = `pair ${i} of seed ${seed}\nours: ${text(verdict)}\nC++: ${text(cpp)}`;
      expect(verdict.which, why).to.equal(cpp.which);
      if (verdict.which === "loaded" && cpp.which === "loaded") expect(verdict.kept, why).to.deep.equal(cpp.kept);
      else if (verdict.which !== "loaded" && cpp.which !== "loaded") expect(verdict.id, why).to.equal(cpp.id);
    }
    for (const which of ["first", "refused", "loaded"]) expect(seen.get(which), which).to.be.greaterThan(50);
  });
});
