import { expect } from "chai";
import { formatFloat32, formatFloat64 } from "../../lib/schema/float-text.ts";
import { expectError } from "../support/errors.ts";
import { loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";

const { AllTypes, Defaults, Names, Shapes } = loadLoosely("test/fixtures/all-types.capnp");
const { AddressBook, Person } = loadLoosely("servers/addressbook/addressbook.capnp");

describe("the text of a struct", () => {
  it("is what C++ prints, on one line", () => {
    const alice = Person.newMessage({
      id: 123,
      name: "Alice",
      email: "alice@example.com",
      phones: [{ number: "555-1212", type: "mobile" }],
      employment: { school: "MIT" },
    });
    expect(String(alice)).to.equal(
      '(id = 123, name = "Alice", email = "alice@example.com", phones = [(number = "555-1212", type = mobile)], employment = (school = "MIT"))',
    );
    expect(`${alice.asReader()}`).to.equal(String(alice));
    const names = Names.newMessage({ toString: "a field" });
    expect(String(names)).to.include('toString = "a field"');
  });

  it("takes a line for each member where one would be long", () => {
    const book = AddressBook.newMessage({ people: [{ id: 1, name: "Bob", email: "bob@example.com" }, { id: 2 }] });
    expect(book.toText({ pretty: true })).to.equal(
      [
        "( people = [",
        "    ( id = 1,",
        '      name = "Bob",',
        '      email = "bob@example.com",',
        "      employment = (unemployed = void) ),",
        "    ( id = 2,",
        "      employment = (unemployed = void) ) ] )",
      ].join("\n"),
    );
  });

  it("escapes quotes and control characters in Text, and all but ASCII in Data", () => {
    const message = Shapes.newMessage({ label: "\"'\\\n\t\0\x1f\x7fé€😀" });
    expect(String(message)).to.include(`label = "\\"\\'\\\\\\n\\t\\000\\037\\177é€😀"`);
    const { dataField } = AllTypes.fromText(
      String(AllTypes.newMessage({ dataField: new Uint8Array([0, 255, 65, 10]) })),
    );
    expect([...dataField]).to.deep.equal([0, 255, 65, 10]);
  });

  it("says what has no text: capabilities and AnyPointers", () => {
    const { Holder } = parseLoosely("interface Cap {} struct Holder { cap @0 :Cap; any @1 :AnyPointer; }");
    const message = words([0, 2 << 16], [3, 0], [0xfffffffc, 0]);
    expect(String(readAs(Holder, [message]))).to.equal("(cap = <external capability>, any = <opaque pointer>)");
    expect(String(Holder.newMessage())).to.equal("()");
  });

  it("has an enumerant that its schema does not know as its number", () => {
    const text = String(AllTypes.newMessage({ enumField: 99 }));
    expect(text).to.include("enumField = (99)");
    expect(AllTypes.fromText(text).enumField).to.equal(99);
  });

  it("is limited by the reader's limits", () => {
    const voids = words([0, 1 << 16], [1, (0x1fffffff << 3) >>> 0]);
    const { Voids } = parseLoosely("struct Voids { list @0 :List(Void); }");
    expectError("CAPNP_TRAVERSAL_LIMIT", () => String(readAs(Voids, [voids])));
  });
});

describe("floating-point numbers as text", () => {
  const doubles: readonly (readonly [number, string])[] = [
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [-1.5, "-1.5"],
    [0.1, "0.1"],
    [1 / 3, "0.33333333333333331"],
    [1e15, "1e15"],
    [999999999999999, "999999999999999"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [-1.23e47, "-1.23e47"],
    [5e-324, "4.94065645841247e-324"],
    [Number.MAX_VALUE, "1.7976931348623157e308"],
    // Half-way between two texts of 17 digits: C takes the even one.
    [2 ** 50 + 0.25, "1125899906842624.2"],
    [2 ** 50 + 0.75, "1125899906842624.8"],
    [Number.NaN, "nan"],
    [Number.POSITIVE_INFINITY, "inf"],
    [Number.NEGATIVE_INFINITY, "-inf"],
  ];
  for (const [value, text] of doubles) {
    it(`writes ${text} as C++ does`, () => {
      expect(formatFloat64(value)).to.equal(text);
    });
  }

  it("writes a Float32 with as many digits as it needs", () => {
    expect([0.1, 1e10, 123456789, 16777216, 2 ** -149].map((one) => formatFloat32(Math.fround(one)))).to.deep.equal([
      "0.1",
      "1e10",
      "1.2345679e08",
      "16777216",
      "1.4012985e-45",
    ]);
    const needsNine = Math.fround(8589973.5);
    expect(Math.fround(Number(formatFloat32(needsNine)))).to.equal(needsNine);
  });
});

describe("a struct read from text", () => {
  it("may have comments, escapes, hexadecimal and octal numbers, and bytes", () => {
    const message = AllTypes.fromText(
      `
      # a comment
      ( int8Field = -0x7f, uInt16Field = 017, float64Field = -inf, float32List = [1, 2.5, nan],
        textField = "a\\x41\\102\\n\\u{}",  dataField = 0x"00 ff", enumField = blue, voidList = [void, void],
        uInt64Field = 18446744073709551615 ) # the end`.replace("\\u{}", ""),
    );
    expect(message.toObject()).to.deep.include({
      int8Field: -127,
      uInt16Field: 15,
      float64Field: Number.NEGATIVE_INFINITY,
      float32List: [1, 2.5, Number.NaN],
      textField: "aAB\n",
      dataField: new Uint8Array([0, 255]),
      enumField: "blue",
      voidList: [null, null],
      uInt64Field: 18446744073709551615n,
    });
  });

  it("is refused with its line and column where it is none", () => {
    expectError(
      "CAPNP_PARSE",
      () => AllTypes.fromText("(int8Field = 1,\n  int16Field = )"),
      /^2:16: .*AllTypes.int16Field/,
    );
    for (const text of [
      "",
      "(",
      "()x",
      "(int8Field)",
      '(textField = "a)',
      "(int8Field = 1.5)",
      "(textField = 5)",
      "(boolField = 1)",
      '(textField = "\\q")',
      '(dataField = 0x"0")',
      "(int8List = [1, 2)",
      "(anyField = 5)",
      "(int8Field = 1, int8Field = 2)",
    ]) {
      expectError("CAPNP_PARSE", () => AllTypes.fromText(text));
    }
    expectError("CAPNP_PARSE", () => Shapes.fromText('(label = "x", side = 5)'), "only one can be set");
    expectError("CAPNP_NO_SUCH_FIELD", () => AllTypes.fromText("(int8Feild = 1)"), "int8Field");
    expectError("CAPNP_NO_SUCH_ENUMERANT", () => AllTypes.fromText("(enumField = blu)"), "blue");
    expectError("CAPNP_RANGE", () => AllTypes.fromText("(int8Field = 128)"));
    expectError("CAPNP_TYPE", () => AllTypes.fromText(5));
  });

  it("cannot make its reader work for long or recurse without end", () => {
    expectError("CAPNP_NESTING_LIMIT", () => AllTypes.fromText("(structField = ".repeat(100_000)));
    const depth = (levels: number): string => `${"(structField = ".repeat(levels)}()${")".repeat(levels)}`;
    expect(AllTypes.fromText(depth(63)).structField.has("structField")).to.equal(true);
    expectError("CAPNP_NESTING_LIMIT", () => AllTypes.fromText(depth(64)));
    expectError("CAPNP_NESTING_LIMIT", () => AllTypes.fromText(depth(3), { nestingLimit: 3 }));
    expectError("CAPNP_PARSE", () => AllTypes.fromText(`(uInt64Field = ${"9".repeat(1_000_000)})`));
    const long = "\\n\\\\".repeat(500_000);
    expect(AllTypes.fromText(`(textField = "${long}")`).textField).to.have.length(1_000_000);
    expect(AllTypes.fromText(`${" \n".repeat(500_000)}()`).int8Field).to.equal(0);
  });

  it("has its defaults where the text says nothing", () => {
    expect(Defaults.fromText("()").toObject()).to.deep.equal(Defaults.newMessage().toObject());
  });
});
