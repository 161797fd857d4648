import { expect } from "chai";
import { compile } from "../../lib/compiler/compiler.ts";
import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { totalSize } from "../../lib/schema/operations.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import type { StructClass } from "../../lib/schema/struct-class.ts";
import { toText } from "../../lib/schema/text.ts";
import { expectError } from "../support/errors.ts";
import type { Loose } from "../support/loose.ts";
import { readAs, segmentsOf, words } from "../support/messages.ts";
import { type MessageOracle, messageOracle, type Outcome, type TypeThere } from "./message-oracle.ts";

const source = `@0xd0d0d0d0d0d0d0d0;
struct Root @0xd0d0d0d0d0d0d0d1 {
  voids @0 :List(Void);
  bits @1 :List(Bool);
  text @2 :Text;
  child @3 :Root;
  list @4 :List(Root);
  any @5 :AnyPointer;
}
struct Number @0xd0d0d0d0d0d0d0d2 { f @0 :Float32; }`;

/** Halves of pointers: words to skip, then what is there. */
const struct = (offset: number, data: number, pointers: number) => [offset << 2, data | (pointers << 16)] as const;
const list = (offset: number, size: number, count: number) => [(offset << 2) | 1, size | (count << 3)] as const;
const far = (segment: number, word: number, double = 0) => [(word << 3) | double | 2, segment] as const;
const none = [0, 0] as const;

/** A message of one segment: the root's pointers, those that are not given null, and what follows. */
const rooted = (
  pointers: Readonly<Record<number, readonly [number, number]>>,
  ...rest: (readonly [number, number])[]
) => words(struct(0, 0, 6), ...Array.from({ length: 6 }, (_, i) => pointers[i] ?? none), ...rest);

const resultOf = (outcome: Outcome): string => {
  if ("error" in outcome) throw new Error(`C++ fails: ${outcome.error}`);
  return outcome.value.toString();
};

/** What is known to differ from C++, or was found to differ once and is the same since. */
describe("a message that no library would write", () => {
  let oracle: MessageOracle;
  let Root: StructClass;
  let NumberType: StructClass;
  let there: TypeThere;
  before(async function () {
    oracle = await messageOracle.call(this);
    const { nodes } = compile(["d.capnp"], { readSource: () => source, importPath: [] }).schema;
    const loader = new SchemaLoader();
    loader.loadAll(nodes);
    Root = loader.getStruct(0xd0d0d0d0d0d0d0d1n).structClass;
    NumberType = loader.getStruct(0xd0d0d0d0d0d0d0d2n).structClass;
    there = { schemas: await oracle.load(nodes), id: Root.schema.id };
  });
  after(() => oracle?.stop());

  const same = async (...segments: Uint8Array[]): Promise<void> => {
    const reader = readAs(Root, segments);
    const theirs = await oracle.read(there, encodeFrame(segments));
    expect(String(toText(reader))).to.equal(resultOf(theirs.text));
    expect(`${totalSize(reader).wordCount} ${totalSize(reader).capCount}`).to.equal(resultOf(theirs.size));
    const form = "error" in theirs.canonical ? "" : theirs.canonical.value.toString("hex");
    expect(Buffer.from(canonicalize(reader)).toString("hex")).to.equal(form);
  };

  it("may say of what has no size that it lies anywhere", async () => {
    await same(rooted({ 3: struct(1000, 0, 0) }));
    await same(rooted({ 0: list(-1000, 0, 3) }));
    await same(rooted({ 1: list(1000, 1, 0) }));
  });

  it("is not canonical where it does", async () => {
    const message = rooted({ 1: list(1000, 1, 0) }).slice(0, 24);
    new DataView(message.buffer).setUint32(4, 2 << 16, true);
    expect(isCanonical([message])).to.equal(false);
    // C++ has moved the list to the end of the message before it looks.
    expect(resultOf((await oracle.read(there, encodeFrame([message]))).isCanonical)).to.equal("t");
  });

  it("has a list of as many structs as 29 bits say, and is not canonical with one bit more", async () => {
    const message = words(struct(0, 0, 1), list(0, 7, 0), [0x80000000 | 0, 0]);
    const other = readAs(Root, [words(struct(0, 0, 5), none, none, none, none, list(0, 7, 0), [0x80000008 | 0, 0])]);
    expect(toObject(other)).to.deep.equal({ list: [{}, {}] });
    await same(words(struct(0, 0, 5), none, none, none, none, list(0, 7, 0), [0x80000008 | 0, 0]));
    expect(isCanonical([message])).to.equal(false);
    expect(resultOf((await oracle.read(there, encodeFrame([message]))).isCanonical)).to.equal("t");
  });

  it("has an empty struct behind a landing pad of zeroes", async () => {
    await same(rooted({ 3: far(1, 0) }), words(none));
    await same(rooted({ 5: far(1, 0) }), words(none));
    expectError("CAPNP_POINTER_KIND", () => toObject(readAs(Root, [rooted({ 2: far(1, 0) }), words(none)])));
  });

  it("may reach a landing pad of two words through a pointer that calls another one so", async () => {
    await same(rooted({ 3: far(1, 0, 4) }), words(far(2, 0, 4), struct(0, 0, 0)), words(none));
  });

  it("does not pass a list of bits for a list of anything else", async () => {
    const message = rooted({ 0: list(5, 1, 3) }, none);
    expectError("CAPNP_POINTER_KIND", () => toObject(readAs(Root, [message])));
    expect((await oracle.read(there, encodeFrame([message]))).dump).to.have.property("error");
  });

  it("does not pass a list of numbers for a list of bits, where C++ takes the first ones", async () => {
    const message = rooted({ 1: list(4, 2, 3) }, [0x05, 0]);
    expectError("CAPNP_POINTER_KIND", () => toObject(readAs(Root, [message])));
    expect(resultOf((await oracle.read(there, encodeFrame([message]))).dump)).to.equal("(1=[t,f,t,];)");
  });

  it("has no size with a pointer of no kind", async () => {
    const message = rooted({ 5: [7, 0] });
    const reader = readAs(Root, [message]);
    expectError("CAPNP_POINTER_KIND", () => totalSize(reader));
    expectError("CAPNP_POINTER_KIND", () => toText(reader));
    const theirs = await oracle.read(there, encodeFrame([message]));
    expect(theirs.size).to.have.property("error");
    expect(theirs.text).to.have.property("error");
    expect(isCanonical([message])).to.equal(false);
  });

  it("fails where its text is not UTF-8, which C++ passes on", async () => {
    const message = rooted({ 2: list(3, 2, 2) }, [0xff, 0]);
    expectError("CAPNP_TEXT", () => toObject(readAs(Root, [message])));
    expect(resultOf((await oracle.read(there, encodeFrame([message]))).dump)).to.match(/^\(2=T1:/);
  });

  it("pays for each element of no size that is measured, which C++ measures for nothing", async () => {
    const message = rooted({ 0: list(5, 0, 5000) });
    const limits = { traversalLimitInWords: 1000, nestingLimit: 64 };
    expectError("CAPNP_TRAVERSAL_LIMIT", () => totalSize(readAs(Root, [message], limits)));
    const theirs = await oracle.read(there, encodeFrame([message]), limits);
    expect(resultOf(theirs.size)).to.equal("6 0");
    expect(theirs.dump).to.have.property("error");
  });

  it("goes down one level with a list of structs, which C++ counts as two", async () => {
    const levels = (depth: number): Loose => {
      const message = Root.newMessage() as Loose;
      let at = message;
      for (let i = 0; i < depth; i++) at = at.init("list", 1).at(0);
      return message;
    };
    const limits = { traversalLimitInWords: 10_000, nestingLimit: 20 };
    for (const [depth, ours, theirs] of [
      [9, true, true],
      [10, true, false],
      [19, true, false],
      [20, false, false],
    ] as const) {
      const segments = segmentsOf(levels(depth));
      const reader = readAs(Root, segments, limits);
      if (ours) expect(toObject(reader)).to.be.an("object");
      else expectError("CAPNP_NESTING_LIMIT", () => toObject(reader));
      const { dump } = await oracle.read(there, encodeFrame(segments), limits);
      expect("value" in dump, `${depth} levels`).to.equal(theirs);
    }
  });

  it("has every digit of its numbers in its text, of which C++ drops one", async () => {
    const message = NumberType.newMessage({ f: 1039617.75 });
    expect(String(message)).to.equal("(f = 1039617.75)");
    const type: TypeThere = { ...there, id: NumberType.schema.id };
    expect(resultOf((await oracle.read(type, encodeFrame(segmentsOf(message)))).text)).to.equal("(f = 1039617.8)");
  });
});
