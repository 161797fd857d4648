import { join } from "node:path";
import * as capnp from "capstan";
import * as generated from "../../servers/addressbook/addressbook.capnp.ts";
import { repositoryRoot } from "../support/repository.ts";

/** What the address book's schema declares, with exact types. */
export type AddressBookSchema = Pick<typeof generated, "AddressBook" | "Person" | "qux">;

export const addressBookFile = join(repositoryRoot, "servers/addressbook/addressbook.capnp");

/** The schema of the documents by both ways in; the second has types of its own, loaded from the file. */
export const waysIn: readonly { readonly way: string; readonly schema: AddressBookSchema }[] = [
  { way: "with a generated module", schema: generated },
  {
    way: "with a schema loaded at run time",
    schema: new capnp.SchemaParser().loadSync<AddressBookSchema>(addressBookFile),
  },
];
