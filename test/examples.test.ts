import { join } from "node:path";
import { expect } from "chai";
import { Report } from "../clients/report.ts";
import { calculate } from "../clients/calculator/client.ts";
import * as capnp from "../lib/index.ts";
import * as addressbook from "../servers/addressbook/addressbook.capnp.ts";
import * as calculator from "../servers/calculator/calculator.capnp.ts";
import { CalculatorImpl } from "../servers/calculator/server.ts";
import { hookArgs } from "./support/hooked.ts";
import { Processes } from "./support/processes.ts";
import { repositoryRoot } from "./support/repository.ts";

type AddressBook = typeof addressbook;
type Calculator = typeof calculator;

const schema = (name: string): string => join(repositoryRoot, "servers", name, `${name}.capnp`);

interface Ways {
  readonly addressbook: () => Promise<AddressBook>;
  readonly calculator: () => Promise<Calculator>;
}

const ways: Readonly<Record<string, Ways>> = {
  "generated TypeScript": {
    addressbook: async () => addressbook,
    calculator: async () => calculator,
  },
  "run-time loading": {
    addressbook: () => capnp.load<AddressBook>(schema("addressbook")),
    calculator: () => capnp.load<Calculator>(schema("calculator")),
  },
  "run-time loading into a universe of its own": {
    addressbook: () => new capnp.SchemaParser().load<AddressBook>(schema("addressbook")),
    calculator: () => new capnp.SchemaParser().load<Calculator>(schema("calculator")),
  },
};

for (const [name, way] of Object.entries(ways)) {
  describe(`the examples with ${name}`, () => {
    it("write an address book and read it", async () => {
      const { AddressBook, Person, qux } = await way.addressbook();
      expect(qux).to.equal(123);
      const book = AddressBook.newMessage();
      const [alice, bob] = book.init("people", 2).toArray();
      expect(alice).to.be.instanceOf(Person);
      Object.assign(alice as object, { id: 123, name: "Alice", employment: { school: "MIT" } });
      bob?.init("phones", 1)[0].toObject();
      const read = AddressBook.fromBytes(book.toBytes());
      const [first] = read.people;
      expect([first?.id, first?.name]).to.deep.equal([123, "Alice"]);
      expect(first?.employment.is("school") && first.employment.school).to.equal("MIT");
      expect(Person.PhoneNumber.Type.mobile).to.equal("mobile");
    });

    it("calculate", async () => {
      const { Calculator } = await way.calculator();
      const server = await capnp.listen("127.0.0.1:0", { bootstrap: new CalculatorImpl() });
      const client = await capnp.connect(server.address);
      try {
        using first = client.bootstrap(Calculator);
        const { value } = await first.evaluate({ expression: { literal: 123 } }).value.read();
        expect(value).to.equal(123);
        class Twice extends Calculator.Function.Server {
          override call({ params }: calculator.Calculator.Function.CallParams.Reader) {
            return { value: 2 * (params.at(0) ?? 0) };
          }
        }
        const call = { function: new Twice(), params: [{ literal: 21 }] };
        expect((await first.evaluate({ expression: { call } }).value.read()).value).to.equal(42);
      } finally {
        await client.close();
        await server.close();
      }
    });
  });
}

describe("the examples with the import hook", () => {
  const processes = new Processes();
  after(() => processes.stop());

  it("write an address book and read it, and calculate", async () => {
    const program = join(repositoryRoot, "test", "fixtures", "import-hook", "examples.mjs");
    const { status, stdout, stderr } = await processes.run(process.execPath, [...hookArgs, program]);
    expect(stderr).to.equal("");
    expect(stdout).to.equal('(id = 123, name = "Alice", employment = (school = "MIT"))\n123\n');
    expect(status).to.equal(0);
  });
});

describe("the calculator example", () => {
  it("gets all of its results from a server of the same process", async () => {
    const client = new calculator.Calculator.Client(new CalculatorImpl());
    const { log } = console;
    try {
      console.log = () => undefined;
      await calculate(client, new Report(() => 0));
    } finally {
      console.log = log;
      client.release();
    }
  });
});

describe("a type that is loaded and generated", () => {
  it("is one type", async () => {
    const loaded = await capnp.load<AddressBook>(schema("addressbook"));
    expect(loaded.Person.schema.id).to.equal(addressbook.Person.schema.id);
    const book = loaded.AddressBook.newMessage({ people: [addressbook.Person.newMessage({ name: "Alice" })] });
    expect(book.people.at(0)).to.be.instanceOf(addressbook.Person);
    expect(book.people.at(0)?.name).to.equal("Alice");
  });
});
