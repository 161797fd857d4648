import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, open, readFile, rm, stat } from "node:fs/promises";
import { createConnection, createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { expect } from "chai";
import type { Loose } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";
import { parseLoosely } from "../support/loose.ts";
import { waysIn } from "./address-books.ts";

for (const { way, schema } of waysIn) {
  const { AddressBook, Person } = schema;

  const addresses = AddressBook.newMessage({
    people: [
      { name: "Alice", email: "alice@example.com", phones: [{ number: "555-1212", type: "mobile" }] },
      {
        name: "Bob",
        email: "bob@example.com",
        phones: [
          { number: "555-4567", type: "home" },
          { number: "555-7654", type: "work" },
        ],
      },
    ],
  });

  /** The loops of the documents. */
  const lines = (book: Loose): string[] => {
    const printed: string[] = [];
    for (const person of book.people) {
      printed.push(`${person.name} : ${person.email}`);
      for (const phone of person.phones) printed.push(`${phone.type} : ${phone.number}`);
    }
    return printed;
  };

  const expected = [
    "Alice : alice@example.com",
    "mobile : 555-1212",
    "Bob : bob@example.com",
    "home : 555-4567",
    "work : 555-7654",
  ];

  describe(`quickstart: files, ${way}`, () => {
    let folder: string;
    let file: string;

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), "quickstart-"));
      file = join(folder, "example.bin");
    });

    afterEach(() => rm(folder, { recursive: true }));

    it("a message is written to a file, whose content is its bytes (both: Writing to a File)", async () => {
      const f = createWriteStream(file);
      await addresses.write(f);
      f.end();
      await finished(f);
      expect(new Uint8Array(await readFile(file))).to.deep.equal(addresses.toBytes());
    });

    it("a message is read from a file (both: Reading from a file)", async () => {
      {
        await using f = await open(file, "w");
        await addresses.write(f);
      }
      const read = await AddressBook.read(createReadStream(file));
      expect(read).to.be.instanceOf(AddressBook.Reader);
      expect(lines(read)).to.deep.equal(expected);
    });

    it("a file that ends has no more messages, and one that ends within a message is refused (both: Reading from a file)", async () => {
      await using f = await open(file, "w");
      await addresses.write(f);
      await using g = await open(file, "r");
      await AddressBook.read(g);
      expect(await AddressBook.read(g)).to.equal(undefined);
      await f.truncate(20);
      expect((await rejection(AddressBook.read(createReadStream(file)))).code).to.equal("CAPNP_TRUNCATED");
    });

    it("fields are read with a dot, and lists are looped over (both: Reading Fields)", () => {
      expect(lines(addresses)).to.deep.equal(expected);
      expect(lines(AddressBook.fromBytes(addresses.toBytes()))).to.deep.equal(expected);
    });

    it("a packed file is smaller, and is read with readPacked (both: Files)", async () => {
      {
        await using f = await open(file, "w");
        await addresses.writePacked(f);
      }
      expect((await stat(file)).size).to.be.lessThan(addresses.toBytes().length);
      expect(new Uint8Array(await readFile(file))).to.deep.equal(addresses.toBytesPacked());
      expect(lines(await AddressBook.readPacked(createReadStream(file)))).to.deep.equal(expected);
    });

    it("a packed file must be read as packed: read otherwise it is refused, or another message (both: Writing to a File)", async () => {
      const content = addresses.toObject();
      for (const reading of [
        AddressBook.read([addresses.toBytesPacked()]),
        AddressBook.readPacked([addresses.toBytes()]),
      ]) {
        const read = await reading.then(
          (book) => book?.toObject(),
          (error) => error.code,
        );
        expect(read).not.to.deep.equal(content);
      }
    });

    it("a file is written and read again while it is open (old: Files)", async () => {
      await using f = await open(file, "w+");
      await addresses.write(f);
      // A FileHandle has no seek(0): what was written is read from where a stream of it is told to begin.
      const read = await AddressBook.read(f.createReadStream({ start: 0, autoClose: false }));
      expect(lines(read)).to.deep.equal(expected);
    });

    it("a message is written several times, and all of a file are read (both: Multi-message files)", async () => {
      await using f = await open(file, "w+");
      for (let i = 0; i < 3; i++) await addresses.write(f);
      let count = 0;
      for await (const read of AddressBook.readMultiple(f.createReadStream({ start: 0, autoClose: false }))) {
        expect(lines(read)).to.deep.equal(expected);
        count++;
      }
      expect(count).to.equal(3);
    });

    it("the same of packed messages (both: Multi-message files)", async () => {
      await using f = await open(file, "w+");
      for (let i = 0; i < 3; i++) await addresses.writePacked(f);
      let count = 0;
      for await (const read of AddressBook.readMultiplePacked(f.createReadStream({ start: 0, autoClose: false }))) {
        expect(lines(read)).to.deep.equal(expected);
        count++;
      }
      expect(count).to.equal(3);
    });

    it("a message may be changed and written again (old: Multi-message files)", async () => {
      const person = Person.newMessage({ name: "Alice" });
      await using f = await open(file, "w+");
      await person.write(f);
      person.name = "Alicia";
      await person.write(f);
      const names: string[] = [];
      for await (const { name } of Person.readMultiple(f.createReadStream({ start: 0, autoClose: false }))) {
        names.push(name);
      }
      expect(names).to.deep.equal(["Alice", "Alicia"]);
    });

    it("messages go through a socket as through a file (new: Files)", async () => {
      const server = createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
      await once(server, "listening");
      const socket = createConnection((server.address() as { port: number }).port, "127.0.0.1");
      await addresses.write(socket);
      await addresses.writePacked(socket);
      expect(lines(await AddressBook.read(socket))).to.deep.equal(expected);
      expect(lines(await AddressBook.readPacked(socket))).to.deep.equal(expected);
      socket.end();
      expect(await AddressBook.read(socket)).to.equal(undefined);
      server.close();
    });
  });
}

describe("quickstart: reading as another type", () => {
  it("what was written must be read as the same type: nothing in a message says which (both: Reading from a file)", () => {
    const { A, B } = parseLoosely("struct A { text @0 :Text; }\nstruct B { numbers @0 :List(UInt32); }");
    const bytes = A.newMessage({ text: "abc" }).toBytes();
    expect(A.fromBytes(bytes).text).to.equal("abc");
    expect(() => B.fromBytes(bytes).numbers[0])
      .to.throw("")
      .with.property("code", "CAPNP_POINTER_KIND");
  });
});
