import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { fromJSON } from "../../lib/schema/from-json.ts";
import { fromText } from "../../lib/schema/from-text.ts";
import { SchemaParser } from "../../lib/load.ts";
import { toObject } from "../../lib/schema/plain-object.ts";
import { withinBudget } from "../support/budget.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { AllTypes, refusal } from "./hostile-messages.ts";

/** Text and JSON from an enemy. */
const digits = "1".repeat(10_000_000);
const { Nested } = parseLoosely(
  "struct Nested { next @0 :Nested; list @1 :List(Nested); lists @2 :List(List(Int32)); }",
);

describe("a number of ten million digits", () => {
  // capnweb #184, #185: BigInt of such a text takes most of a second, and time that grows with the square of its length
  for (const field of [
    "int64Field",
    "uInt64Field",
    "int8Field",
    "uInt32Field",
    "float64Field",
    "enumField",
    "textField",
  ]) {
    it(`is refused at once by fromJSON for ${field}, as text and as a number`, () => {
      for (const value of [digits, `-${digits}`]) {
        const asText = `{"${field}":"${value}"}`;
        const use = (text: string) => () => {
          try {
            fromJSON(AllTypes, text);
          } catch (error) {
            expect(error).to.be.instanceOf(CapnpError);
          }
        };
        withinBudget(use(asText), { cpuMs: 300, heapBytes: 64 << 20, bufferBytes: 64 << 20 });
      }
      expect(refusal(() => fromJSON(AllTypes, `{"int64Field":"${digits}"}`)).message).to.have.length.below(400);
    });
  }

  it("is refused at once by fromText", () => {
    for (const text of [
      `(int64Field = ${digits})`,
      `(uInt64Field = -${digits})`,
      `(int8Field = 0x${digits})`,
      `(float64Field = 1.${digits}e${digits})`,
    ]) {
      withinBudget(
        () => {
          try {
            fromText(AllTypes, text);
          } catch (error) {
            expect(error).to.be.instanceOf(CapnpError);
            expect((error as Error).message).to.have.length.below(400);
          }
        },
        { cpuMs: 1500, heapBytes: 256 << 20, bufferBytes: 64 << 20 },
      );
    }
  });
});

describe("text and JSON that nest without end", () => {
  const many = 100_000;
  // capnweb #184: depth limit; capnproto #2608: recursion
  it("are refused at the nesting limit, whatever nests", () => {
    for (const text of [
      `${'{"next":'.repeat(many)}{}${"}".repeat(many)}`,
      `${'{"list":['.repeat(many)}${"]}".repeat(many)}`,
    ]) {
      withinBudget(() => expectError("CAPNP_NESTING_LIMIT", () => fromJSON(Nested, text)), {
        cpuMs: 500,
        heapBytes: 128 << 20,
      });
    }
    for (const text of [
      `${"(next = ".repeat(many)}()${")".repeat(many)}`,
      `${"(list = [".repeat(many)}${"])".repeat(many)}`,
      `(lists = ${"[".repeat(many)}${"]".repeat(many)})`,
      "(".repeat(many),
      `(next = ${"[".repeat(many)}`,
    ]) {
      withinBudget(
        () => {
          const { code, message } = refusal(() => fromText(Nested, text));
          expect(code).to.be.oneOf(["CAPNP_NESTING_LIMIT", "CAPNP_PARSE"]);
          expect(message).to.have.length.below(400);
        },
        { cpuMs: 500, heapBytes: 128 << 20 },
      );
    }
  });

  it("are refused where they are wide and not JSON or text at all", () => {
    for (const text of ["[".repeat(many), "{".repeat(many), '"'.repeat(many), "\\".repeat(many), "\0".repeat(many)]) {
      withinBudget(() => expect(refusal(() => fromJSON(Nested, text)).message).to.have.length.below(400), {
        cpuMs: 300,
        heapBytes: 64 << 20,
      });
      withinBudget(() => expect(refusal(() => fromText(Nested, text)).message).to.have.length.below(400), {
        cpuMs: 300,
        heapBytes: 64 << 20,
      });
    }
  });

  it("are read in time that grows with their length, whatever characters they repeat", () => {
    // protobufjs CVE-2018-3738: a regular expression that backtracks
    for (const piece of [" ", "#", "a", "a.", "1", "1e", "'", "\\x", "=", ",", "-", "\t\n", "/*", "é"]) {
      const text = piece.repeat(Math.ceil(300_000 / piece.length));
      for (const whole of [
        text,
        `(textField = "${text}`,
        `(int64Field = ${text}`,
        `(${text}`,
        `(float64Field = 1${text})`,
      ]) {
        withinBudget(
          () => {
            try {
              fromText(AllTypes, whole);
            } catch (error) {
              expect(error).to.be.instanceOf(CapnpError);
            }
          },
          { cpuMs: 400, heapBytes: 128 << 20, bufferBytes: 8 << 20 },
        );
      }
      for (const name of ["float32Field", "int64Field", "dataField", "enumField"]) {
        withinBudget(
          () => {
            try {
              fromJSON(AllTypes, JSON.stringify({ [name]: text }));
            } catch (error) {
              expect(error).to.be.instanceOf(CapnpError);
            }
          },
          { cpuMs: 300, heapBytes: 64 << 20, bufferBytes: 8 << 20 },
        );
      }
    }
  });
});

describe("Data and Text of megabytes", () => {
  const { Plain, Hex, Base64 } = parseLoosely(`using Json = import "/capnp/compat/json.capnp";
    struct Plain { bytes @0 :Data; text @1 :Text; }
    struct Hex { bytes @0 :Data $Json.hex; }
    struct Base64 { bytes @0 :Data $Json.base64; }`);
  const size = 2 * 1024 * 1024;
  const bytes = new Uint8Array(size).fill(200);
  const budget = { cpuMs: 2000, heapBytes: 24 * size, bufferBytes: 4 * size };

  it("become text, hexadecimal and base64 in memory that is a few times their size", () => {
    const printed: readonly (readonly [Loose, (message: Loose) => string, number])[] = [
      [Plain.newMessage({ bytes }), (message) => message.toText(), 4],
      [Plain.newMessage({ text: "\x01".repeat(size) }), (message) => message.toText(), 4],
      [Hex.newMessage({ bytes }), (message) => JSON.stringify(message), 2],
      [Base64.newMessage({ bytes }), (message) => JSON.stringify(message), 4 / 3],
      [Plain.newMessage({ bytes }), (message) => message.toObject({ bytes: "base64" }).bytes, 4 / 3],
    ];
    for (const [message, print, factor] of printed) {
      expect(withinBudget(() => print(message), budget).length).to.be.within(factor * size, factor * size + 30);
    }
  });

  it("are read back from those", () => {
    const same = (message: Loose): boolean => Buffer.from(message.bytes).equals(bytes);
    for (const type of [Hex, Base64]) {
      const text = JSON.stringify(type.newMessage({ bytes }));
      expect(withinBudget(() => same(fromJSON(type, text)), { ...budget, bufferBytes: 8 * size })).to.equal(true);
    }
    const text = Plain.newMessage({ bytes }).toText();
    expect(same(fromText(Plain, text))).to.equal(true);
    for (const wrong of ["4", "4g", " 41", "0x41"]) {
      expectError("CAPNP_TYPE", () => fromJSON(Hex, JSON.stringify({ bytes: wrong })), "hexadecimal");
    }
    for (const wrong of ["=", "a", "#".repeat(8)]) {
      expectError("CAPNP_TYPE", () => fromJSON(Base64, JSON.stringify({ bytes: wrong })), "base64");
    }
  }).timeout(20_000);
});

describe("JSON with the names of what JavaScript objects have", () => {
  const names = ["__proto__", "constructor", "prototype", "toString", "valueOf", "hasOwnProperty", "then", "toJSON"];

  // protobufjs CVE-2022-25878, CVE-2023-36665, CVE-2026-44292; capnweb 0.10.0
  it("pollutes no prototype and sets no field that the schema does not have", () => {
    for (const name of names) {
      for (const value of ['{"polluted":true}', '"x"', "1", "[1]", "null"]) {
        const message = fromJSON(AllTypes, `{"${name}":${value},"int8Field":1}`);
        expect(toObject(message)).to.include({ int8Field: 1 });
        const nested = `{"structField":{"${name}":${value}},"structList":[{"${name}":${value}}]}`;
        expect((fromJSON(AllTypes, nested) as Loose).structList).to.have.lengthOf(1);
      }
    }
    expect(({} as Loose).polluted).to.equal(undefined);
    expect(Object.getOwnPropertyNames(Object.prototype)).to.not.include("polluted");
  });

  it("is refused by newMessage, which takes own properties of known names only", () => {
    for (const name of names) {
      const init = JSON.parse(`{"${name}":{"polluted":true}}`);
      expectError("CAPNP_NO_SUCH_FIELD", () => AllTypes.newMessage(init), name);
    }
    expect(({} as Loose).polluted).to.equal(undefined);
  });

  it("gives no value to an enum, a union or a field by a name from a prototype", () => {
    for (const name of names) {
      expectError("CAPNP_NO_SUCH_ENUMERANT", () => AllTypes.newMessage({ enumField: name }));
      expectError("CAPNP_NO_SUCH_FIELD", () => AllTypes.newMessage().init(name));
      expectError("CAPNP_NO_SUCH_FIELD", () => AllTypes.newMessage().has(name));
      expectError("CAPNP_NO_SUCH_FIELD", () => AllTypes.newMessage().set(name, 1));
    }
  });

  it("may be names of files, imports and declarations, which are found in no prototype", () => {
    for (const name of names) {
      const file = `${name}.capnp`;
      expect(() =>
        new SchemaParser().parse(`@0xd3d3d3d3d3d3d3d3; using X = import "${name}"; struct S { a @0 :X.Y; }`, file),
      ).to.throw("Import failed");
      if (!name.startsWith("_")) {
        expect(() => parseLoosely(`struct S { a @0 :${name}; }`)).to.throw("Not defined");
      }
    }
  });
});
