import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { pack } from "../../lib/serialization/packed.ts";
import { capnpTool } from "../support/capnp-tool.ts";
import { loadLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";
import { compareUses } from "./compare-uses.ts";
import { checkMessages } from "./message-check.ts";
import { dumpOf } from "./message-dump.ts";
import { type MessageOracle, messageOracle } from "./message-oracle.ts";

/** Set CAPSTAN_SEED to the seed that a failure prints to see it again. */
const seed = Number(process.env.CAPSTAN_SEED ?? 1);

describe("random messages of random schemas", function () {
  this.timeout(60_000);
  let oracle: MessageOracle | undefined;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => oracle?.stop());

  it("are the same here and in C++, whoever wrote them and in whatever encoding", async () => {
    const counts = await checkMessages(oracle as MessageOracle, seed, 16, 8);
    expect(counts.messages).to.equal(128);
    expect(counts.oursScattered).to.be.greaterThan(20);
    expect(counts.theirsScattered).to.be.greaterThan(20);
    expect(counts.doubleFars).to.be.greaterThan(0);
    expect(counts.theirDoubleFars).to.be.greaterThan(0);
    expect(counts.stillCanonical).to.be.greaterThan(50);
  });
});

describe("a list of interfaces that is a member of a union", () => {
  let oracle: MessageOracle | undefined;
  before(async function () {
    oracle = await messageOracle.call(this);
  });
  after(() => oracle?.stop());

  it("holds what its default value says, here and in C++, where it is null", async () => {
    const source = `@0xd0d0d0d0d0d0d0e0;
      interface Thing @0xd0d0d0d0d0d0d0e1 {}
      struct Choice @0xd0d0d0d0d0d0d0e2 {
        union {
          groups @0 :List(List(Thing)) = [[], [], []];
          things @1 :List(Thing);
          things2 @2 :List(List(Thing));
        }
      }`;
    const { nodes } = compile(["choice.capnp"], { readSource: () => source, importPath: [] }).schema;
    const loader = new SchemaLoader();
    loader.loadAll(nodes);
    const { structClass, id } = loader.getStruct(0xd0d0d0d0d0d0d0e2n);
    const there = { schemas: await (oracle as MessageOracle).load(nodes), id };
    for (const [index, expected] of ["(0=[[],[],[],];)", "(1=[];)", "(2=[];)"].entries()) {
      const segments = [words([0, 1 | (1 << 16)], [index, 0], [0, 0])];
      const reader = readAs(structClass, segments);
      expect(dumpOf(reader)).to.equal(expected);
      await compareUses(oracle as MessageOracle, there, reader, segments);
    }
  });
});

describe("a message without a frame", () => {
  it("is what capnp converts it to and from, packed or not", async function () {
    this.timeout(30_000);
    const capnp = await capnpTool.call(this);
    const file = "test/fixtures/all-types.capnp";
    const { AllTypes } = loadLoosely(file);
    const message = AllTypes.newMessage({
      textField: "flat",
      int64List: [1n, -1n],
      structList: [{ boolField: true }, {}],
    });
    const [flat] = message.toSegments() as [Uint8Array];
    const convert = (formats: string, input: Uint8Array): Buffer =>
      capnp(["convert", "--quiet", formats, file, "AllTypes"], input);
    const frame = Buffer.from(message.toBytes());
    for (const [format, bytes] of [
      ["flat", flat],
      ["flat-packed", pack(flat)],
    ] as const) {
      expect(convert(`binary:${format}`, frame), format).to.deep.equal(Buffer.from(bytes));
      expect(convert(`${format}:binary`, bytes), format).to.deep.equal(frame);
    }
  });
});
