import { expect } from "chai";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { framed, readAs, unframed } from "../support/messages.ts";

const schema = "test/fixtures/all-types.capnp";

describe("messages and the reference implementation", () => {
  let capnp: CapnpTool;
  before(async function () {
    capnp = await capnpTool.call(this);
  });

  const file = loadLoosely(schema);

  const objects: [string, object][] = [
    ["AllTypes", {}],
    [
      "AllTypes",
      {
        boolField: true,
        int8Field: -128,
        int16Field: -32768,
        int32Field: -2147483648,
        int64Field: -(2n ** 63n),
        uInt8Field: 255,
        uInt16Field: 65535,
        uInt32Field: 4294967295,
        uInt64Field: 2n ** 64n - 1n,
        float32Field: 1.5,
        float64Field: -1e300,
        textField: "grüße, 世界 🎉",
        dataField: new Uint8Array([0, 255, 3]),
        structField: { textField: "nested" },
        enumField: "blue",
        voidList: [null, null],
        boolList: [true, false, true, true, false, false, false, false, true],
        int64List: [-(2n ** 63n), 2n ** 63n - 1n],
        uInt8List: [0, 255],
        float32List: [0.5],
        textList: ["", "a", "世"],
        dataList: [new Uint8Array(0), new Uint8Array([1])],
        structList: [{ int8Field: 1 }, { textField: "two" }],
        enumList: ["green", "red"],
        listList: [[1, 2], [], [-3]],
      },
    ],
    [
      "Defaults",
      { boolField: false, int64Field: 0n, uInt32Field: 1, float32Field: 0, enumField: "red", textField: "" },
    ],
    ["Shapes", { before: 7, box: { width: 1, height: 2, title: "t" }, place: { x: 1, y: 2, name: "n" } }],
    ["Shapes", { inner: { two: "2" } }],
    ["Shapes", { child: { points: [1, 2, 3] } }],
    ["UsesMap", { ages: { entries: [{ key: "a", value: { int8Field: 1 } }] } }],
  ];

  for (const [type, object] of objects) {
    const title = JSON.stringify(object, (_, value) => (typeof value === "bigint" ? `${value}` : value)).slice(0, 50);

    it(`agree on ${type} ${title}: what is built here is read there, to the bit`, () => {
      const built: Loose = file[type].newMessage(object);
      const canonical = capnp(["convert", "binary:canonical", schema, type], framed(built));
      const again = capnp(["encode", schema, type], capnp(["decode", schema, type], framed(built)));
      expect(capnp(["convert", "binary:canonical", schema, type], again).equals(canonical)).to.equal(true);
      expect(readAs(file[type], unframed(again)).toObject()).to.deep.equal(built.asReader().toObject());
    });
  }

  it("agree on default values", () => {
    const shape = capnp(["eval", "-o", "binary", schema, "shape"], "");
    expect(readAs(file.Shapes, unframed(shape)).toObject()).to.deep.equal(file.shape.toObject());
    const json = JSON.parse(
      capnp(["convert", "binary:json", schema, "Defaults"], framed(file.Defaults.newMessage())).toString(),
    );
    const own = JSON.parse(JSON.stringify(file.Defaults.newMessage()));
    for (const name of Object.keys(own)) expect([name, own[name]]).to.deep.equal([name, json[name]]);
  });
});
