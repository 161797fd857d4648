// Compiled, never run: see messages.ts.
import type * as capnp from "../../lib/index.ts";
import type { Pointers, Scalars } from "../fixtures/generated/everything.capnp.ts";
import type { Named } from "../fixtures/generated/imported.capnp.ts";
import { exactly } from "./exactly.ts";

export const reading = (reader: Pointers.Reader): void => {
  exactly<Scalars.Reader | undefined>()(reader.structs.at(-1));
  exactly<Scalars.Reader | undefined>()(reader.structs[0]);
  exactly<number>()(reader.structs.length);
  for (const one of reader.structs) exactly<Scalars.Reader>()(one);
  exactly<number[]>()(reader.structs.map((one) => one.int8));
  exactly<Scalars.Reader[]>()(reader.structs.filter((one, i) => one.bool && i > 0));
  exactly<Scalars.Reader[]>()(reader.structs.toArray());
  exactly<bigint>()(reader.longs.reduce((sum, one) => sum + one, 0n));
  exactly<string | undefined>()(reader.texts.find((one) => one.startsWith("a")));
  exactly<("red" | "green" | "blue")[]>()([...reader.colors]);
  exactly<number | undefined>()(reader.matrix.at(0)?.at(0));
  exactly<Named.Client | null | undefined>()(reader.services.at(0));
  exactly<Scalars.Object[]>()(reader.structs.toObject());
  const list: capnp.List<Scalars.Reader> = reader.structs;
  exactly<boolean>()(reader.texts.includes("a") && list.length > 0);
  // @ts-expect-error: a list is read-only
  reader.bytes.set(0, 5);
  // @ts-expect-error: also by index
  reader.bytes[0] = 5;
  // @ts-expect-error: lists have a fixed length
  reader.bytes.push(5);
  // @ts-expect-error: there may be no such element
  reader.structs.at(0).int8;
  // @ts-expect-error: texts are no numbers
  exactly<number | undefined>()(reader.texts.at(0));
  // @ts-expect-error: the length is fixed
  reader.texts.length = 5;
};

export const building = (builder: Pointers.Builder, reader: Pointers.Reader): void => {
  builder.structs = [{ int8: 1 }, reader.scalars];
  builder.structs = reader.structs;
  builder.structs = new Set([{ bool: true }]);
  builder.structs = (function* () {
    yield { int8: 1 };
  })();
  builder.structs.set(0, { int8: 1 });
  builder.structs.set(-1, reader.scalars);
  builder.longs = [1, 2n];
  builder.longs.set(0, 5);
  builder.texts = ["a"];
  builder.colors = ["red", "green"];
  builder.matrix = [[1, 2], new Float64Array(3)];
  builder.bytes = new Uint8Array(3);
  builder.blobs = [new Uint8Array(3)];
  const structs = builder.init("structs", 3);
  structs[2].int8 = 5;
  exactly<Scalars.Builder | undefined>()(structs.at(0));
  const count: number = reader.bytes.length;
  exactly<Scalars.Builder | undefined>()(builder.init("structs", count)[0]);
  const matrix = builder.init("matrix", 2);
  matrix.init(0, 3).set(2, 1.5);
  matrix.adopt(1, matrix.disown(0));
  // @ts-expect-error: an element of another type
  builder.structs = [{ int8: "1" }];
  // @ts-expect-error: not an enumerant
  builder.colors = ["purple"];
  // @ts-expect-error: a string is no list of strings
  builder.texts = "abc";
  // @ts-expect-error: one struct is no list of them
  builder.structs = { int8: 1 };
  // @ts-expect-error: a value of another type
  builder.texts.set(0, 5);
  // @ts-expect-error: no element is null
  builder.structs.set(0, null);
  // @ts-expect-error: not by index, in TypeScript
  builder.structs[1] = { int8: 1 };
  // @ts-expect-error: lists of lists of numbers
  builder.matrix = [1, 2];
  // @ts-expect-error: structs lie in their list, nothing points to them
  builder.structs.disown(0);
  // @ts-expect-error: with a length that is not known, an element may be missing
  builder.init("structs", count)[0].int8 = 5;
};
