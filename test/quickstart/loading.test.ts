import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as capnp from "capstan";
import { expect } from "chai";
import { Workplace } from "../support/document.ts";
import { expectError } from "../support/errors.ts";
import { programArgs } from "../support/hooked.ts";
import type { Loose } from "../support/loose.ts";
import { repositoryRoot } from "../support/repository.ts";
import { addressBookFile, waysIn } from "./address-books.ts";

const hook = "node --import capstan/register";

describe("quickstart: loading a schema", () => {
  let place: Workplace;
  let schema: string;

  before(async () => {
    place = await Workplace.make();
    schema = await readFile(addressBookFile, "utf8");
    await place.write("addressbook.capnp", schema);
  });

  after(() => place.remove());

  it("needs no Cap'n Proto library installed, and no other program (old: Quickstart)", async () => {
    await place.write(
      "alone.js",
      `import { load } from "capstan"; console.log((await load("addressbook.capnp")).qux, process.env.PATH);`,
    );
    const { stdout, stderr } = await place.run(
      `PATH=/nowhere; exec "${process.execPath}" ${programArgs.join(" ")} alone.js`,
    );
    expect(stderr).to.equal("");
    // Deno puts a folder of its own before it.
    expect(stdout).to.match(/^123 (.*:)?\/nowhere\n$/);
    const { dependencies, scripts } = JSON.parse(await readFile(join(repositoryRoot, "package.json"), "utf8"));
    expect(Object.keys(dependencies)).to.have.members(["pino", "rxjs", "ws"]);
    expect(scripts).not.to.have.any.keys("install", "preinstall", "postinstall");
  });

  it("a schema is imported like a module, beside the library (old: Load a Cap'n Proto Schema)", async () => {
    await place.write(
      "import.js",
      `import * as capnp from "capstan";
       import { AddressBook, Person, qux } from "./addressbook.capnp";
       console.log(capnp.toText(AddressBook.newMessage({ people: [Person.newMessage({ id: qux })] })));`,
    );
    const { stdout, stderr } = await place.run(`${hook} import.js`);
    expect(stderr).to.equal("");
    expect(stdout).to.equal("(people = [(id = 123, employment = (unemployed = void))])\n");
  });

  it("an import is found by its path, in packages up through all folders, and on the import path (both: Load a Cap'n Proto Schema)", async () => {
    await place.write("node_modules/contacts/book.capnp", schema);
    await place.write("schemas/shared/phone.capnp", "@0xb3a1c9e2f4d50617;\nstruct Phone { number @0 :Text; }");
    await place.write(
      "deep/down/owner.capnp",
      '@0xb3a1c9e2f4d50618;\nusing import "/shared/phone.capnp".Phone;\nconst owner :Phone = (number = "555-1212");',
    );
    await place.write(
      "deep/down/import.js",
      `import { qux } from "contacts/book.capnp";
       import * as beside from "../../addressbook.capnp";
       import { owner } from "./owner.capnp";
       console.log(qux, beside.qux, owner.number);`,
    );
    const { stdout, stderr } = await place.run(`${hook} deep/down/import.js`, { CAPSTAN_IMPORT_PATH: "schemas" });
    expect(stderr).to.equal("");
    expect(stdout).to.equal("123 123 555-1212\n");
  });

  it("a file's name may have dashes and spaces (both: Load a Cap'n Proto Schema)", async () => {
    await place.write("address-book.capnp", schema);
    await place.write("address book.capnp", schema);
    await place.write(
      "names.js",
      `import { qux } from "./address-book.capnp";
       import { Person } from "./address book.capnp";
       console.log(qux, Person.newMessage({ name: "Alice" }).name);`,
    );
    const { stdout } = await place.run(`${hook} names.js`);
    expect(stdout).to.equal("123 Alice\n");
  });

  it("without the hook an import is refused, and load loads by hand (old: Load a Cap'n Proto Schema)", async () => {
    const refused = await place.run("node import.js");
    expect(refused.status).not.to.equal(0);
    expect(refused.stderr).to.contain('Unknown file extension ".capnp"');
    await place.write(
      "by-hand.js",
      `import * as capnp from "capstan";
       const addressbook = await capnp.load("addressbook.capnp");
       console.log(addressbook.Person.newMessage({ name: "Alice" }).name, addressbook.qux);`,
    );
    const { stdout, stderr } = await place.run("node by-hand.js");
    expect(stderr).to.equal("");
    expect(stdout).to.equal("Alice 123\n");
  });

  it("the hook may be installed twice, and load gives the classes that import gives (both: Load a Cap'n Proto Schema)", async () => {
    await place.write(
      "same.js",
      `import * as capnp from "capstan";
       import { Person } from "./addressbook.capnp";
       console.log((await capnp.load("addressbook.capnp")).Person === Person);`,
    );
    const { stdout, stderr } = await place.run(`${hook} --import capstan/register same.js`);
    expect(stderr).to.equal("");
    expect(stdout).to.equal("true\n");
  });

  it("loading a file twice gives the same, a file that is missing is named (old: Load a Cap'n Proto Schema)", async () => {
    const parser = new capnp.SchemaParser();
    expect(await parser.load(addressBookFile)).to.equal(parser.loadSync(addressBookFile));
    const missing = await parser.load("no/addressbook.capnp").catch((error) => error);
    expect(missing.code).to.equal("CAPNP_SCHEMA_NOT_FOUND");
    expect(missing.message).to.contain("no/addressbook.capnp");
  });

  it("a type that one file imports from another is the type that the other declares (both: Load a Cap'n Proto Schema)", async () => {
    await place.write(
      "imports.capnp",
      `@0xb3a1c9e2f4d50619;
       using Relative = import "addressbook.capnp";
       using Absolute = import "/addressbook.capnp";
       struct Pair { left @0 :Relative.Person; right @1 :Absolute.Person; }`,
    );
    const options = { importPath: [place.folder] };
    const { Pair } = await capnp.load<Loose>(join(place.folder, "imports.capnp"), options);
    const { Person } = await capnp.load<Loose>(join(place.folder, "addressbook.capnp"));
    const pair = Pair.newMessage({ left: { name: "Alice" } });
    expect(pair.left).to.be.instanceOf(Person);
    pair.right = pair.left;
    expect(pair.right.name).to.equal("Alice");
    const other = new capnp.SchemaParser().loadSync<Loose>(addressBookFile).Person;
    expectError("CAPNP_TYPE", () => (pair.left = other.newMessage()));
  });

  for (const { way, schema } of waysIn) {
    describe(way, () => {
      const { AddressBook, Person, qux } = schema;

      it("the address book's schema declares what the documents say (old: Load a Cap'n Proto Schema)", () => {
        expect(Person.schema.fieldNames).to.deep.equal(["id", "name", "email", "phones", "employment"]);
        expect(Person.PhoneNumber.schema.fieldNames).to.deep.equal(["number", "type"]);
        expect(Object.values(Person.PhoneNumber.Type)).to.have.members(["mobile", "home", "work"]);
        expect(Object.keys((Person as Loose).Employment)).to.deep.equal([
          "unemployed",
          "employer",
          "school",
          "selfEmployed",
        ]);
        expect(AddressBook.schema.fieldNames).to.deep.equal(["people"]);
      });

      it("a constant of the schema is a value of what was loaded (old: Const values)", () => {
        expect(qux).to.equal(123);
      });
    });
  }

  it("constants that are structs, lists and text are readers and values (old: Const values)", () => {
    const { owner, primes, motto } = new capnp.SchemaParser().parse<Loose>(`@0xb3a1c9e2f4d5061a;
      struct Person { name @0 :Text; }
      const owner :Person = (name = "Alice");
      const primes :List(UInt8) = [2, 3, 5];
      const motto :Text = "infinitely faster";`);
    expect(owner.name).to.equal("Alice");
    expectError("CAPNP_TYPE", () => (owner.name = "Bob"), "this is a reader");
    expect([...primes]).to.deep.equal([2, 3, 5]);
    expect(motto).to.equal("infinitely faster");
  });

  it("what is declared inside a type is a property of it (old: Load a Cap'n Proto Schema)", () => {
    const loaded = new capnp.SchemaParser().parse<Loose>(`@0xb3a1c9e2f4d5061b;
      struct Outer {
        struct Inner { enum Kind { good @0; bad @1; } const best :Kind = good; }
        interface Talk { say @0 (); }
        place :group { x @0 :Int32; }
      }`);
    expect(loaded.Outer.Inner.Kind.bad).to.equal("bad");
    expect(loaded.Outer.Inner.best).to.equal("good");
    expect(loaded.Outer.Talk.schema.which).to.equal("interface");
    expect(loaded.Outer.schema.node).to.be.an("object");
    expect(Object.keys(loaded)).to.deep.equal(["Outer"]);
  });
});
