import { expect } from "chai";
import { expectError } from "../support/errors.ts";
import { parseLoosely } from "../support/loose.ts";
import { received } from "../support/messages.ts";

describe("a field or method that /capstan/typescript.capnp renames", () => {
  const { Calls, Things } = parseLoosely(`
    using TypeScript = import "/capstan/typescript.capnp";
    struct Things {
      delete @0 :Text $TypeScript.name("removed");
      union { toObject @1 :Text $TypeScript.name("object"); other @2 :Void; }
      place :group $TypeScript.name("where") { x @3 :UInt8 $TypeScript.name("left"); }
    }
    interface Calls {
      then @0 (class :Text $TypeScript.name("kind")) -> (class :Text) $TypeScript.name("andThen");
    }`);

  it("has the other name in readers, builders, plain objects and unions", () => {
    const things = Things.newMessage({ removed: "r", object: "o", where: { left: 5 } });
    expect([things.removed, things.delete, things.which(), things.where.left]).to.deep.equal([
      "r",
      undefined,
      "object",
      5,
    ]);
    expect(received(things).toObject()).to.deep.equal({ removed: "r", object: "o", where: { left: 5 } });
    expect(Things.schema.field("removed").node.name).to.equal("delete");
  });

  it("keeps its own name as text and as JSON", () => {
    const things = Things.newMessage({ removed: "r", object: "o", where: { left: 5 } });
    expect(things.toText()).to.equal('(delete = "r", toObject = "o", place = (x = 5))');
    expect(Things.fromText(things.toText()).toObject()).to.deep.equal(things.toObject());
    const json = '{"delete":"r","toObject":"o","place":{"x":5}}';
    expect(JSON.stringify(things)).to.equal(json);
    expect(Things.fromJSON(json).toObject()).to.deep.equal(things.toObject());
  });

  it("is called and served by the other name", async () => {
    class Impl extends Calls.Server {
      andThen({ kind }: { kind: string }) {
        return { class: `${kind}!` };
      }
    }
    const client = new Calls.Client(new Impl());
    expect((await client.andThen({ kind: "k" })).class).to.equal("k!");
    client.release();
  });

  it("cannot take the name of another, nor one of the library's own", () => {
    const struct = (name: string) =>
      `using TypeScript = import "/capstan/typescript.capnp";
      struct Things { a @0 :Text $TypeScript.name("${name}"); b @1 :Text; c @2 :Text $TypeScript.name("a"); }`;
    expectError(
      "CAPNP_SCHEMA",
      () => parseLoosely(struct("b")).Things,
      'Things has two members that are called "b" in TypeScript',
    );
    expectError(
      "CAPNP_SCHEMA",
      () => parseLoosely(struct("$segment")).Things,
      'Things has a member that is called "$segment"',
    );
    expect(parseLoosely(struct("d")).Things.newMessage({ d: "1", b: "2", a: "3" }).toText()).to.equal(
      '(a = "1", b = "2", c = "3")',
    );
  });
});

describe("a param whose name begins with an underscore, as C++ takes it", () => {
  const { Calls } = parseLoosely(`
    interface Calls {
      call @0 (_segment :Text, __proto__ :Text, _calls :Calls) -> (_place :Text, _self :Calls);
    }`);

  it("is a name as any other, in params, results and pipelines", async () => {
    class Impl extends Calls.Server {
      call({ _segment, _calls }: { _segment: string; _calls: unknown }) {
        return { _place: `${_segment}!`, _self: _calls ?? this };
      }
    }
    const client = new Calls.Client(new Impl());
    const promise = client.call({ _segment: "s" });
    const again = await promise._self.call({ _segment: "again" });
    expect([(await promise)._place, again._place]).to.deep.equal(["s!", "again!"]);
    client.release();
  });
});
