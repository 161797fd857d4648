import { expect } from "chai";
import { toObject } from "../../lib/schema/plain-object.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

const { AllTypes, Defaults, Shapes } = loadLoosely("test/fixtures/all-types.capnp");

describe("a plain object", () => {
  it("has the members that are set, of a union the active one, and enums by their names", () => {
    const shape = Shapes.newMessage({ before: 5, box: { width: 4 }, place: { x: 1 } });
    expect(received(shape).toObject()).to.deep.equal({
      before: 5,
      box: { width: 4, height: 0 },
      place: { x: 1, y: 0 },
    });
    expect(received(AllTypes.newMessage({ enumField: "blue" })).toObject().enumField).to.equal("blue");
  });

  it("has the default values of what is null, too, where that is asked for", () => {
    const read = received(Defaults.newMessage());
    expect(Object.keys(read.toObject())).not.to.include("textField");
    const verbose = read.toObject({ defaults: true });
    expect(verbose).to.deep.include({ textField: "foo", intList: [1, 2, 3], enumField: "blue", int8Field: -123 });
    expect(Object.keys(verbose), "in the order of ordinals").to.deep.equal(Defaults.schema.fieldNames);
  });

  it("has Data as bytes, or as base64 where that is asked for, also in lists", () => {
    const message = AllTypes.newMessage({ dataField: Uint8Array.of(1, 2, 3), dataList: [Uint8Array.of(255)] });
    const plain = message.toObject({ bytes: "base64" });
    expect([plain.dataField, plain.dataList]).to.deep.equal(["AQID", ["/w=="]]);
    expect((toObject(message) as Loose).dataField).to.deep.equal(Uint8Array.of(1, 2, 3));
    expect(AllTypes.newMessage(message.toObject()).toObject(), "and goes back").to.deep.equal(message.toObject());
  });
});
