// The data of the works on messages: an address book of 1,000 people with 3 phones each, 6,000 texts of 3 to 24 characters.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What `capstan compile` makes of addressbook.capnp. It lies in dist/, where `capstan` is the library that was built. */
export const compileAddressBook = async () => {
  const main = `${root}dist/package/cli/main.js`;
  execFileSync(process.execPath, [main, "compile", "--js", "-o", "dist", "bench/addressbook.capnp"], { cwd: root });
  return import(`${root}dist/bench/addressbook.capnp.js`);
};

const firstNames = ["Ada", "Alan", "Barbara", "Claude", "Donald", "Edsger", "Frances", "Grace", "Hedy", "Katherine"];
const lastNames = ["Lee", "Allen", "Hopper", "Knuth", "Liskov", "Lovelace", "Shannon", "Turing", "Dijkstra", "Johnson"];
const employers = ["IBM", "Bell Labs", "Analytical Engines", "Remington Rand", "Eckert-Mauchly Computer"];
const schools = ["MIT", "Stanford", "Cambridge", "Princeton University", "Technische Universiteit"];
const types = ["mobile", "home", "work"];

/** The values as they stand in a plain object. */
export const addressBook = {
  people: Array.from({ length: 1000 }, (_, i) => {
    const first = firstNames[i % 10];
    const last = lastNames[(i * 7 + Math.floor(i / 10)) % 10];
    return {
      id: i * 7919,
      name: `${first} ${last}`,
      email: `${first}.${last}${i % 7}@cs.org`.toLowerCase(),
      phones: Array.from({ length: 3 }, (_, j) => ({
        number: `+1 555 ${String((i * 31 + j * 977) % 10000).padStart(4, "0")}${"-42".repeat((i + j) % 3)}`,
        type: types[(i + j) % 3],
      })),
      employment: i % 2 === 0 ? { employer: employers[i % 5] } : { school: schools[i % 5] },
    };
  }),
};

const tally = { people: 0, ids: 0, characters: 0, mobile: 0, employed: 0 };

/** What reading everything has to come to; every contender computes it in its own words. */
export const addressBookTally = () => {
  const sum = { ...tally };
  for (const { id, name, email, phones, employment } of addressBook.people) {
    sum.people++;
    sum.ids += id;
    sum.characters += name.length + email.length + (employment.employer ?? employment.school).length;
    if (employment.employer !== undefined) sum.employed++;
    for (const { number, type } of phones) {
      sum.characters += number.length;
      if (type === "mobile") sum.mobile++;
    }
  }
  return sum;
};
