import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { AddressBook, type Person } from "../../servers/addressbook/addressbook.capnp.ts";

/** Writes an address book to a file, which is made in a folder for temporary files unless it is given; reads and prints it. */
export const runAddressBook = async (file?: string): Promise<void> => {
  const path = file ?? join(await mkdtemp(join(tmpdir(), "addressbook-")), "addressbook.bin");
  await writeAddressBook(path);
  const book = await AddressBook.read(createReadStream(path));
  if (book === undefined) throw new Error(`${path} is empty`);
  printAddressBook(book);
  console.log(`(written to ${path} and read back)`);
};

const writeAddressBook = async (path: string): Promise<void> => {
  const book = AddressBook.newMessage();
  const people = book.init("people", 2);

  const alice = people[0];
  alice.id = 123;
  alice.name = "Alice";
  alice.email = "alice@example.com";
  const alicePhone = alice.init("phones", 1)[0];
  alicePhone.number = "555-1212";
  alicePhone.type = "mobile";
  alice.employment.school = "MIT";

  const bob = people[1];
  bob.id = 456;
  bob.name = "Bob";
  bob.email = "bob@example.com";
  const bobPhones = bob.init("phones", 2);
  bobPhones[0].number = "555-4567";
  bobPhones[0].type = "home";
  bobPhones[1].number = "555-7654";
  bobPhones[1].type = "work";
  bob.employment.unemployed = null;

  const stream = createWriteStream(path);
  await book.write(stream);
  await finished(stream.end());
};

const printAddressBook = (book: AddressBook.Reader): void => {
  for (const person of book.people) {
    console.log(`${person.name} : ${person.email}`);
    for (const phone of person.phones) console.log(`${phone.type} : ${phone.number}`);
    console.log(`${describe(person.employment)}\n`);
  }
};

const describe = (employment: Person.Employment.Reader): string => {
  switch (employment.$which) {
    case "unemployed":
      return "unemployed";
    case "employer":
      return `employer: ${employment.employer}`;
    case "school":
      return `student at: ${employment.school}`;
    case "selfEmployed":
      return "self employed";
  }
};
