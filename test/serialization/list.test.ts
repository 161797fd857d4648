import { expect } from "chai";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { expectError } from "../support/errors.ts";
import { received } from "../support/messages.ts";

describe("a list", () => {
  const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");
  const builder = AllTypes.newMessage({
    int32List: [10, 20, 30],
    float64List: [1, Number.NaN],
    structList: [{ textField: "a" }, { textField: "b" }, { textField: "c" }],
    textList: ["x", "y"],
  });

  for (const [side, struct] of [
    ["that is built", builder],
    ["that is read", received(builder)],
  ] as const) {
    describe(side, () => {
      it("has elements and a length as an array has", () => {
        const list = struct.int32List;
        expect(list.length).to.equal(3);
        expect([list[0], list[2], list[3], list[-1], list["01"], list.nothing]).to.deep.equal([
          10,
          30,
          undefined,
          undefined,
          undefined,
          undefined,
        ]);
        expect([list.at(0), list.at(-1), list.at(3), list.at(-4), list.at(1.9), list.at(Number.NaN)]).to.deep.equal([
          10,
          30,
          undefined,
          undefined,
          20,
          10,
        ]);
      });

      it("iterates", () => {
        expect([...struct.int32List]).to.deep.equal([10, 20, 30]);
        expect([...struct.int32List.keys()]).to.deep.equal([0, 1, 2]);
        expect([...struct.int32List.entries()]).to.deep.equal([
          [0, 10],
          [1, 20],
          [2, 30],
        ]);
        expect([...struct.int32List.values()]).to.deep.equal([10, 20, 30]);
        expect([...struct.structList].map((one: Loose) => one.textField)).to.deep.equal(["a", "b", "c"]);
        const iterator = struct.structList[Symbol.iterator]();
        expect([...iterator].length).to.equal(3);
        expect(iterator.next()).to.deep.equal({ done: true, value: undefined });
      });

      it("has the methods of an array that do not change it", () => {
        const list = struct.int32List;
        expect(list.map((value: number, index: number) => value + index)).to.deep.equal([10, 21, 32]);
        expect(list.filter((value: number) => value > 10)).to.deep.equal([20, 30]);
        expect([list.some((value: number) => value > 20), list.every((value: number) => value > 20)]).to.deep.equal([
          true,
          false,
        ]);
        expect([list.find((value: number) => value > 10), list.find(() => false)]).to.deep.equal([20, undefined]);
        expect([list.findIndex((value: number) => value === 30), list.findIndex(() => false)]).to.deep.equal([2, -1]);
        expect(list.reduce((sum: number, value: number) => sum + value, 0)).to.equal(60);
        expect([list.slice(1), list.slice(-2, -1), list.slice(2, 1), list.toArray()]).to.deep.equal([
          [20, 30],
          [20],
          [],
          [10, 20, 30],
        ]);
        expect([list.indexOf(20), list.indexOf(20, 2), list.includes(30), list.includes(31)]).to.deep.equal([
          1,
          -1,
          true,
          false,
        ]);
        expect([struct.float64List.includes(Number.NaN), struct.float64List.indexOf(Number.NaN)]).to.deep.equal([
          true,
          -1,
        ]);
        expect([list.join("-"), String(struct.textList)]).to.deep.equal(["10-20-30", '["x", "y"]']);
        const seen: unknown[] = [];
        struct.textList.forEach((value: string, index: number) => {
          seen.push(value, index);
        });
        expect(seen).to.deep.equal(["x", 0, "y", 1]);
      });

      it("is empty where its pointer is null", () => {
        expect([...struct.int8List]).to.deep.equal([]);
        expect([struct.int8List.length, struct.listList.length, struct.int8List.at(0)]).to.deep.equal([
          0,
          0,
          undefined,
        ]);
        expect(struct.has("int8List")).to.equal(false);
      });

      it("keeps its length", () => {
        expect(() => Object.assign(struct.int32List, { length: 5 })).to.throw(TypeError);
        expect(struct.int32List.length).to.equal(3);
      });
    });
  }

  it("is set element by element, within its length", () => {
    const struct = AllTypes.newMessage();
    const list = struct.init("int32List", 3);
    list[0] = 1;
    list.set(1, 2);
    list.set(-1, 3);
    expect([...received(struct).int32List]).to.deep.equal([1, 2, 3]);
    expectError("CAPNP_INDEX", () => list.set(3, 0), "3", "list of 3");
    expectError("CAPNP_INDEX", () => list.set(-4, 0), "-4");
    expectError("CAPNP_INDEX", () => list.set(0.5, 0), "0.5");
    expectError("CAPNP_INDEX", () => Object.assign(list, { 3: 0 }), "3");
  });

  it("has no element under a negative index or a fraction, and takes none", () => {
    const list = AllTypes.newMessage().init("textList", 2);
    for (const key of [-1, 0.5]) {
      expectError("CAPNP_INDEX", () => {
        list[key] = "x";
      });
      expect(list[key]).to.equal(undefined);
      expect(Object.hasOwn(list, key)).to.equal(false);
    }
    list.set(-1, "last");
    expect(list.toArray()).to.deep.equal(["", "last"]);
  });

  it("takes any iterable", () => {
    const struct = AllTypes.newMessage();
    struct.int32List = new Set([1, 2]);
    expect([...struct.int32List]).to.deep.equal([1, 2]);
    struct.int32List = new Int32Array([3, 4]);
    expect([...struct.int32List]).to.deep.equal([3, 4]);
    struct.int32List = (function* () {
      yield 5;
    })();
    expect([...struct.int32List]).to.deep.equal([5]);
    struct.int32List = received(builder).int32List;
    expect([...struct.int32List]).to.deep.equal([10, 20, 30]);
    struct.structList = builder.structList;
    expect(struct.structList.at(2).textField).to.equal("c");
    struct.int32List = null;
    expect(struct.has("int32List")).to.equal(false);
  });

  it("merges a plain object into a struct that it holds, and copies a struct", () => {
    const struct = AllTypes.newMessage({ structList: [{ textField: "a", int8Field: 1 }, {}] });
    struct.structList[0] = { int8Field: 2 };
    struct.structList.set(1, struct.structList[0]);
    expect(struct.structList.map((one: Loose) => [one.textField, one.int8Field])).to.deep.equal([
      ["a", 2],
      ["a", 2],
    ]);
  });

  it("of lists is initialised element by element", () => {
    const struct = AllTypes.newMessage();
    const lists = struct.init("listList", 2);
    lists.init(0, 2).set(1, 7);
    lists[1] = [1, 2, 3];
    expect(received(struct).toObject().listList).to.deep.equal([
      [0, 7],
      [1, 2, 3],
    ]);
  });

  it("of Bool packs eight to a byte and leaves the others alone", () => {
    const struct = AllTypes.newMessage();
    const list = struct.init("boolList", 11);
    for (const i of [0, 3, 9, 10]) list[i] = true;
    list[3] = false;
    expect([...received(struct).boolList].map(Number).join("")).to.equal("10000000011");
  });

  it("of a million voids takes no space", () => {
    const struct = AllTypes.newMessage();
    struct.init("voidList", 1_000_000);
    expect(received(struct).voidList.length).to.equal(1_000_000);
    expect(struct.totalSize.wordCount).to.equal(AllTypes.dataBytes / 8 + AllTypes.pointerCount);
  });
});
