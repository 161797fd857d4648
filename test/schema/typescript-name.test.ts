import { expect } from "chai";
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
});
