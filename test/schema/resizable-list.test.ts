import { expect } from "chai";
import { initResizableList } from "../../lib/schema/resizable-list.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");

describe("a list of structs that grows", () => {
  it("has each element that was added, in order, once it is finished", () => {
    const root = AllTypes.newMessage();
    const list = root.initResizableList("structList");
    for (let i = 0; i < 20; i++) {
      const element = list.add();
      element.int32Field = i;
      element.textField = `element ${i}`;
      element.init("int8List", 2).set(1, i);
    }
    expect([list.length, root.has("structList")]).to.deep.equal([20, false]);
    const made = list.finish();
    made[3].int32Field = 33;
    const read = received(root).structList;
    expect(read.map((one: Loose) => one.int32Field)).to.deep.equal(
      Array.from({ length: 20 }, (_, i) => (i === 3 ? 33 : i)),
    );
    expect(read.at(-1).toObject()).to.deep.include({ textField: "element 19", int8List: [0, 19] });
  });

  it("leaves zeros where its elements were before", () => {
    const root = AllTypes.newMessage();
    const list = root.initResizableList("structList");
    list.add().uInt64Field = 0x1122334455667788n;
    list.finish();
    const bytes = Buffer.from(root.toBytes());
    const wanted = Buffer.from("8877665544332211", "hex");
    expect(bytes.indexOf(wanted)).to.equal(bytes.lastIndexOf(wanted)).and.not.equal(-1);
  });

  it("may stay empty, and replaces what the field had", () => {
    const root = AllTypes.newMessage({ structList: [{ textField: "old" }] });
    const list = root.initResizableList("structList");
    expect(root.structList).to.have.length(1);
    expect(list.finish()).to.have.length(0);
    expect(received(root).structList).to.have.length(0);
  });

  it("is finished once, and is of structs", () => {
    const root = AllTypes.newMessage();
    const list = initResizableList(root, AllTypes.schema.field("structList"));
    list.add();
    list.finish();
    expectError("CAPNP_ORPHAN", () => list.add(), "finished");
    expectError("CAPNP_ORPHAN", () => list.finish(), "finished");
    expectError("CAPNP_TYPE", () => root.initResizableList("int8List"), "not a list of structs");
    expectError("CAPNP_NO_SUCH_FIELD", () => root.initResizableList("structlist"), "structList");
    expectError("CAPNP_TYPE", () => initResizableList(root.asReader(), "structList"), "builder");
  });
});
