import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { checkEvolution, type EvolutionCounts, type Version } from "../interop/evolution-check.ts";
import { type MessageOracle, messageOracle } from "../interop/message-oracle.ts";
import { type EvolvingSchema, evolve, firstVersion, printSchema, structId } from "../support/evolving-schema.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { evolutionMatrix } from "./evolution-matrix.ts";

/** CAPSTAN_LONG=1 makes it a search of a minute. CAPSTAN_SEED is the first seed. */
const isLong = process.env.CAPSTAN_LONG === "1";
const firstSeed = Number(process.env.CAPSTAN_SEED ?? 1);

const noCounts = (): EvolutionCounts => ({
  messages: 0,
  unreadable: 0,
  unchangeable: 0,
  changed: 0,
  changedScattered: 0,
});

describe("messages across versions of a schema", function () {
  const total = noCounts();
  const add = (counts: EvolutionCounts): void => {
    for (const key of Object.keys(total) as (keyof EvolutionCounts)[]) total[key] += counts[key];
  };

  this.timeout(isLong ? 600_000 : 60_000);
  let oracle: MessageOracle;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => {
    oracle?.stop();
    if (isLong) console.log(`      from CAPSTAN_SEED=${firstSeed}: ${JSON.stringify(total)}`);
  });

  /** Undefined where the source has a layout that no compiler takes. */
  const load = async (source: string, root: string | bigint, number: number): Promise<Version | undefined> => {
    const { schema, diagnostics } = compile(["e.capnp"], { readSource: () => source, importPath: [] });
    const [first] = diagnostics;
    if (first?.message.includes("issues/344")) return undefined;
    if (first !== undefined) throw new Error(`${first.message}\n${source}`);
    const loader = new SchemaLoader();
    loader.loadAll(schema.nodes);
    await oracle.load(schema.nodes, number);
    const node = schema.nodes.find(({ id, displayName }) => id === root || displayName === `e.capnp:${root}`);
    if (node === undefined) throw new Error(`there is no ${root} in\n${source}`);
    return { schema: loader.getStruct(node.id), there: { schemas: number, id: node.id } };
  };

  for (const { what, before: old, after: young, rootBefore = "Root", refused } of evolutionMatrix) {
    it(`are read and changed as C++ does it: ${what}`, async () => {
      const older = (await load(`@0xe0e0e0e0e0e0e0e0;\n${old}`, rootBefore, 0)) as Version;
      const newer = (await load(`@0xe0e0e0e0e0e0e0e0;\n${young}`, "Root", 1)) as Version;
      const counts = noCounts();
      await checkEvolution(oracle, older, newer, isLong ? 40 : 3, firstSeed, counts);
      add(counts);
      expect(counts.changed, JSON.stringify(counts)).to.be.greaterThan(0);
      if (refused !== undefined) expect(counts.unreadable).to.be.greaterThan(0);
    });
  }

  it("are read and changed as C++ does it: schemas that evolve at random", async () => {
    const counts = noCounts();
    for (let seed = firstSeed; seed < firstSeed + (isLong ? 60 : 3); seed++) {
      const random = new SeededRandom(seed);
      let last: EvolvingSchema = firstVersion(random);
      const versions = [last];
      for (let step = 0; step < 24; step++) {
        const { kind, schema } = evolve(last, random);
        if (kind === "incompatible") continue;
        if ((await load(printSchema(schema), structId, 1)) === undefined) continue;
        last = schema;
        versions.push(schema);
      }
      const newest = (await load(printSchema(last), structId, 1)) as Version;
      for (let i = 1; i < versions.length; i += 5) {
        const source = printSchema(versions[i] as EvolvingSchema);
        const older = (await load(source, structId, 0)) as Version;
        try {
          await checkEvolution(oracle, older, newest, 1, seed, counts);
        } catch (error) {
          const schemas = `--- before\n${source}\n--- after\n${printSchema(last)}`;
          throw new Error(`CAPSTAN_SEED=${seed}: ${(error as Error).message}\n${schemas}`, { cause: error });
        }
      }
    }
    add(counts);
    expect(counts.changed, JSON.stringify(counts)).to.be.greaterThan(20);
  });
});
