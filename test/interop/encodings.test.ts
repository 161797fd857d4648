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

  /**
   * What the tool makes of several texts. It finds the end of each by its brackets and takes `#` for the begin of a comment, even
   * in a string; texts on which it fails together are converted apart.
   */
  const convertEach = (formats: string, name: string, texts: readonly string[]): Buffer => {
    try {
      return convert(formats, name, texts.join("\n"));
    } catch (error) {
      if (texts.length === 1) throw error;
      const half = texts.length >> 1;
      const halves = [texts.slice(0, half), texts.slice(half)];
      return Buffer.concat(halves.map((some) => convertEach(formats, name, some)));
    }
  };

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
          // Written one after the other, without frames.
          const forms = messages.map((one) => canonicalize(one));
          expect(hex(convert("binary:canonical", name, stream(messages)))).to.equal(hex(Buffer.concat(forms)));
          for (const form of forms) expect(isCanonical([form])).to.equal(true);
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
          const texts = messages.map((one) => one.toText({ pretty: true }));
          const forms = canonicalForms(messages);
          expect(hex(convertEach("text:canonical", name, texts))).to.equal(forms.join(""));
          expect(canonicalForms(texts.map((text) => type.fromText(text)))).to.deep.equal(forms);
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
          const jsons = messages.map((one) => JSON.stringify(one));
          const here = canonicalForms(jsons.map((json) => type.fromJSON(json)));
          expect(hex(convertEach("json:canonical", name, jsons))).to.equal(here.join(""));
        });
      });
    });
  }

  it("obey the annotations of json.capnp as C++ does", () => {
    const annotated = "test/fixtures/json-annotations.capnp";
    const { Annotated } = loadLoosely(annotated);
    forAll(Annotated, { depth: 3, readableByCpp: true }, (messages) => {
      const annotatedBy = (formats: string, input: Uint8Array | string, ...flags: string[]): Buffer =>
        capnp(["convert", "--quiet", ...flags, formats, annotated, "Annotated"], input);
      const ours = messages.map((one) => JSON.stringify(one));
      const theirs = annotatedBy("binary:json", stream(messages), "--short").toString().trimEnd().split("\n");
      expect(ours.map((one) => JSON.parse(one))).to.deep.equal(theirs.map((one) => JSON.parse(one)));
      const read = canonicalForms(theirs.map((one) => Annotated.fromJSON(one)));
      const canonical = theirs.map((one) => annotatedBy("json:canonical", one));
      expect(read.join("")).to.equal(hex(Buffer.concat(canonical)));
      expect(canonicalForms(ours.map((one) => Annotated.fromJSON(one)))).to.deep.equal(canonicalForms(messages));
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
