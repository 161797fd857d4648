// Building and reading messages, each beside JSON, protobufjs, msgpackr and the other TypeScript libraries for Cap'n Proto.
import { addressBook, addressBookTally, compileAddressBook } from "./addressbook.js";
import { compare, resultOf, verifySame } from "./measure.js";
import { messagePeers } from "./peers.js";

/** @typedef {import("./main.js").Result} Result */

const capstan = async () => {
  const { AddressBook } = await compileAddressBook();
  return {
    encode: () => {
      const book = AddressBook.newMessage();
      const people = book.init("people", addressBook.people.length);
      for (let i = 0; i < addressBook.people.length; i++) {
        const { id, name, email, phones, employment } = addressBook.people[i];
        const person = people.at(i);
        person.id = id;
        person.name = name;
        person.email = email;
        const numbers = person.init("phones", phones.length);
        for (let j = 0; j < phones.length; j++) {
          const phone = numbers.at(j);
          phone.number = phones[j].number;
          phone.type = phones[j].type;
        }
        if (employment.employer !== undefined) person.employment.employer = employment.employer;
        else person.employment.school = employment.school;
      }
      return book.toBytes();
    },
    encodeObject: () => AddressBook.newMessage(addressBook).toBytes(),
    decode: (bytes) => AddressBook.fromBytes(bytes),
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
          if (phone.type === "mobile") mobile++;
        }
        const { employment } = person;
        if (employment.which() === "employer") {
          employed++;
          characters += employment.employer.length;
        } else characters += employment.school.length;
      }
      return { people, ids, characters, mobile, employed };
    },
    readOne: (book) => book.people.at(500).name,
    plain: (book) => book.toObject(),
  };
};

let contenders;
const all = async () => {
  contenders ??= { capstan: await capstan(), ...(await messagePeers()) };
  return contenders;
};

const forEach = (contenders, make) =>
  Object.fromEntries(Object.entries(contenders).map(([name, contender]) => [name, make(contender)]));

const asMilliseconds = (ms) => ms;
const asNanoseconds = (ms) => ms * 1e6;

const readAll = async () => {
  const contenders = await all();
  verifySame("read-all", {
    tally: addressBookTally(),
    ...forEach(contenders, ({ encode, decode, readAll }) => readAll(decode(encode()))),
  });
  const figures = await compare(
    forEach(contenders, ({ encode, decode, readAll }) => {
      const bytes = encode();
      return { run: () => readAll(decode(bytes)) };
    }),
  );
  return resultOf(
    "read-all",
    "ms",
    figures,
    asMilliseconds,
    "1.0x protobufjs; 15 times faster than capnp-es, capnp-ts",
  );
};

const readOne = async () => {
  const contenders = await all();
  verifySame("read-one", {
    expected: addressBook.people[500].name,
    ...forEach(contenders, ({ encode, decode, readOne }) => readOne(decode(encode()))),
  });
  const figures = await compare(
    forEach(contenders, ({ encode, decode, readOne }) => {
      const bytes = encode();
      return { run: () => readOne(decode(bytes)) };
    }),
  );
  return resultOf("read-one", "ns", figures, asNanoseconds, "1,000 times faster than JSON");
};

const buildFields = async () => {
  const contenders = await all();
  verifySame("build-fields", {
    expected: addressBook,
    ...forEach(contenders, ({ encode, decode, plain }) => plain(decode(encode()))),
  });
  const figures = await compare(forEach(contenders, ({ encode }) => ({ run: encode })));
  return resultOf("build-fields", "ms", figures, asMilliseconds, "1.0x protobufjs");
};

/** The other libraries for Cap'n Proto cannot build from a plain object. */
const buildObject = async () => {
  const { capstan, JSON: json, protobufjs, msgpackr } = await all();
  const objects = { capstan: { ...capstan, encode: capstan.encodeObject }, JSON: json, protobufjs, msgpackr };
  verifySame("build-object", {
    expected: addressBook,
    ...forEach(objects, ({ encode, decode, plain }) => plain(decode(encode()))),
  });
  const figures = await compare(forEach(objects, ({ encode }) => ({ run: encode })));
  return resultOf("build-object", "ms", figures, asMilliseconds, "1.5x protobufjs");
};

/** @type {Record<string, () => Promise<Result>>} */
export const messageWorks = {
  "read-all": readAll,
  "read-one": readOne,
  "build-fields": buildFields,
  "build-object": buildObject,
};
