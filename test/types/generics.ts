// Compiled, never run: see messages.ts.
import * as capnp from "../../lib/index.ts";
import {
  Directory,
  Map as Dictionary,
  Pointers,
  Scalars,
  Shape,
  Store,
  type UsesMap,
} from "../fixtures/generated/everything.capnp.ts";
import { exactly } from "./exactly.ts";

export const structs = (uses: UsesMap.Reader, builder: UsesMap.Builder): void => {
  const Ages = exactly<Dictionary<capnp.Text, Scalars>>()(Dictionary.of(capnp.Text, Scalars));
  const ages = exactly<Dictionary.Builder<capnp.Text, Scalars>>()(
    Ages.newMessage({ entries: [{ key: "Alice", value: { int8: 30 } }] }),
  );
  exactly<string | undefined>()(ages.entries.at(0)?.key);
  exactly<Scalars.Builder | undefined>()(ages.entries.at(0)?.value);
  exactly<string>()(Ages.Entry.newMessage().key);
  exactly<Scalars.Reader | undefined>()(uses.ages.entries.at(0)?.value);
  exactly<Uint8Array | undefined>()(uses.nested.entries.at(0)?.value.entries.at(0)?.value);
  exactly<capnp.StructClass | undefined>()(undefined as capnp.StructClass | undefined);
  builder.ages = ages;
  builder.ages = { entries: [{ key: "Bob", value: { int8: 5 } }] };
  builder.nested = { entries: [{ key: "a", value: { entries: [{ key: "b", value: new Uint8Array(1) }] } }] };
  exactly<string | undefined>()(uses.unbound.entries.at(0)?.key.as("Text"));
  builder.unbound = { entries: [{ key: "text", value: uses.ages }] };
  const Lists = Dictionary.of(capnp.listOf("UInt8"), capnp.listOf(Pointers));
  exactly<number | undefined>()(Lists.newMessage().entries.at(0)?.key.at(0));
  exactly<string | undefined>()(Lists.newMessage().entries.at(0)?.value.at(0)?.text);
  exactly<capnp.Text extends object ? true : false>()(true);
  // @ts-expect-error: a value of another type
  Ages.newMessage({ entries: [{ key: 5 }] });
  // @ts-expect-error: a map of another type
  builder.ages = Dictionary.of("Text", "Text").newMessage();
  // @ts-expect-error: two parameters
  Dictionary.of(capnp.Text);
  // @ts-expect-error: numbers lie behind no pointer
  Dictionary.of("UInt8", capnp.Text);
  // @ts-expect-error: an AnyPointer has to be told its type
  exactly<string | undefined>()(uses.unbound.entries.at(0)?.key);
  // @ts-expect-error: a type argument lies behind a pointer
  exactly<Dictionary.Reader<number, capnp.Text> | null>()(null);
};

export const interfaces = async (store: Store.Client<Shape>, directory: Directory.Client): Promise<void> => {
  await store.put({ key: "a", value: { fill: { color: "red" } } });
  await store.put("a", { hidden: null });
  exactly<string>()((await store.get({ key: "a" })).value.name);
  exactly<string>()((await directory.get("a")).value.name);
  const Shapes = exactly<Store<Shape>>()(Store.of(Shape));
  exactly<Store.Client<Shape>>()(directory.castAs(Shapes));
  const converted = await store.convert({ value: "text" });
  exactly<string>()(converted.other.as("Text"));
  exactly<Shape.Reader>()(converted.value);
  // @ts-expect-error: a value of another type
  await store.put({ key: "a", value: { opacity: 1 } });
  // @ts-expect-error: a store of something else
  exactly<Store.Client<Scalars>>()(store);
  // @ts-expect-error: what a method's own parameter stands for is not known
  exactly<string>()(converted.other);
};

class Shapes extends Store.of(Shape).Server {
  override get({ key }: Store.GetParams.Reader<Shape>): Store.GetResults.Init<Shape> {
    return { value: { name: key } };
  }
}

class Wrong extends Store.of(Shape).Server {
  // @ts-expect-error: a result of another type
  override get(): { value: number } {
    return { value: 5 };
  }
}

export const servers = [Shapes, Wrong, Directory.Server];
