import { expect } from "chai";
import { builderMethods, readerMethods, unionMethods } from "../../lib/codegen/struct-types.ts";
import { interfaceMembers, structMembers } from "../../lib/codegen/file-types.ts";
import { clientMethods } from "../../lib/codegen/interface-types.ts";
import * as capnp from "../../lib/index.ts";
import { sharedLoader } from "../../lib/schema/shared-loader.ts";
import * as comments from "../fixtures/generated/comments.capnp.ts";
import * as everything from "../fixtures/generated/everything.capnp.ts";
import { Place } from "../fixtures/generated/imported.capnp.ts";
import * as names from "../fixtures/generated/names.capnp.ts";

const { Map: Dictionary, Node, Pointers, Scalars, Shape, Store } = everything;

describe("a generated module", () => {
  it("has the values of constants, the ids of annotations and the names of enums", () => {
    expect([everything.answer, everything.big, everything.greeting, everything.favorite]).to.deep.equal([
      42,
      9007199254740993n,
      "hello",
      "green",
    ]);
    expect([...everything.primes]).to.deep.equal([2, 3, 5]);
    expect(everything.magic).to.deep.equal(new Uint8Array([0xca, 0xfe]));
    expect(everything.label).to.equal(0xb5d2c6f0a1e39847n);
    expect(everything.origin.toObject()).to.deep.equal({ latitude: 1, longitude: 2 });
    expect(everything.Color.blue).to.equal("blue");
    expect(Shape.Fill.opaque.opacity).to.equal(1);
  });

  it("shares the classes of the modules that it imports", () => {
    expect(everything.origin).to.be.instanceOf(Place);
    const pointers = Pointers.newMessage({ place: { latitude: 5 } });
    expect(pointers.place).to.be.instanceOf(Place.Builder);
    expect(sharedLoader().get(Place.schema.id)).to.equal(Place.schema);
  });

  it("reads what it writes", () => {
    const written = Pointers.newMessage({
      text: "text",
      scalars: { int64: 5, color: "blue", weekday: "tuesday" },
      longs: [1, 2n],
      matrix: [[1], [], [2, 3]],
      structs: [{ bool: true }, {}],
      self: { any: Scalars.newMessage({ int8: 7 }) },
    });
    const read = Pointers.fromBytes(written.toBytes());
    expect([read.text, read.scalars.int64, read.scalars.weekday, [...read.longs]]).to.deep.equal([
      "text",
      5n,
      "tuesday",
      [1n, 2n],
    ]);
    expect(read.self.any.as(Scalars).int8).to.equal(7);
    expect(read.matrix.toObject()).to.deep.equal([[1], [], [2, 3]]);
    expect(read.toObject().structs?.map((one) => one.bool)).to.deep.equal([true, false]);
    expect(Pointers.newMessage(read.self.toObject()).any.as(Scalars).int8).to.equal(7);
  });

  it("tells the active member of a union", () => {
    const shape = Shape.newMessage({ parts: [{ fill: { color: "red" } }], area: { circle: 2 } });
    expect(shape.$which).to.equal("parts");
    expect(shape.is("parts") && shape.parts.at(0)?.which()).to.equal("fill");
    shape.area.init("rectangle").height = 3;
    expect(shape.toObject().area).to.deep.equal({ rectangle: { width: 0, height: 3 } });
  });

  it("binds the parameters of generic types", () => {
    const Ages = Dictionary.of(capnp.Text, Scalars);
    const ages = Ages.newMessage({ entries: [{ key: "Alice", value: { int8: 30 } }] });
    const entry = Ages.fromBytes(ages.toBytes()).entries.at(0);
    expect([entry?.key, entry?.value.int8]).to.deep.equal(["Alice", 30]);
    expect(Ages.Entry.newMessage({ key: "Bob" }).key).to.equal("Bob");
  });

  it("serves and calls interfaces, generic ones and inherited ones as well", async () => {
    class Shapes extends everything.Directory.Server {
      override get({ key }: everything.Store.GetParams.Reader<everything.Shape>) {
        return { value: { name: `shape ${key}`, hidden: null } };
      }
      override name() {
        return "a directory";
      }
      override open({ name }: everything.Directory.OpenParams.Reader) {
        return name === "" ? null : new Leaf(name);
      }
    }
    class Leaf extends Node.Server {
      readonly #name: string;
      constructor(name: string) {
        super();
        this.#name = name;
      }
      override stats(): [string, number] {
        return [this.#name, 5];
      }
      override find_context(context: everything.Node.FindContext) {
        context.results.init("result").missing = context.params.path.join("/");
      }
    }
    const directory = new everything.Directory.Client(new Shapes());
    expect((await directory.name()).name).to.equal("a directory");
    expect((await directory.get("a")).value.name).to.equal("shape a");
    const store = directory.castAs(Store.of(Shape));
    expect((await store.get({ key: "b" })).value.name).to.equal("shape b");
    const stats = await directory.open("leaf").node.stats();
    expect([stats.name, stats.size]).to.deep.equal(["leaf", 5n]);
    const request = directory.open({ name: "leaf" }).node.findRequest();
    request.path = ["a", "b"];
    const { result } = await request.send();
    expect(result.$which === "missing" && result.missing).to.equal("a/b");
    directory.release();
    store.release();
  });

  it("keeps text whose characters mean something in TypeScript", () => {
    expect(comments.text).to.equal(`*/ \` \${x} " \\ \u2028\0`);
    expect(comments.Comments.newMessage().b).to.equal(`*/ \` \${x} " \\ \u2028`);
    expect(comments.Marked.one).to.equal("one");
  });

  describe("of a schema with names that are ours or the language's", () => {
    it("has fields in place of methods, and free functions for those", () => {
      const promise = names.Promise.newMessage({ get: 1, set: 2, has: 3, copy: 4, totalSize: 5, toObject: "o" });
      expect([promise.get, promise.set, promise.has, promise.copy, promise.totalSize]).to.deep.equal([1, 2, 3, 4, 5]);
      expect(capnp.which(promise)).to.equal("which");
      promise.write = null;
      expect(promise.$which).to.equal("write");
      expect(capnp.get(promise, "toObject")).to.equal("o");
      const object = names.Object.newMessage({ constructor: "c", toString: "s", then: "t", delete: "d", class: "k" });
      expect([object.constructor, object.toString, object.then, object.delete]).to.deep.equal(["c", "s", "t", "d"]);
      expect(Object.entries(capnp.toObject(object) as object).sort()).to.deep.equal([
        ["class", "k"],
        ["constructor", "c"],
        ["delete", "d"],
        ["then", "t"],
        ["toString", "s"],
      ]);
    });

    it("calls nested declarations that would hide a member of the class by a name with an underscore", () => {
      expect(names.Array.Reader_.newMessage()).to.be.instanceOf(names.Array.Reader_);
      expect(names.Array.Builder_.newMessage().x).to.be.instanceOf(names.Array.Reader_.Builder);
      expect([names.Array.schema_, names.Array.newMessage_, names.Array.constructor]).to.deep.equal([1, 2, 3]);
      expect(names.Array.Init.newMessage().x).to.be.instanceOf(names.Array.Object);
      expect([names.Client.schema_, names.Client.valueOf_]).to.deep.equal([1, 2]);
      expect(names.Client.Server_.newMessage().x).to.be.instanceOf(names.Client.Client_.Builder);
    });

    it("calls and serves methods of such names", async () => {
      class Impl extends names.Client.Server {
        override then({ then }: names.Client.ThenParams.Reader) {
          return { then: then === "" ? null : this };
        }
        override catch() {
          return { catch: this, cancel: this };
        }
        override send({ send }: names.Client.SendParams.Reader) {
          return { send: `${send}!` };
        }
        override toString_context(context: names.Client.ToStringContext) {
          context.results.toString = "text";
        }
        override delete(params: names.Client.DeleteParams_.Reader) {
          return { class: { x: params.function.x } };
        }
      }
      const client = new names.Client.Client(new Impl());
      expect((await client.then_("x")).then).to.be.instanceOf(names.Client.Client);
      expect((await client.send("sent")).send).to.equal("sent!");
      expect((await client.toString()).toString).to.equal("text");
      const caught = await client.catch("x");
      expect([caught.catch === null, caught.finally === null]).to.deep.equal([false, true]);
      expect((await client.delete({ function: { x: { x: 5 } } })).class.x.x).to.equal(5);
      capnp.release(client);
    });

    it("exports constants under reserved names", () => {
      const { class: kind, default: first, delete: second, undefined: third } = names;
      expect([first, second, third, kind]).to.deep.equal([1, 2, 3, "constructor"]);
      expect(names.new).to.be.a("bigint");
    });
  });
});

describe("the generator's lists of names", () => {
  const has = (target: object): string[] => {
    const found: string[] = [];
    for (let at: object | null = target; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
      found.push(...Object.getOwnPropertyNames(at));
    }
    return [...new Set(found)].filter((name) => !/^[_$]|^constructor$/.test(name)).sort();
  };

  it("are the members that classes, readers, builders and clients have at run time", () => {
    expect([...structMembers].sort()).to.deep.equal(has(Place));
    expect([...interfaceMembers].sort()).to.deep.equal(has(everything.Store));
    const struct = capnp.StructReader.prototype;
    expect([...new Set([...readerMethods, ...builderMethods, ...unionMethods])].sort()).to.deep.equal(has(struct));
    expect([...clientMethods].sort()).to.deep.equal(has(capnp.InterfaceClient.prototype));
  });
});
