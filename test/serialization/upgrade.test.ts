import { expect } from "chai";
import { MessageBuilder } from "../../lib/schema/message-builder.ts";
import { listOf } from "../../lib/schema/type-argument.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

const { Any, Lists, NewVersion, NewUnion, OldUnion, OldVersion, ZeroIsBit } = loadLoosely("test/fixtures/parity.capnp");

const sizes = (struct: Loose): number[] => struct.toSegmentViews().map((segment: Uint8Array) => segment.length / 8);
const refused = (action: () => unknown): void => expectError("CAPNP_POINTER_KIND", action);

const fillOld = (old: Loose): void => {
  Object.assign(old, { number: 123, text: "foo" });
  Object.assign(old.init("child"), { number: 456, text: "bar" });
};

/** Old and new programs take turns with one struct, and none loses what the other wrote. */
const takeTurns = (root: Loose): void => {
  const grown = root.pointer.as(NewVersion);
  const { child } = grown;
  const values = (one: Loose) => [one.number, one.text, one.newNumber, one.newText];
  expect([values(grown), values(child)]).to.deep.equal([
    [123n, "foo", 987n, "baz"],
    [456n, "bar", 987n, "baz"],
  ]);
  Object.assign(grown, { number: 234, text: "qux", newNumber: 321, newText: "quux" });
  Object.assign(child, { number: 567, text: "corge", newNumber: 654, newText: "grault" });
  const old = root.pointer.as(OldVersion);
  expect([old.number, old.text, old.child.number, old.child.text]).to.deep.equal([234n, "qux", 567n, "corge"]);
  Object.assign(old, { number: 345, text: "garply" });
  Object.assign(old.child, { number: 678, text: "waldo" });
  const before = sizes(root);
  const again = root.pointer.as(NewVersion);
  expect([values(again), values(again.child)]).to.deep.equal([
    [345n, "garply", 321n, "quux"],
    [678n, "waldo", 654n, "grault"],
  ]);
  expect(sizes(root), "what has room already is not moved").to.deep.equal(before);
  expect(values(received(root).pointer.as(NewVersion).child)).to.deep.equal([678n, "waldo", 654n, "grault"]);
};

describe("a struct that an older program made", () => {
  it("moves to where there is room for every field, and leaves zeros", () => {
    const root = Any.newMessage({}, { firstSegmentWords: 1024 });
    const old = root.pointer.init(OldVersion);
    fillOld(old);
    const before = sizes(root)[0] as number;
    const { child } = old;
    const grown = root.pointer.as(NewVersion);
    expect([old.number, old.asReader().text, old.asReader().child.number]).to.deep.equal([0n, "", 0n]);
    const between = sizes(root)[0] as number;
    expect(between).to.equal(before + NewVersion.dataBytes / 8 + NewVersion.pointerCount);
    expect(grown.child.number).to.equal(456n);
    expect([child.number, child.text]).to.deep.equal([0n, ""]);
    takeTurns(root);
  });

  it("moves over segments where each object has its own", () => {
    const root = Any.newMessage({}, { firstSegmentWords: 1, allocation: "fixed" });
    fillOld(root.pointer.init(OldVersion));
    expect(sizes(root)).to.have.length(2 + 4);
    root.pointer.as(NewVersion);
    expect(sizes(root)).to.have.length(2 + 4 + 1);
    takeTurns(root);
  });

  it("is reached by a far pointer where its segment is full, and what it holds through a landing pad", () => {
    const message = new MessageBuilder({ firstSegmentWords: 7, allocation: "fixed" });
    const root: Loose = message.initRoot(Any as object);
    root.pointer.init(OldVersion).text = "foo";
    expect(sizes(root)).to.deep.equal([6]);
    expect(root.pointer.as(NewVersion).text).to.equal("foo");
    expect(sizes(root)).to.deep.equal([7, 6]);
    expect(received(root).pointer.as(NewVersion).text).to.equal("foo");
  });

  it("is reached by a double-far pointer where no landing pad finds room", () => {
    const message = new MessageBuilder({ firstSegmentWords: 6, allocation: "fixed" });
    const root: Loose = message.initRoot(Any as object);
    root.pointer.init(OldVersion).text = "foo";
    expect(sizes(root)).to.deep.equal([6]);
    expect(root.pointer.as(NewVersion).text).to.equal("foo");
    expect(sizes(root)).to.deep.equal([6, 6, 2]);
    expect(received(root).pointer.as(NewVersion).text).to.equal("foo");
  });

  it("keeps its union's member where that became a union itself", () => {
    const root = Any.newMessage();
    root.pointer.init(OldUnion).b = 123;
    const grown = root.pointer.as(NewUnion);
    expect([grown.which(), grown.b]).to.deep.equal(["b", 123n]);
    root.pointer.init(OldUnion).a = null;
    expect([root.pointer.as(NewUnion).which(), root.pointer.as(NewUnion).a.which()]).to.deep.equal(["a", "a0"]);
  });
});

describe("a list that an older or newer program made", () => {
  const elements = (list: Loose): unknown[] => [...list];
  /** Names of the types that a list of `UInt16` and the like may not be read as. */
  const readAll = (root: Loose, good: Record<string, unknown[]>, bad: string[]): void => {
    for (const side of [root, root.asReader(), received(root)]) {
      for (const [name, values] of Object.entries(good)) {
        expect(elements(side.pointer.as(listOf(name as "Text"))), name).to.deep.equal(values);
      }
      for (const name of bad) refused(() => side.pointer.as(listOf(name as "Text")));
    }
  };
  const voids = [null, null, null, null];
  const upgrade = (root: Loose, numbers: (number | bigint)[], texts: string[]): void => {
    const list = root.pointer.as(listOf(NewVersion));
    expect(list.map((one: Loose) => [one.number, one.text, one.newNumber, one.newText])).to.deep.equal(
      numbers.map((number, i) => [BigInt(number), texts[i] ?? "", 987n, "baz"]),
    );
    expect(list.map((one: Loose) => one.asReader().child.number)).to.deep.equal(numbers.map(() => 0n));
    for (const [i, one] of [...list].entries()) {
      Object.assign(one, { number: i * 123, text: `qux${i}`, newNumber: i * 456, newText: `corge${i}` });
    }
    const old = root.pointer.as(listOf(OldVersion));
    expect(old.map((one: Loose) => [one.number, one.text])).to.deep.equal(
      numbers.map((_, i) => [BigInt(i * 123), `qux${i}`]),
    );
    const again = received(root).pointer.as(listOf(NewVersion));
    expect(again.map((one: Loose) => [one.newNumber, one.newText])).to.deep.equal(
      numbers.map((_, i) => [BigInt(i * 456), `corge${i}`]),
    );
  };

  it("is read as values no larger than its own, and as structs that begin with them", () => {
    const root = Any.newMessage();
    root.pointer.set([12, 34, 56], listOf("UInt16"));
    for (const side of [received(root), root.asReader()]) {
      expect(elements(side.pointer.as(listOf("UInt8")))).to.deep.equal([12, 34, 56]);
      expect(side.pointer.as(listOf(Lists.Of8)).map((one: Loose) => one.f)).to.deep.equal([12, 34, 56]);
      expect(elements(side.pointer.as(listOf("UInt16")))).to.deep.equal([12, 34, 56]);
      refused(() => side.pointer.as(listOf("UInt32")));
      expect(
        side.pointer.as(listOf(Lists.Of32)).map((one: Loose) => one.f),
        "too small: defaults",
      ).to.deep.equal([0, 0, 0]);
    }
  });

  it("is not read as a list of Bool where it is of larger values or structs, nor the other way round", () => {
    const root = Any.newMessage();
    root.pointer.set([0x1201, 0x3400, 0x5601], listOf("UInt16"));
    for (const side of [root, root.asReader()]) refused(() => side.pointer.as(listOf("Bool")));
    root.pointer.init(listOf(Lists.Of1), 2)[0].f = true;
    for (const side of [root, root.asReader()]) refused(() => side.pointer.as(listOf("Bool")));
    root.pointer.set([true, false], listOf("Bool"));
    for (const side of [root, root.asReader()]) {
      refused(() => side.pointer.as(listOf("UInt8")));
      refused(() => side.pointer.as(listOf(ZeroIsBit)));
      refused(() => side.pointer.as(listOf(Lists.Of1)));
    }
    expect(elements(root.pointer.as(listOf("Bool")))).to.deep.equal([true, false]);
  });

  it("becomes one of structs where it is built on, from Void and numbers of every size", () => {
    const root = Any.newMessage();
    const wide = ["UInt8", "UInt16", "UInt32", "UInt64"];
    root.pointer.set(voids, listOf("Void"));
    readAll(root, { Void: voids }, ["Bool", ...wide, "Text"]);
    upgrade(root, [0, 0, 0, 0], []);

    const numbers = [0x7712345678abcdefn, 0x1122334455667788n, 0x33n, 0x44n];
    for (const [i, name] of wide.entries()) {
      const bits = 8 << i;
      const values = numbers.map((number) => (bits === 64 ? number : Number(BigInt.asUintN(bits, number))));
      root.pointer.set(values, listOf(name as "UInt8"));
      const place = root.pointer.as(listOf(name as "UInt8"));
      const smaller = Object.fromEntries(
        wide.slice(0, i).map((other, j) => [other, numbers.map((number) => Number(BigInt.asUintN(8 << j, number)))]),
      );
      readAll(root, { Void: voids, ...smaller, [name]: values }, ["Bool", ...wide.slice(i + 1), "Text"]);
      upgrade(root, values, []);
      expect(
        elements(place).every((one) => Number(one) === 0),
        "where it was is zero",
      ).to.equal(true);
    }
  });

  it("becomes one of structs where it is built on, from Text", () => {
    const root = Any.newMessage();
    root.pointer.set(["foo", "bar", "baz"], listOf("Text"));
    const place = root.pointer.as(listOf("Text"));
    readAll(root, { Void: [null, null, null], Text: ["foo", "bar", "baz"] }, ["Bool", "UInt8", "UInt32", "UInt64"]);
    upgrade(root, [0, 0, 0], ["foo", "bar", "baz"]);
    expect(elements(place)).to.deep.equal(["", "", ""]);
  });

  it("becomes one of larger structs where it is built on, and serves as one of values", () => {
    const root = Any.newMessage();
    const numbers = [0x1234567890abcdefn, 0x234567890abcdef1n, 0x34567890abcdef12n];
    const list = root.pointer.init(listOf(OldVersion), 3);
    for (const [i, text] of ["foo", "bar", "baz"].entries()) list.set(i, { number: numbers[i], text });
    readAll(
      root,
      {
        Void: [null, null, null],
        UInt8: [0xef, 0xf1, 0x12],
        UInt16: [0xcdef, 0xdef1, 0xef12],
        UInt32: [0x90abcdef, 0x0abcdef1, 0xabcdef12],
        UInt64: numbers,
        Text: ["foo", "bar", "baz"],
      },
      ["Bool"],
    );
    upgrade(root, numbers, ["foo", "bar", "baz"]);
    expect(list.map((one: Loose) => [one.number, one.text])).to.deep.equal([
      [0n, ""],
      [0n, ""],
      [0n, ""],
    ]);
  });

  it("becomes one of structs smaller than a word, and of larger ones later", () => {
    const root = Any.newMessage();
    root.pointer.set([1, 2, 3, 4], listOf("UInt8"));
    const halves = root.pointer.as(listOf(Lists.Of16));
    expect(halves.map((one: Loose) => one.f)).to.deep.equal([1, 2, 3, 4]);
    for (const [i, value] of [12573, 3251, 9238, 5832].entries()) halves[i].f = value;
    expect(elements(root.pointer.as(listOf("UInt16")))).to.deep.equal([12573, 3251, 9238, 5832]);
    const wide = root.pointer.as(listOf(Lists.Wide64));
    wide[0].pad = "room";
    expect(
      received(root)
        .pointer.as(listOf(Lists.Of16))
        .map((one: Loose) => one.f),
    ).to.deep.equal([12573, 3251, 9238, 5832]);
    expect(received(root).pointer.as(listOf(Lists.Wide64))[0].pad).to.equal("room");
  });

  it("of structs is read as one of pointers to lists, each struct's first pointer", () => {
    const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");
    const root = Any.newMessage();
    root.pointer.set([{ f: "foo" }, { f: "bar" }], listOf(Lists.WideP));
    expect(elements(received(root).pointer.as(listOf("Text")))).to.deep.equal(["foo", "bar"]);
    const lists = root.pointer.init(listOf(AllTypes), 2);
    for (const one of lists) one.textField = "first pointer";
    expect(elements(received(root).pointer.as(listOf("Text")))).to.deep.equal(["first pointer", "first pointer"]);
  });

  it("of structs that is read as one of lists is copied whole", () => {
    const source = Any.newMessage();
    const structs = source.pointer.init(listOf(Lists), 2);
    structs[0].init("list0", 0);
    structs[0].init("list8", 3)[1].f = 7;
    structs[1].init("list0", 2);
    const listsOfLists = received(source).pointer.as(listOf(listOf(Lists.Of0)));
    expect(listsOfLists.map((one: Loose) => one.length)).to.deep.equal([0, 2]);
    const copy = Any.newMessage();
    copy.pointer.set(listsOfLists, listOf(listOf(Lists.Of0)));
    const again = received(copy).pointer.as(listOf(listOf(Lists.Of0)));
    expect(again.map((one: Loose) => one.length)).to.deep.equal([0, 2]);
  });
});
