import { expect } from "chai";
import { listOf } from "../../lib/schema/type-argument.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { readAs, received, segmentsOf } from "../support/messages.ts";

describe("a message of another version of its schema", () => {
  const { AllTypes, New, Old } = loadLoosely("test/fixtures/all-types.capnp");
  const old = { a: 1, t: "text", l: [1, 2, 3], tl: ["x", "y"] };

  it("that is older has default values where fields are missing", () => {
    const reader = readAs(New, segmentsOf(Old.newMessage(old)));
    expect([reader.a, reader.t, reader.b, reader.s]).to.deep.equal([1, "text", 99n, "new"]);
    expect([reader.has("s"), reader.has("b")]).to.deep.equal([false, true]);
  });

  it("that is older has values where this one has structs", () => {
    const reader = readAs(New, segmentsOf(Old.newMessage(old)));
    expect(reader.l.map((item: Loose) => [item.v, item.w, item.t])).to.deep.equal([
      [1, 0, ""],
      [2, 0, ""],
      [3, 0, ""],
    ]);
    expect(reader.tl.map((item: Loose) => [item.t, item.n])).to.deep.equal([
      ["x", 0],
      ["y", 0],
    ]);
  });

  it("that is newer has structs where this one has values", () => {
    const sent = New.newMessage({ a: 1, l: [{ v: 5, w: 6 }, { v: 7 }], tl: [{ t: "x", n: 1 }, { t: "y" }] });
    const reader = readAs(Old, segmentsOf(sent));
    expect([...reader.l]).to.deep.equal([5, 7]);
    expect([...reader.tl]).to.deep.equal(["x", "y"]);
    const again = Old.newMessage({ l: reader.l, tl: reader.tl });
    expect(received(again).toObject()).to.deep.equal({ a: 0, l: [5, 7], tl: ["x", "y"] });
  });

  it("that is newer keeps its fields through a copy", () => {
    const reader = readAs(Old, segmentsOf(New.newMessage({ a: 1, b: 7, s: "kept", l: [{ v: 5, t: "kept, too" }] })));
    const copied = readAs(New, segmentsOf(reader.copy()));
    expect([copied.b, copied.s, copied.l.at(0).t]).to.deep.equal([7n, "kept", "kept, too"]);
  });

  it("grows where it is built on", () => {
    const message = AllTypes.newMessage();
    message.anyField.init(Old).a = 1;
    message.anyField.as(Old).t = "text";
    message.anyField.as(Old).l = [1, 2, 3];
    const grown = message.anyField.as(New);
    grown.b = 5;
    grown.s = "s";
    grown.l.at(1).t = "two";
    expect(received(message).anyField.as(New).toObject()).to.deep.equal({
      a: 1,
      t: "text",
      l: [
        { v: 1, w: 0 },
        { v: 2, w: 0, t: "two" },
        { v: 3, w: 0 },
      ],
      b: 5n,
      s: "s",
    });
  });

  it("is refused where a list of Bool and one of structs meet", () => {
    const bits = AllTypes.newMessage({ anyField: AllTypes.newMessage({ boolList: [true] }).boolList });
    expectError("CAPNP_POINTER_KIND", () => received(bits).anyField.as(listOf(New)), "bit list");
    const structs = AllTypes.newMessage({ anyField: New.newMessage({ l: [{ v: 1 }] }).l });
    expectError("CAPNP_POINTER_KIND", () => received(structs).anyField.as(listOf("Bool")), "bits");
    expect([...received(structs).anyField.as(listOf("UInt8"))]).to.deep.equal([1]);
  });
});
