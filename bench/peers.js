// The peers of the works on messages. Each builds and reads the address book in the fastest way that its documentation
// offers: `encode` from the values in the form that it wants them in, `decode` to something of which `read` reads every
// field, `one` to the name of the person in the middle, `plain` to all values.
import { readFile } from "node:fs/promises";
import { addressBook } from "./addressbook.js";

const json = () => {
  const { parse, stringify } = JSON;
  return {
    encode: () => stringify(addressBook),
    decode: (text) => parse(text),
    readAll: readObjects,
    readOne: (book) => book.people[500].name,
    plain: (book) => book,
  };
};

const msgpackr = async () => {
  const { Packr } = await import("msgpackr");
  // With its record extension, which is what makes it fast; packr and unpackr share the record definitions.
  const packr = new Packr();
  return {
    encode: () => packr.pack(addressBook),
    decode: (bytes) => packr.unpack(bytes),
    readAll: readObjects,
    readOne: (book) => book.people[500].name,
    plain: (book) => book,
  };
};

const typeNumbers = { mobile: 0, home: 1, work: 2 };
const typeNames = ["mobile", "home", "work"];

const protobufjs = async () => {
  const { default: protobuf } = await import("protobufjs");
  const { root } = protobuf.parse(await readFile(new URL("addressbook.proto", import.meta.url), "utf8"), {
    keepCase: true,
  });
  const AddressBook = root.lookupType("AddressBook");
  // Messages, not plain objects: their encoder is then given objects of its own classes.
  const message = AddressBook.fromObject({
    people: addressBook.people.map(({ employment, phones, ...rest }) => ({
      ...rest,
      ...employment,
      phones: phones.map(({ number, type }) => ({ number, type: typeNumbers[type] })),
    })),
  });
  return {
    encode: () => AddressBook.encode(message).finish(),
    decode: (bytes) => AddressBook.decode(bytes),
    readAll: (book) => {
      let people = 0;
      let ids = 0;
      let characters = 0;
      let mobile = 0;
      let employed = 0;
      for (const person of book.people) {
        people++;
        ids += person.id;
        characters += person.name.length + person.email.length;
        for (const phone of person.phones) {
          characters += phone.number.length;
          if (phone.type === 0) mobile++;
        }
        if (person.employment === "employer") {
          employed++;
          characters += person.employer.length;
        } else characters += person.school.length;
      }
      return { people, ids, characters, mobile, employed };
    },
    readOne: (book) => book.people[500].name,
    plain: (book) => ({
      people: book.people.map((person) => ({
        id: person.id,
        name: person.name,
        email: person.email,
        phones: person.phones.map(({ number, type }) => ({ number, type: typeNames[type] })),
        employment: { [person.employment]: person[person.employment] },
      })),
    }),
  };
};

const capnpEs = async () => {
  const { Message } = await import("capnp-es");
  const { AddressBook, Person_Employment_Which: Which } = await import("./peers/addressbook.capnp-es.js");
  return {
    encode: () => {
      const message = new Message();
      const list = message.initRoot(AddressBook)._initPeople(addressBook.people.length);
      for (let i = 0; i < list.length; i++) {
        const { id, name, email, phones, employment } = addressBook.people[i];
        const person = list.get(i);
        person.id = id;
        person.name = name;
        person.email = email;
        const numbers = person._initPhones(phones.length);
        for (let j = 0; j < phones.length; j++) {
          const phone = numbers.get(j);
          phone.number = phones[j].number;
          phone.type = typeNumbers[phones[j].type];
        }
        if (employment.employer !== undefined) person.employment.employer = employment.employer;
        else person.employment.school = employment.school;
      }
      return new Uint8Array(message.toArrayBuffer());
    },
    decode: (bytes) => {
      // Its own limit on what may be read is lower than this message; without it reading stops half-way.
      const message = new Message(bytes, false);
      message._capnp.traversalLimit = 1 << 30;
      return message.getRoot(AddressBook);
    },
    readAll: (book) => {
      let ids = 0;
      let characters = 0;
      let mobile = 0;
      let employed = 0;
      const list = book.people;
      const people = list.length;
      for (let i = 0; i < people; i++) {
        const person = list.get(i);
        ids += person.id;
        characters += person.name.length + person.email.length;
        const { phones } = person;
        for (let j = 0; j < phones.length; j++) {
          const phone = phones.get(j);
          characters += phone.number.length;
          if (phone.type === 0) mobile++;
        }
        const { employment } = person;
        if (employment.which() === Which.EMPLOYER) {
          employed++;
          characters += employment.employer.length;
        } else characters += employment.school.length;
      }
      return { people, ids, characters, mobile, employed };
    },
    readOne: (book) => book.people.get(500).name,
    plain: (book) => ({
      people: Array.from({ length: book.people.length }, (_, i) => {
        const { id, name, email, phones, employment } = book.people.get(i);
        return {
          id,
          name,
          email,
          phones: Array.from({ length: phones.length }, (_, j) => ({
            number: phones.get(j).number,
            type: typeNames[phones.get(j).type],
          })),
          employment:
            employment.which() === Which.EMPLOYER ? { employer: employment.employer } : { school: employment.school },
        };
      }),
    }),
  };
};

const capnpTs = async () => {
  const { default: capnp } = await import("capnp-ts");
  const { AddressBook, Person_Employment } = (await import("./peers/addressbook.capnp-ts.cjs")).default;
  return {
    encode: () => {
      const message = new capnp.Message();
      const list = message.initRoot(AddressBook).initPeople(addressBook.people.length);
      for (let i = 0; i < addressBook.people.length; i++) {
        const { id, name, email, phones, employment } = addressBook.people[i];
        const person = list.get(i);
        person.setId(id);
        person.setName(name);
        person.setEmail(email);
        const numbers = person.initPhones(phones.length);
        for (let j = 0; j < phones.length; j++) {
          const phone = numbers.get(j);
          phone.setNumber(phones[j].number);
          phone.setType(typeNumbers[phones[j].type]);
        }
        if (employment.employer !== undefined) person.getEmployment().setEmployer(employment.employer);
        else person.getEmployment().setSchool(employment.school);
      }
      return new Uint8Array(message.toArrayBuffer());
    },
    decode: (bytes) => {
      const message = new capnp.Message(bytes, false);
      message._capnp.traversalLimit = 1 << 30;
      return message.getRoot(AddressBook);
    },
    readAll: (book) => {
      let ids = 0;
      let characters = 0;
      let mobile = 0;
      let employed = 0;
      const list = book.getPeople();
      const people = list.getLength();
      for (let i = 0; i < people; i++) {
        const person = list.get(i);
        ids += person.getId();
        characters += person.getName().length + person.getEmail().length;
        const phones = person.getPhones();
        const count = phones.getLength();
        for (let j = 0; j < count; j++) {
          const phone = phones.get(j);
          characters += phone.getNumber().length;
          if (phone.getType() === 0) mobile++;
        }
        const employment = person.getEmployment();
        if (employment.which() === Person_Employment.EMPLOYER) {
          employed++;
          characters += employment.getEmployer().length;
        } else characters += employment.getSchool().length;
      }
      return { people, ids, characters, mobile, employed };
    },
    readOne: (book) => book.getPeople().get(500).getName(),
    plain: (book) => ({
      people: Array.from({ length: book.getPeople().getLength() }, (_, i) => {
        const person = book.getPeople().get(i);
        const phones = person.getPhones();
        const employment = person.getEmployment();
        return {
          id: person.getId(),
          name: person.getName(),
          email: person.getEmail(),
          phones: Array.from({ length: phones.getLength() }, (_, j) => ({
            number: phones.get(j).getNumber(),
            type: typeNames[phones.get(j).getType()],
          })),
          employment:
            employment.which() === Person_Employment.EMPLOYER
              ? { employer: employment.getEmployer() }
              : { school: employment.getSchool() },
        };
      }),
    }),
  };
};

/** Of JSON and msgpackr, which read to the objects that were written. */
function readObjects(book) {
  let people = 0;
  let ids = 0;
  let characters = 0;
  let mobile = 0;
  let employed = 0;
  for (const person of book.people) {
    people++;
    ids += person.id;
    characters += person.name.length + person.email.length;
    for (const phone of person.phones) {
      characters += phone.number.length;
      if (phone.type === "mobile") mobile++;
    }
    const { employment } = person;
    if (employment.employer !== undefined) {
      employed++;
      characters += employment.employer.length;
    } else characters += employment.school.length;
  }
  return { people, ids, characters, mobile, employed };
}

/** All peers, by name. */
export const messagePeers = async () => ({
  JSON: json(),
  protobufjs: await protobufjs(),
  msgpackr: await msgpackr(),
  "capnp-es": await capnpEs(),
  "capnp-ts": await capnpTs(),
});
