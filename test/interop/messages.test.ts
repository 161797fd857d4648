import { expect } from "chai";
import { pack } from "../../lib/serialization/packed.ts";
import { capnpTool } from "../support/capnp-tool.ts";
import { loadLoosely } from "../support/loose.ts";
import { checkMessages } from "./message-check.ts";
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
