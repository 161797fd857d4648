import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import type { Node } from "../../lib/schema/node.ts";
import {
  type Change,
  type EvolvingSchema,
  evolve,
  firstVersion,
  printSchema,
  structId,
} from "../support/evolving-schema.ts";
import { checkExample, fillExample } from "../support/example-struct.ts";
import { readAs, segmentsOf } from "../support/messages.ts";
import { ourVerdict, schemaJudge, type Verdict, type VersionPair } from "../support/schema-verdict.ts";
import { SeededRandom } from "../support/seeded-random.ts";

/** CAPSTAN_LONG=1 makes it a search of minutes. CAPSTAN_SEED is the first seed. */
const isLong = process.env.CAPSTAN_LONG === "1";
const firstSeed = Number(process.env.CAPSTAN_SEED ?? 1);
const seeds = Array.from({ length: isLong ? 30 : 6 }, (_, i) => firstSeed + i);
const stepsPerSeed = isLong ? 128 : 40;

/** Undefined for a union that would have to grow inside of another one, which the language does not allow. */
const nodesOf = (schema: EvolvingSchema): readonly Node[] | undefined => {
  const source = printSchema(schema);
  const { schema: compiled, diagnostics } = compile(["evolving.capnp"], { readSource: () => source, importPath: [] });
  const [first] = diagnostics;
  if (first === undefined) return compiled.nodes;
  if (first.message.includes("issues/344")) return undefined;
  throw new Error(`${first.message}\n${source}`);
};

/** The evolving struct and its groups, as one that has only read a message of it would load them. */
const structAndGroups = (nodes: readonly Node[]): Node[] => {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const from = (id: bigint): Node[] => {
    const node = byId.get(id) as Node;
    const fields = node.body.which === "struct" ? node.body.fields : [];
    return [node, ...fields.flatMap(({ body }) => (body.which === "group" ? from(body.typeId) : []))];
  };
  return from(structId);
};

/** Writes a message with one version of the struct and reads it with the other. */
const checkMessages = (writer: readonly Node[], reader: readonly Node[], shared: number): void => {
  const [from, to] = [writer, reader].map((nodes) => {
    const loader = new SchemaLoader();
    loader.loadAll(nodes);
    return loader.getStruct(structId).structClass;
  }) as [ReturnType<SchemaLoader["getStruct"]>["structClass"], ReturnType<SchemaLoader["getStruct"]>["structClass"]];
  const message = from.newMessage();
  fillExample(message, shared);
  checkExample(readAs(to, segmentsOf(message)), shared);
};

interface Trial {
  readonly seed: number;
  readonly what: string;
  readonly kind: Change["kind"];
  readonly source: string;
  readonly pair: VersionPair;
}

const show = ({ seed, what, source }: Trial): string => `seed ${seed}: ${what}\n${source}`;

const outcome = (verdict: Verdict): string =>
  verdict.which === "loaded" ? `keeps ${verdict.kept.map((id) => id.toString(16)).join(" ")}` : verdict.which;

describe("a schema that evolves at random", function () {
  this.timeout(isLong ? 600_000 : 30_000);
  const trials: Trial[] = [];
  let verdicts: Verdict[] = [];

  before("evolves", () => {
    for (const seed of seeds) {
      const random = new SeededRandom(seed);
      let current = firstVersion(random);
      let before = nodesOf(current) as readonly Node[];
      for (let i = 0; i < stepsPerSeed; i++) {
        const { kind, what, schema } = evolve(current, random);
        const after = nodesOf(schema);
        if (after === undefined) continue;
        const source = `${printSchema(current)}\n-->\n${printSchema(schema)}`;
        const both: [readonly Node[], readonly Node[], string][] = [
          [before, after, what],
          [after, before, `${what}, undone`],
        ];
        for (const [first, second, change] of both) {
          const pair = { first, second: structAndGroups(second) };
          const trial: Trial = { seed, what: change, kind, source, pair };
          trials.push(trial);
          if (kind === "incompatible") continue;
          try {
            checkMessages(first, second, current.nextOrdinal);
            checkMessages(second, first, current.nextOrdinal);
          } catch (cause) {
            throw new Error(show(trial), { cause });
          }
        }
        if (kind === "incompatible") continue;
        current = schema;
        before = after;
      }
    }
    verdicts = trials.map((trial) => ourVerdict(trial.pair));
  });

  it("may be loaded in the versions that are compatible, and in no others", () => {
    for (const [i, trial] of trials.entries()) {
      if (trial.kind === "subtle") continue;
      const expected = trial.kind === "compatible" ? "loaded" : "refused";
      expect(verdicts[i]?.which, show(trial)).to.equal(expected);
    }
    expect(new Set(trials.map(({ kind }) => kind)).size).to.equal(3);
  });

  it("has the same verdicts as in C++, and the same versions are kept", async function () {
    const judge = await schemaJudge.call(this);
    const theirs = judge(trials.map(({ pair }) => pair));
    for (const [i, trial] of trials.entries()) {
      const [ours, cpp] = [verdicts[i] as Verdict, theirs[i] as Verdict];
      const why = `${show(trial)}\nC++: ${JSON.stringify(cpp, (_, v: unknown) => (typeof v === "bigint" ? v.toString(16) : v))}`;
      expect(outcome(ours), why).to.equal(outcome(cpp));
    }
  });
});
