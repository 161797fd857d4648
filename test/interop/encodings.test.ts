import { expect } from "chai";
import fc from "fast-check";
import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { encodeFrame, frameHeader } from "../../lib/serialization/framing.ts";
import { readMessagesOf } from "../../lib/serialization/message-stream.ts";
import { packPieces } from "../../lib/serialization/packed.ts";
import type { StructClass } from "../../lib/schema/struct-class.ts";
import { type ArbitraryOptions, arbitraryStruct } from "../support/arbitrary.ts";
import { type CapnpTool, capnpTool } from "../support/capnp-tool.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";

const schemaFile = "test/fixtures/all-types.capnp";
const types = loadLoosely(schemaFile);

/** Set CAPSTAN_SEED to the seed that a failure prints to see it again. */
const seed = Number(process.env.CAPSTAN_SEED ?? 20260704);

/** Several messages at a time, as starting the tool takes longer than anything that it does. */
const forAll = (type: StructClass, options: ArbitraryOptions, check: (messages: Loose[]) => void): void => {
  const messages = fc
    .array(arbitraryStruct(type.schema, options), { minLength: 1, maxLength: 12 })
    .map((values) => values.map((value) => type.newMessage(value)));
  fc.assert(
    fc.property(messages, (built) => check(built)),
    { seed, numRuns: 15 },
  );
};

const stream = (messages: readonly Loose[]): Buffer => Buffer.concat(messages.map((one) => one.toBytes()));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const canonicalForms = (messages: readonly Loose[]): string[] => messages.map((one) => hex(canonicalize(one)));

describe("the encodings of messages, compared with C++", function () {
  this.timeout(120_000);
  let capnp: CapnpTool;
  before(async function () {
    capnp = await capnpTool.call(this);
  });

  const convert = (formats: string, name: string, input: Uint8Array | string, ...flags: string[]): Buffer =>
    capnp(["convert", "--quiet", ...flags, formats, schemaFile, name], input);

  for (const name of ["AllTypes", "Defaults", "Shapes"]) {
    const type = types[name];
    const deep = { depth: 3, unknownEnumerants: true };
    const readable = { depth: 3, readableByCpp: true };

    describe(`of ${name}`, () => {
      it("are packed to the bytes that C++ packs them to", () => {
        forAll(type, deep, (messages) => {
          const packed = convert("binary:packed", name, stream(messages));
          const segments = [...readMessagesOf(packed, "packed")];
          expect(segments).to.have.length(messages.length);
          const again = segments.map((one) => packPieces([frameHeader(one), ...one]));
          expect(hex(Buffer.concat(again))).to.equal(hex(packed));
          const read = [...type.readMultipleBytesPacked(packed)];
          expect(canonicalForms(read)).to.deep.equal(canonicalForms(messages));
        });
      });

      it("are unpacked by C++ to what was packed", () => {
        forAll(type, deep, (messages) => {
          const packed = Buffer.concat(messages.map((one) => one.toBytesPacked()));
          const plain = convert("packed:binary", name, packed);
          const read = [...type.readMultipleBytes(plain)];
          expect(canonicalForms(read)).to.deep.equal(canonicalForms(messages));
        });
      });

      it("have the canonical form that C++ finds", () => {
        forAll(type, deep, (messages) => {
          for (const message of messages) {
            const canonical = convert("binary:canonical", name, message.toBytes());
            expect(hex(canonicalize(message))).to.equal(hex(canonical));
            expect(isCanonical([canonical])).to.equal(true);
          }
        });
      });

      it("read in C++ after they came in several segments", () => {
        forAll(type, deep, (messages) => {
          const scattered = messages.map((message) =>
            type.newMessage(message, { firstSegmentWords: 1, allocation: "fixed" }),
          );
          const read = [...type.readMultipleBytes(convert("binary:binary", name, stream(scattered)))];
          expect(canonicalForms(read)).to.deep.equal(canonicalForms(messages));
        });
      });

      it("print as C++ prints them, in lines and in one", () => {
        forAll(type, deep, (messages) => {
          const pretty = messages.map((one) => `${one.toText({ pretty: true })}\n`).join("");
          expect(pretty).to.equal(convert("binary:text", name, stream(messages)).toString());
          const short = messages.map((one) => `${String(one)}\n`).join("");
          expect(short).to.equal(convert("binary:text", name, stream(messages), "--short").toString());
        });
      });

      it("are read from their text by C++ and here alike", () => {
        forAll(type, readable, (messages) => {
          for (const message of messages) {
            const text = message.toText({ pretty: true });
            const form = hex(canonicalize(message));
            expect(hex(convert("text:canonical", name, text))).to.equal(form);
            expect(hex(canonicalize(type.fromText(text)))).to.equal(form);
          }
        });
      });

      it("have the JSON that C++ writes", () => {
        forAll(type, deep, (messages) => {
          const lines = convert("binary:json", name, stream(messages), "--short").toString().trimEnd().split("\n");
          expect(lines.map((line) => JSON.parse(line))).to.deep.equal(
            messages.map((one) => JSON.parse(JSON.stringify(one))),
          );
        });
      });

      it("are read from their JSON by C++ and here alike", () => {
        forAll(type, { ...readable, unknownEnumerants: true }, (messages) => {
          for (const message of messages) {
            const json = JSON.stringify(message);
            const there = convert("json:canonical", name, json);
            expect(hex(there)).to.equal(hex(canonicalize(type.fromJSON(json))));
          }
        });
      });
    });
  }

  it("obey the annotations of json.capnp as C++ does", () => {
    const annotated = "test/fixtures/json-annotations.capnp";
    const { Annotated } = loadLoosely(annotated);
    forAll(Annotated, { depth: 3, readableByCpp: true }, (messages) => {
      for (const message of messages) {
        const form = hex(canonicalize(message));
        const json = JSON.stringify(message);
        const theirs = capnp(
          ["convert", "--quiet", "binary:json", annotated, "Annotated"],
          message.toBytes(),
        ).toString();
        expect(JSON.parse(json)).to.deep.equal(JSON.parse(theirs));
        expect(hex(canonicalize(Annotated.fromJSON(theirs)))).to.equal(
          hex(capnp(["convert", "--quiet", "json:canonical", annotated, "Annotated"], theirs)),
        );
        expect(hex(canonicalize(Annotated.fromJSON(json))), json).to.equal(form);
      }
    });
  });

  it("print an AnyPointer and a generic struct as C++ does", () => {
    const { AllTypes, UsesMap } = types;
    const message = AllTypes.newMessage();
    message.anyField.set("text");
    const maps = UsesMap.newMessage({ ages: { entries: [{ key: "k", value: { int8Field: 1 } }], fallback: {} } });
    for (const [name, one] of [
      ["AllTypes", message],
      ["UsesMap", maps],
    ] as const) {
      expect(`${one.toText({ pretty: true })}\n`).to.equal(convert("binary:text", name, one.toBytes()).toString());
    }
  });

  it("frame what C++ reads without a schema", () => {
    const message = types.AllTypes.newMessage({ textList: ["a", "b"] });
    const frame = encodeFrame(message.toSegments());
    expect(hex(capnp(["convert", "--quiet", "binary:canonical"], frame))).to.equal(hex(canonicalize(message)));
  });
});
