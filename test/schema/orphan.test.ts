import { expect } from "chai";
import { disownElement } from "../../lib/schema/disown.ts";
import { newOrphan, newOrphanCopy } from "../../lib/schema/orphanage.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

const { AllTypes, Shapes } = loadLoosely("test/fixtures/all-types.capnp");

const wordsUsed = (struct: Loose): number =>
  struct.toSegmentViews().reduce((words: number, segment: Uint8Array) => words + segment.length / 8, 0);
const isZero = (struct: Loose, text: string): boolean =>
  struct.toSegmentViews().every((segment: Uint8Array) => !Buffer.from(segment).includes(text));

describe("an orphan", () => {
  it("is moved within its message without a copy", () => {
    const message = AllTypes.newMessage({ structField: { textField: "here", int32List: [1, 2] } });
    const from = message.structField;
    const before = wordsUsed(message);
    const text = from.disown("textField");
    expect(from.has("textField")).to.equal(false);
    message.adopt("textField", text);
    message.adopt("int32List", from.disown("int32List"));
    expect(wordsUsed(message)).to.equal(before);
    expect(received(message).toObject()).to.deep.include({ textField: "here", int32List: [1, 2] });
    expect(received(message).structField.has("textField")).to.equal(false);
  });

  it("of every pointer type keeps its value", () => {
    const values = {
      textField: "t",
      dataField: new Uint8Array([1, 2]),
      structField: { int8Field: 3, textList: ["x"] },
      structList: [{ textField: "a" }, { textField: "b" }],
      boolList: [true, false, true],
      textList: ["x", "y"],
      listList: [[1], [2, 3]],
      voidList: [null, null],
    };
    for (const layout of [{}, { firstSegmentWords: 1, allocation: "fixed" }] as const) {
      const from = AllTypes.newMessage({ structField: values }, layout);
      const there = from.structField;
      for (const name of Object.keys(values))
        from.adopt(name === "structField" ? "anyField" : name, there.disown(name));
      const read = received(from);
      for (const [name, value] of Object.entries(values)) {
        if (name === "structField") expect(read.anyField.as(AllTypes).toObject()).to.deep.include(value as object);
        else if (name === "structList")
          expect(read.structList.map((one: Loose) => one.textField)).to.deep.equal(["a", "b"]);
        else expect(read.toObject()[name]).to.deep.equal(value);
      }
    }
  });

  it("of another message is copied, and zeroed where it was", () => {
    const from = AllTypes.newMessage({ structField: { textField: "secret" } });
    const to = AllTypes.newMessage({ structField: { textField: "old value" } });
    to.adopt("structField", from.disown("structField"));
    expect(to.structField.textField).to.equal("secret");
    expect(isZero(to, "old value")).to.equal(true);
    expect(isZero(from, "secret")).to.equal(true);
  });

  it("leaves no trace when it is released", () => {
    for (const layout of [{}, { firstSegmentWords: 1, allocation: "fixed" }] as const) {
      const message = AllTypes.newMessage({ structList: [{ textField: "secret" }], textField: "kept" }, layout);
      {
        using orphan = message.disown("structList");
        expect(orphan.kind).to.equal("list");
        expect(isZero(message, "secret")).to.equal(false);
      }
      expect(isZero(message, "secret")).to.equal(true);
      expect(received(message).textField).to.equal("kept");
    }
  });

  it("zeroes what it replaces", () => {
    const message = AllTypes.newMessage({ textField: "old value", structField: { textField: "new value" } });
    message.adopt("textField", message.structField.disown("textField"));
    expect(message.textField).to.equal("new value");
    expect(isZero(message, "old value")).to.equal(true);
  });

  it("of a null pointer is null, and makes null what adopts it", () => {
    const message = AllTypes.newMessage({ textField: "old value" });
    const orphan = message.structField.disown("textField");
    expect(orphan.isNull).to.equal(true);
    message.adopt("textField", orphan);
    expect(message.has("textField")).to.equal(false);
  });

  it("has one place only", () => {
    const message = AllTypes.newMessage({ textField: "x" });
    const orphan = message.disown("textField");
    message.adopt("textField", orphan);
    expectError("CAPNP_ORPHAN", () => message.adopt("textField", orphan), "adopted or released before");
    expect(message.textField).to.equal("x");
    const released = message.disown("textField");
    released.release();
    released.release();
    expectError("CAPNP_ORPHAN", () => AllTypes.newMessage().adopt("textField", released));
  });

  it("goes only where its type fits", () => {
    const message = AllTypes.newMessage({ textField: "x", int8List: [1] });
    const text = message.disown("textField");
    expectError("CAPNP_TYPE", () => message.adopt("dataField", text), "Data", "Text");
    expectError("CAPNP_TYPE", () => message.adopt("int8Field", text), "Int8", "Text");
    expectError("CAPNP_TYPE", () => message.adopt("textField", "x"), "disown()");
    expectError("CAPNP_TYPE", () => message.asReader().disown("textField"), "builder");
    expectError("CAPNP_NO_SUCH_FIELD", () => message.disown("nothing"));
    message.adopt("textField", text);
  });

  it("of a union is the active member, and makes the one that adopts it active", () => {
    const shape = Shapes.newMessage({ label: "a label" });
    expectError("CAPNP_UNION_MEMBER", () => shape.disown("child"), "not the active member");
    const label = shape.disown("label");
    shape.side = 2;
    shape.adopt("label", label);
    expect(shape.which()).to.equal("label");
    expect(shape.label).to.equal("a label");
  });

  it("may be an element of a list of pointers", () => {
    const message = AllTypes.newMessage({ textList: ["a", "b"], listList: [[1], []] });
    const { textList } = message;
    textList.adopt(0, textList.disown(1));
    expect([...message.textList]).to.deep.equal(["b", ""]);
    expectError("CAPNP_INDEX", () => textList.disown(2));
    expectError("CAPNP_TYPE", () => disownElement(message.int8List, 0), "pointers");
  });

  it("is made from nothing, read and filled before it has a place", () => {
    const message = AllTypes.newMessage();
    const struct = newOrphan(message, AllTypes);
    (struct.get() as Loose).textField = "inside";
    const list = newOrphan(message, listOf("Int32"), 3);
    (list.get() as Loose).set(1, 5);
    const text = newOrphanCopy(message, "Text", "copied");
    expect(text.get()).to.equal("copied");
    message.adopt("structField", struct);
    message.adopt("int32List", list);
    message.adopt("textField", text);
    expect(received(message).structField.textField).to.equal("inside");
    expect(received(message).toObject()).to.deep.include({ int32List: [0, 5, 0], textField: "copied" });
  });

  it("takes its capabilities along, and gives their references back when it is released", () => {
    let references = 1;
    const capability = {
      addRef: () => {
        references++;
        return capability;
      },
      release: () => {
        references--;
      },
    };
    const message = AllTypes.newMessage();
    const pointer = message.structField.anyField;
    const { $segment: segment, $position: position } = pointer;
    segment.view.setInt32(position, 3, true);
    segment.view.setInt32(position + 4, segment.arena.capTable.add(capability), true);
    const other = AllTypes.newMessage();
    other.adopt("structField", message.disown("structField"));
    expect(references, "one in the other message").to.equal(1);
    other.disown("structField").release();
    expect(references).to.equal(0);
  });
});
