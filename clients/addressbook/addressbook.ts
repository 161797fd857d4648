import type { Readable, Writable } from "node:stream";
import * as capnp from "capstan";

/** What a phone is for. */
export type PhoneType = "mobile" | "home" | "work";

/** What a person does: exactly one of these has a value. */
export interface Employment {
  readonly $which: "unemployed" | "employer" | "school" | "selfEmployed";
  unemployed: null;
  employer: string;
  school: string;
  selfEmployed: null;
}

export interface PhoneNumber {
  number: string;
  type: PhoneType;
}

export interface Person {
  id: number;
  name: string;
  email: string;
  readonly phones: Iterable<PhoneNumber>;
  readonly employment: Employment;
  init<N extends number>(field: "phones", count: N): Tuple<PhoneNumber, N>;
}

/** A list of a known length: TypeScript then knows which of its elements are there. */
type Tuple<T, N extends number, Elements extends T[] = []> = Elements["length"] extends N
  ? Readonly<Elements>
  : Tuple<T, N, [...Elements, T]>;

export interface AddressBookReader {
  readonly people: Iterable<Person>;
}

export interface AddressBookBuilder {
  init<N extends number>(field: "people", count: N): Tuple<Person, N>;
  write(stream: Writable): Promise<void>;
}

/** The types of addressbook.capnp, as TypeScript sees them. */
interface AddressBookFile {
  readonly AddressBook: {
    newMessage(): AddressBookBuilder;
    read(stream: Readable): Promise<AddressBookReader | undefined>;
  };
}

export const { AddressBook } = await capnp.load<AddressBookFile>(
  new URL("../../../servers/addressbook/addressbook.capnp", import.meta.url),
);
