import { expect } from "chai";
import { movingSegmentBytes } from "../../lib/serialization/arena.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");

const values = {
  textField: "a text",
  dataField: Uint8Array.of(1, 2, 3),
  structList: Array.from({ length: 200 }, (_, i) => ({ int32Field: i, textField: `text ${i}`, textList: ["a", "bc"] })),
};
const bytesOf = (message: Loose): Buffer => Buffer.from(message.toBytes());

describe("a message that outgrows its memory", () => {
  it("stays one segment, laid out as if there had been room from the beginning", () => {
    const message = AllTypes.newMessage(values);
    expect(message.toSegments().length).to.equal(1);
    expect(bytesOf(message).equals(bytesOf(AllTypes.newMessage(values, { firstSegmentWords: 1 << 16 })))).to.equal(
      true,
    );
  });

  it("has the same bytes whatever was written before it", () => {
    const first = bytesOf(AllTypes.newMessage(values));
    for (let i = 0; i < 3; i++) expect(bytesOf(AllTypes.newMessage(values)).equals(first)).to.equal(true);
    AllTypes.newMessage({ textField: "x".repeat(100_000) }).toBytes();
    expect(bytesOf(AllTypes.newMessage(values)).equals(first)).to.equal(true);
  });

  it("keeps readers, builders and lists that were made before", () => {
    const message = AllTypes.newMessage();
    const list = message.init("structList", 3);
    const element = list.at(1);
    const reader = message.asReader();
    for (let i = 0; i < 500; i++) message.textList = Array.from({ length: 20 }, () => "some text");
    element.textField = "set afterwards";
    expect(reader.structList.at(1).textField).to.equal("set afterwards");
    expect(list.at(1).textField).to.equal("set afterwards");
    expect(message.toObject().structList[1].textField).to.equal("set afterwards");
  });

  it("keeps bytes that somebody holds a view of a part of it", () => {
    const message = AllTypes.newMessage();
    const made = message.init("dataField", 8);
    message.structList = values.structList;
    const read = message.dataField;
    message.textList = Array.from({ length: 500 }, () => "some text");
    made[0] = 7;
    read[1] = 8;
    expect([...AllTypes.fromBytes(message.toBytes()).dataField]).to.deep.equal([7, 8, 0, 0, 0, 0, 0, 0]);
  });

  it("keeps views of its segments true", () => {
    const message = AllTypes.newMessage({ int32Field: 1 });
    const [view] = message.toSegmentViews();
    message.structList = values.structList;
    message.int32Field = 0x01020304;
    expect(Buffer.from(view).includes(Buffer.of(4, 3, 2, 1))).to.equal(true);
  });

  it("gets further segments beyond the size up to which one moves", () => {
    const message = AllTypes.newMessage({ textField: "first" });
    const half = movingSegmentBytes / 2;
    message.dataList = [new Uint8Array(half), new Uint8Array(half), new Uint8Array(half)];
    message.textField = "last";
    expect(message.toSegments().length).to.be.greaterThan(1);
    const again = AllTypes.fromBytes(message.toBytes(), { traversalLimitInWords: movingSegmentBytes });
    expect(again.textField).to.equal("last");
    expect(again.dataList.at(2).length).to.equal(half);
  });
});

describe("text of every length", () => {
  const lengths = Array.from({ length: 90 }, (_, length) => length);

  it("reads back, in ASCII and with other characters at any place", () => {
    for (const length of lengths) {
      const ascii = Array.from({ length }, (_, i) => String.fromCharCode(33 + ((i * 7) % 90))).join("");
      for (const text of [ascii, `${ascii}é`, `é${ascii}`, `${ascii}€${ascii}`, `${ascii}\u{1f600}`]) {
        const message = AllTypes.newMessage({ textField: text });
        expect(message.textField).to.equal(text);
        expect(AllTypes.fromBytes(message.toBytes()).textField).to.equal(text);
      }
    }
  });

  it("leaves nothing behind where it turns out not to be ASCII at its end", () => {
    for (const length of lengths) {
      const text = `${"x".repeat(length)}\u0101`;
      const expected = AllTypes.newMessage({ dataField: Buffer.from(`${text}\0`) });
      const message = AllTypes.newMessage({ textField: text });
      expect(Buffer.from(message.textField, "utf8").length).to.equal(length + 2);
      expect(message.toBytes().length).to.equal(expected.toBytes().length);
      expect(bytesOf(message).subarray(-8).equals(bytesOf(expected).subarray(-8))).to.equal(true);
    }
  });
});
