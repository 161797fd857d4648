import { expect } from "chai";
import { expectError } from "../support/errors.ts";
import { loadLoosely, parseLoosely } from "../support/loose.ts";
import { readAs, words } from "../support/messages.ts";

const { AllTypes, Names, Shapes } = loadLoosely("test/fixtures/all-types.capnp");
const { Annotated } = loadLoosely("test/fixtures/json-annotations.capnp");

describe("the JSON of a struct", () => {
  it("says 64-bit integers, NaN and the infinities as text, Data as numbers and Void as null", () => {
    const message = AllTypes.newMessage({
      int64Field: -5n,
      uInt64List: [18446744073709551615n],
      float64List: [1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
      dataField: new Uint8Array([1, 255]),
      enumList: ["blue", 77],
    });
    const json = JSON.parse(JSON.stringify(message));
    expect(json).to.deep.include({
      voidField: null,
      int64Field: "-5",
      uInt64List: ["18446744073709551615"],
      float64List: [1.5, "NaN", "Infinity", "-Infinity"],
      dataField: [1, 255],
      enumList: ["blue", 77],
    });
    expect(json).to.not.have.property("textField");
    expect(AllTypes.fromJSON(JSON.stringify(message)).toObject()).to.deep.equal(message.toObject());
    expect(JSON.stringify(message.uInt64List)).to.equal('["18446744073709551615"]');
  });

  it("has the active member of a union, and no other", () => {
    expect(JSON.parse(JSON.stringify(Shapes.newMessage({ box: { width: 1 } })))).to.deep.equal({
      before: 0,
      box: { width: 1, height: 0 },
      place: { x: -1, y: 0 },
    });
    expect(Shapes.fromJSON('{"label": "x"}').which()).to.equal("label");
    expect(Shapes.fromJSON('{"box": {}}').which()).to.equal("box");
  });

  it("keeps fields with names that objects have meanings for", () => {
    const { Odd } = parseLoosely("struct Odd { constructor @0 :Text; valueOf @1 :Text; }");
    const text = '{"constructor":"a","valueOf":"b"}';
    expect(JSON.stringify(Odd.fromJSON(text))).to.equal(text);
    expect(Names.fromJSON('{"then":"t","class":1}').toObject === undefined).to.equal(false);
  });

  it("leaves out capabilities and AnyPointers", () => {
    const { Holder } = parseLoosely("interface Cap {} struct Holder { cap @0 :Cap; any @1 :AnyPointer; n @2 :Int8; }");
    const message = words([0, 1 | (2 << 16)], [5, 0], [3, 0], [0xfffffffc, 0]);
    expect(JSON.stringify(readAs(Holder, [message]))).to.equal('{"n":5}');
    expectError("CAPNP_TYPE", () => Holder.fromJSON('{"cap": {}}'), "no form in JSON");
  });

  it("is shaped by the annotations of json.capnp", () => {
    const message = Annotated.newMessage({
      someField: "s",
      aGroup: { flatFoo: 1, flatBaz: { hello: true } },
      prefixed: { foo: "f", more: { deep: 2 } },
      aUnion: { bar: { barMember: 3, multiMember: "m" } },
      withValue: { text: "v" },
      base64Field: new Uint8Array([1, 2, 3]),
      hexField: new Uint8Array([171]),
      color: "green",
      nested: { c: null },
      list: [{ b: "x", d: 1 }],
    });
    const json = {
      "names-can_contain!anything Really": "s",
      flatFoo: 1,
      "renamed-flatBaz": { hello: true },
      "pfx.foo": "f",
      "pfx.xfp.deep": 2,
      "union-type": "renamed-bar",
      barMember: 3,
      multiMember: "m",
      withValue: { kind: "text", value: "v" },
      base64Field: "AQID",
      hexField: "ab",
      color: "GREEN",
      nested: { d: 0, tag: "c" },
      list: [{ d: 1, tag: "renamed-b", "renamed-b": "x" }],
    };
    expect(JSON.parse(JSON.stringify(message))).to.deep.equal(json);
    expect(Annotated.fromJSON(JSON.stringify(json)).toObject()).to.deep.equal(message.toObject());
  });

  it("may have the tag of a union behind its members, and a tag without members", () => {
    expect(Annotated.fromJSON('{"nested": {"a": 5, "tag": "a"}}').nested.a).to.equal(5);
    expect(Annotated.fromJSON('{"nested": {"tag": "renamed-b"}}').nested.which()).to.equal("b");
    expect(Annotated.fromJSON('{"union-type": "nothing"}').aUnion.which()).to.equal("nothing");
  });
});

describe("a struct read from JSON", () => {
  it("ignores members that it does not have, and takes numbers as text", () => {
    const message = AllTypes.fromJSON(
      '{"nothing": [[[]]], "__proto__": {"int8Field": 9}, "int8Field": "7", "float32Field": "1e3"}',
    );
    expect([message.int8Field, message.float32Field]).to.deep.equal([7, 1000]);
  });

  it("takes null for what is not there", () => {
    const message = AllTypes.fromJSON(
      '{"textField": null, "structField": null, "int8List": null, "dataField": null, "float64Field": null}',
    );
    expect(message.has("textField") || message.has("structField") || message.has("int8List")).to.equal(false);
    expect(message.float64Field).to.deep.equal(Number.NaN);
  });

  it("is refused where it is not JSON, or not of its types", () => {
    for (const text of ["", "{", "(int8Field = 1)"]) expectError("CAPNP_PARSE", () => AllTypes.fromJSON(text));
    for (const text of [
      "[]",
      "null",
      '{"int8Field": true}',
      '{"int8List": 5}',
      '{"structField": []}',
      '{"dataField": [256]}',
      '{"dataField": "AQ=="}',
      '{"textField": 5}',
      `{"uInt64Field": "${"9".repeat(100)}"}`,
    ]) {
      expectError("CAPNP_TYPE", () => AllTypes.fromJSON(text));
    }
    expectError("CAPNP_RANGE", () => AllTypes.fromJSON('{"int8Field": 128}'));
    expectError("CAPNP_RANGE", () => AllTypes.fromJSON('{"uInt64Field": "99999999999999999999"}'));
    expectError("CAPNP_NO_SUCH_ENUMERANT", () => AllTypes.fromJSON('{"enumField": "blu"}'));
    expectError("CAPNP_TYPE", () => Annotated.fromJSON('{"hexField": "abc"}'), "hexadecimal");
    expectError("CAPNP_TYPE", () => Annotated.fromJSON('{"base64Field": "*"}'), "base64");
  });

  it("cannot nest without end", () => {
    const depth = (levels: number): string => `${'{"structField":'.repeat(levels)}{}${"}".repeat(levels)}`;
    expectError("CAPNP_NESTING_LIMIT", () => AllTypes.fromJSON(depth(100)));
    expect(AllTypes.fromJSON(depth(100), { nestingLimit: 200 }).has("structField")).to.equal(true);
    expectError("CAPNP_NESTING_LIMIT", () => AllTypes.fromJSON(depth(3), { nestingLimit: 3 }));
  });
});
