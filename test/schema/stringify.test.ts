import { expect } from "chai";
import { toText } from "../../lib/schema/text.ts";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, received, segmentsOf } from "../support/messages.ts";

const schemaFile = "test/fixtures/parity.capnp";
const { AllTypes, Defaults, Map: GenericMap } = loadLoosely("test/fixtures/all-types.capnp");
const parity = loadLoosely(schemaFile);
const pretty = (value: Loose): string => toText(value, { pretty: true });

describe("the text of a value", () => {
  it("of a list is that of C++, not JavaScript's", () => {
    const root = AllTypes.newMessage({
      int8List: [1, -2],
      boolList: [true, false],
      voidList: [null, null],
      float32List: [0.1, Number.NaN, Number.NEGATIVE_INFINITY],
      textList: ["a", 'quo"te'],
      dataList: [Uint8Array.of(0, 65, 255)],
      enumList: ["red", 9],
      structList: [{ textField: "x" }],
      listList: [[1, 2], []],
    });
    for (const struct of [root, received(root)]) {
      expect(String(struct.int8List)).to.equal("[1, -2]");
      expect(`${struct.boolList}`).to.equal("[true, false]");
      expect(String(struct.voidList)).to.equal("[void, void]");
      expect(String(struct.float32List)).to.equal("[0.1, nan, -inf]");
      expect(String(struct.textList)).to.equal('["a", "quo\\"te"]');
      expect(struct.dataList.toText()).to.equal('["\\000A\\377"]');
      expect(String(struct.enumList)).to.equal("[red, (9)]");
      expect(String(struct.structList)).to.match(/^\[\(voidField = void, boolField = false, .*textField = "x".*\)\]$/);
      expect(String(struct.listList)).to.equal("[[1, 2], []]");
      expect(String(struct.uInt8List)).to.equal("[]");
      expect(struct.int8List.join("-"), "join stays that of arrays").to.equal("1--2");
    }
    expect(String(root.anyField.as("AnyList").structs)).to.equal("[]");
    expectError("CAPNP_TYPE", () => toText(5 as never));
  });

  it("of a union has the member that is there, its default value too", () => {
    const root = parity.UnionLayout.newMessage();
    root.ideal.i16 = 0;
    root.worst.t0 = "foo";
    root.left.b = false;
    root.right.b = true;
    expect(String(root.ideal)).to.equal("(i16 = 0)");
    expect(String(root.worst)).to.equal('(t0 = "foo")');
    expect(String(root.left)).to.equal("(b = false)");
    expect(String(root.right)).to.equal("(b = true)");
  });

  it("of an unnamed union stands among the other fields", () => {
    const root = parity.Unnamed.newMessage({ large: 123 });
    expect(String(root)).to.equal("(middle = 0, large = 123)");
    root.after = "foooooooooooooooooooooooooooooooo";
    root.before = "before";
    expect(pretty(root)).to.equal(
      '( before = "before",\n  middle = 0,\n  large = 123,\n  after = "foooooooooooooooooooooooooooooooo" )',
    );
  });

  it("takes a line for each element of a list, and each member of a struct, where one line would be long", () => {
    const root = parity.Lists.newMessage();
    root.numbers = [
      [123, 456, 789, 1234567890],
      [234, 567, 891, 1234567890],
    ];
    const lines = "[123, 456, 789, 1234567890],\n";
    expect(pretty(root.numbers)).to.equal(`[ ${lines}  [234, 567, 891, 1234567890] ]`);
    expect(pretty(root)).to.equal(`( numbers = [\n    ${lines}    [234, 567, 891, 1234567890] ] )`);
    root.list8 = [{ f: 12 }, { f: 34 }];
    expect(pretty(root)).to.match(/^\( list8 = \[\(f = 12\), \(f = 34\)\],\n {2}numbers = \[\n/);
    const nested = parity.TextOrStruct.newMessage();
    nested.un.init("struct");
    expect(pretty(nested)).to.equal("(un = (struct = ()))");
    nested.un.struct.some = "some text of a length";
    expect(pretty(nested)).to.equal('( un = (\n    struct = (\n      some = "some text of a length" ) ) )');
    const inline = parity.Inline.newMessage({ text: "foo", list: [{ number: 123, text: "bar" }, { number: 456 }] });
    expect(pretty(inline)).to.equal(
      '( text = "foo",\n  list = [\n    (number = 123, text = "bar"),\n    (number = 456) ] )',
    );
  });

  it("of numbers, Text and enumerants is what the schema language reads", () => {
    const root = AllTypes.newMessage({ float64Field: 123e45, textField: '\x07\b\n\t"', enumField: 123, int8Field: -5 });
    const text = String(root);
    for (const part of [
      "float64Field = 1.23e47",
      'textField = "\\a\\b\\n\\t\\""',
      "enumField = (123)",
      "int8Field = -5",
    ]) {
      expect(text).to.include(part);
    }
    expect(AllTypes.fromText(text).toObject()).to.deep.equal(root.toObject());
  });

  it("of a generic struct has its type arguments' values", () => {
    const OfText = GenericMap.of("Text", AllTypes);
    const map = OfText.newMessage({ entries: [{ key: "foo", value: { int8Field: 1 } }], fallback: {} });
    expect(String(map)).to.match(/^\(entries = \[\(key = "foo", value = \(.*int8Field = 1/);
    expect(OfText.fromText(String(map)).entries[0].key).to.equal("foo");
  });

  const converting: readonly ((one: Loose) => unknown)[] = [
    (one) => JSON.stringify(one),
    (one) => one.toObject(),
    (one) => one.toObject({ defaults: true }),
  ];

  it("of default values that hold themselves has an end, in readers and builders, and so have JSON and plain objects", () => {
    const { Endless } = parity;
    for (const struct of [Endless.newMessage().asReader(), received(Endless.newMessage()), Endless.newMessage()]) {
      expect(String(struct), "a member that was never set is not printed").to.equal("()");
      for (const convert of converting) expectError("CAPNP_NESTING_LIMIT", () => convert(struct));
    }
  });

  it("of default values that double at each of many levels has a limit, and so have JSON and plain objects", () => {
    // Not endless: 30 levels of two elements each, so that no nesting limit stops it.
    const levels = Array.from(
      { length: 30 },
      (_, i) => `struct L${i} { union { m @0 :List(L${i + 1}) = [(), ()]; n @1 :Void; } }`,
    );
    const { L0 } = parseLoosely(`${levels.join("\n")}\nstruct L30 { x @0 :UInt8; }`);
    const limited = readAs(L0, segmentsOf(L0.newMessage()), { traversalLimitInWords: 10_000 });
    for (const struct of [L0.newMessage(), limited]) {
      expect(String(struct)).to.equal("()");
      for (const convert of converting) expectError("CAPNP_TRAVERSAL_LIMIT", () => convert(struct));
    }
  });

  it("is read back, of all types and of default values, on one line and on many", () => {
    const values = {
      int8Field: 1,
      textField: "t",
      structList: [{ int64Field: 5n }],
      float32List: [1.5],
      enumField: "blue",
    };
    for (const type of [AllTypes, Defaults]) {
      const root = type.newMessage(type === AllTypes ? values : { int8Field: 1, textField: "t", intList: [5] });
      for (const text of [String(root), pretty(root)])
        expect(type.fromText(text).toObject()).to.deep.equal(root.toObject());
    }
    const lists = parity.ListDefaults.newMessage({ lists: parity.ListDefaults.newMessage().asReader().lists });
    expect(parity.ListDefaults.fromText(pretty(lists)).toObject()).to.deep.equal(lists.toObject());
  });

  it("may be written by hand, with comments and commas behind the last", () => {
    const root = parity.Late.fromText(`(
      a = -123, b = "bar", c = 456,
      # a comment
      first = ( text = "qux" ),
      second = ( list = [ 7, 8, 9, ] ),
    )`);
    expect(root.toObject()).to.deep.equal({
      a: -123,
      b: "bar",
      c: 456,
      first: { text: "qux" },
      second: { list: [7, 8, 9] },
    });
    expectError("CAPNP_PARSE", () => parity.Late.fromText("\n  (,)"), /^2:4: /);
    expectError("CAPNP_PARSE", () => parity.Late.fromText("(a = 1,, c = 2)"));
  });

  describe("compared with C++", function () {
    this.timeout(60_000);
    let capnp: CapnpTool;
    before(async function () {
      capnp = await capnpTool.call(this);
    });

    it("is the same for unions, groups, small lists, inline structs and generics, on one line and on many", () => {
      const layout = parity.UnionLayout.newMessage();
      layout.worst.t0 = "foo";
      layout.right.b = true;
      for (const [name, message] of [
        ["UnionLayout", layout],
        ["Unnamed", parity.Unnamed.newMessage({ large: 5, after: "a long text that needs a line" })],
        ["Groups", parity.Groups.newMessage({ choice: { three: { number: 1, other: "o" } } })],
        ["Interleaved", parity.Interleaved.newMessage({ one: { d: { e: 1n, h: "x" } } })],
        ["Lists", parity.ListDefaults.newMessage().lists.copy()],
        ["Inline", parity.Inline.newMessage({ list: [{ text: "a" }, { text: "a longer text than fits" }] })],
        ["TextOrStruct", parity.TextOrStruct.newMessage({ un: { struct: { some: "s", more: "m" } } })],
        ["UsesPair", parity.UsesPair.newMessage({ basic: { a: { int8Field: 1 } }, outer: { c: "text" } })],
        ["HoldsEmpty", parity.HoldsEmpty.newMessage({ struct: {}, list: [{}, {}], ints: [] })],
      ] as const) {
        const theirs = (...flags: string[]) =>
          capnp(["convert", "--quiet", ...flags, "binary:text", schemaFile, name], message.toBytes()).toString();
        expect(`${pretty(message)}\n`).to.equal(theirs());
        expect(`${message}\n`).to.equal(theirs("--short"));
      }
    });
  });
});
