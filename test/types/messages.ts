// Compiled, never run: what must compile stands as it is, what must not stands below `@ts-expect-error`.
import * as capnp from "../../lib/index.ts";
import {
  Color,
  answer,
  big,
  favorite,
  greeting,
  label,
  magic,
  origin,
  Pointers,
  primes,
  Scalars,
  Shape,
} from "../fixtures/generated/everything.capnp.ts";
import { Place } from "../fixtures/generated/imported.capnp.ts";
import { exactly } from "./exactly.ts";

export const scalars = (reader: Scalars.Reader, builder: Scalars.Builder): void => {
  exactly<null>()(reader.void);
  exactly<boolean>()(reader.bool);
  exactly<number>()(reader.int8);
  exactly<number>()(reader.uint32);
  exactly<bigint>()(reader.int64);
  exactly<bigint>()(reader.uint64);
  exactly<number>()(reader.float32);
  exactly<"red" | "green" | "blue">()(reader.color);
  exactly<"monday" | "tuesday">()(reader.weekday);
  exactly<Color>()(builder.color);
  builder.void = null;
  builder.void = undefined;
  builder.int64 = 5n;
  builder.int64 = 5;
  exactly<bigint>()(builder.int64);
  builder.color = "blue";
  builder.color = Color.red;
  exactly<"red">()(Color.red);
  // @ts-expect-error: a reader cannot be set
  reader.bool = true;
  // @ts-expect-error: no number is a boolean
  builder.bool = 1;
  // @ts-expect-error: 32 bits take no bigint
  builder.int32 = 5n;
  // @ts-expect-error: no enumerant of this enum
  builder.color = "purple";
  // @ts-expect-error: enumerants are names, not numbers
  builder.color = 1;
  // @ts-expect-error: Void holds nothing
  builder.void = 0;
  // @ts-expect-error: no such enumerant
  Color.purple;
  // @ts-expect-error: no such field
  reader.int128;
  // @ts-expect-error: an enum of another name
  builder.weekday = reader.color;
};

export const pointers = (reader: Pointers.Reader, builder: Pointers.Builder): void => {
  exactly<string>()(reader.text);
  exactly<Uint8Array>()(reader.data);
  exactly<Scalars.Reader>()(reader.scalars);
  exactly<Scalars.Builder>()(builder.scalars);
  exactly<Place.Reader>()(reader.place);
  exactly<Pointers.Reader>()(reader.self.self.self);
  builder.text = "text";
  builder.data = new Uint8Array(2);
  builder.data = new ArrayBuffer(2);
  builder.scalars = { int8: 5, color: "red" };
  builder.scalars = reader.scalars;
  builder.scalars = builder.self.scalars;
  builder.scalars = null;
  builder.self = { self: { self: { text: "deep" } } };
  builder.place = { latitude: 1 };
  exactly<string>()(reader.any.as("Text"));
  exactly<Uint8Array>()(reader.any.as(capnp.Data));
  exactly<Scalars.Reader>()(reader.any.as(Scalars));
  exactly<Scalars.Builder>()(builder.any.as(Scalars));
  exactly<Scalars.Builder>()(builder.any.init(Scalars));
  exactly<number | undefined>()(reader.any.as(capnp.listOf("UInt16")).at(0));
  exactly<Place.Reader>()(reader.anyStruct.as(Place));
  builder.any = "text";
  builder.any = reader.scalars;
  builder.any = reader.any;
  builder.any = null;
  builder.any.set({ int8: 5 }, Scalars);
  builder.capability = reader.named;
  // @ts-expect-error: Text is a string
  builder.text = 5;
  // @ts-expect-error: Data is bytes
  builder.data = "text";
  // @ts-expect-error: a field that the struct does not have
  builder.scalars = { int8: 5, int128: 6 };
  // @ts-expect-error: a field of another type
  builder.scalars = { int8: "5" };
  // @ts-expect-error: a reader of another struct
  builder.scalars = reader.place;
  // @ts-expect-error: a struct is no string
  builder.scalars = "text";
  // @ts-expect-error: readers cannot be set
  reader.scalars = { int8: 5 };
  // @ts-expect-error: nor what is within them
  reader.scalars.int8 = 5;
  // @ts-expect-error: a plain object says nothing of its type
  builder.any = { int8: 5 };
  // @ts-expect-error: a number lies behind no pointer
  reader.any.as("UInt16");
  // @ts-expect-error: no AnyPointer is a number
  builder.any = 5;
  // @ts-expect-error: a struct is no capability
  builder.capability = reader.scalars;
};

export const operations = (reader: Pointers.Reader, builder: Pointers.Builder): void => {
  exactly<Scalars.Builder>()(builder.init("scalars"));
  exactly<Uint8Array>()(builder.init("data", 5));
  exactly<Scalars.Builder>()(builder.init("structs", 2)[0]);
  exactly<Scalars.Builder>()(builder.init("structs", 2)[1]);
  exactly<Scalars.Builder>()(builder.get("scalars"));
  exactly<Scalars.Reader>()(reader.get("scalars"));
  exactly<string>()(reader.get("text"));
  builder.set("text", "text");
  builder.set("scalars", { int8: 5 });
  builder.clear("scalars");
  exactly<boolean>()(reader.has("scalars"));
  builder.adopt("scalars", builder.disown("scalars"));
  exactly<Pointers.Reader>()(builder.asReader());
  exactly<Pointers.Builder>()(reader.copy());
  exactly<Uint8Array>()(builder.toBytes());
  exactly<number>()(reader.totalSize.wordCount);
  exactly<unknown>()(reader.get(Pointers.schema.field("text")));
  // @ts-expect-error: no such field
  builder.init("scalar");
  // @ts-expect-error: a list needs its length
  builder.init("structs");
  // @ts-expect-error: a struct has no length
  builder.init("scalars", 2);
  // @ts-expect-error: Text is assigned, not initialised
  builder.init("text");
  // @ts-expect-error: no such field
  reader.get("scalar");
  // @ts-expect-error: a value of another type
  builder.set("text", 5);
  // @ts-expect-error: readers are not changed
  reader.set("text", "text");
  // @ts-expect-error: readers are not changed
  reader.init("scalars");
  // @ts-expect-error: an orphan of another type
  builder.adopt("place", builder.disown("scalars"));
  // @ts-expect-error: a list of two has no third element
  exactly<Scalars.Builder>()(builder.init("structs", 2)[2]);
  // @ts-expect-error: no such field
  reader.has("scalar");
};

export const scalarsAreNoPointers = (builder: Scalars.Builder): void => {
  // @ts-expect-error: a number lies behind no pointer
  builder.disown("int8");
  // @ts-expect-error: a number is assigned, not initialised
  builder.init("int8");
};

export const messages = async (stream: AsyncIterable<Uint8Array>, value: unknown): Promise<void> => {
  const builder = exactly<Pointers.Builder>()(Pointers.newMessage());
  Pointers.newMessage({ text: "text", scalars: { int8: 5 }, structs: [{}, { bool: true }], bytes: new Uint8Array(3) });
  Pointers.newMessage({ text: undefined });
  Pointers.newMessage(builder);
  Pointers.newMessage(builder.toObject());
  exactly<Pointers.Reader>()(Pointers.fromBytes(builder.toBytes(), { nestingLimit: 8 }));
  exactly<Pointers.Reader | undefined>()(await Pointers.read(stream));
  for await (const one of Pointers.readMultiple(stream)) exactly<Pointers.Reader>()(one);
  for (const one of Pointers.readMultipleBytes(builder.toBytes())) exactly<Pointers.Reader>()(one);
  exactly<Pointers.Builder>()(Pointers.fromJSON("{}"));
  exactly<Pointers.Builder>()(Pointers.fromText("()"));
  if (value instanceof Pointers) exactly<string>()(value.text);
  if (value instanceof Pointers.Reader) exactly<Pointers.Reader>()(value);
  exactly<string>()(Pointers.schema.name);
  capnp.equals(builder, Pointers.newMessage());
  const reader: Pointers.Reader = builder;
  exactly<Pointers.Reader>()(reader);
  // @ts-expect-error: a field that the struct does not have
  Pointers.newMessage({ txt: "text" });
  // @ts-expect-error: a message of another type
  Pointers.newMessage(Scalars.newMessage());
  // @ts-expect-error: text is not a message
  Pointers.fromBytes("text");
  // @ts-expect-error: a reader is not a builder
  exactly<Pointers.Builder>()(Pointers.fromBytes(builder.toBytes()));
  // @ts-expect-error: a stream may be at its end
  (await Pointers.read(stream)).text;
  // @ts-expect-error: a type without parameters
  Pointers.of("Text");
};

export const plainObjects = (reader: Pointers.Reader): void => {
  const object = exactly<Pointers.Object>()(reader.toObject());
  exactly<string | undefined>()(object.text);
  exactly<bigint[] | undefined>()(object.longs);
  exactly<bigint | undefined>()(object.scalars?.int64);
  exactly<Scalars.Object[] | undefined>()(object.structs);
  exactly<number[][] | undefined>()(object.matrix);
  exactly<Record<string, unknown>>()(reader.toObject({ bytes: "base64" }));
  // @ts-expect-error: what is null is left out
  object.text.length;
  // @ts-expect-error: plain objects have no methods
  object.toBytes();
};

export const constants = (shape: Shape.Reader): void => {
  exactly<number>()(answer);
  exactly<bigint>()(big);
  exactly<string>()(greeting);
  exactly<Color>()(favorite);
  exactly<Place.Reader>()(origin);
  exactly<number | undefined>()(primes.at(0));
  exactly<Uint8Array>()(magic);
  exactly<bigint>()(label);
  exactly<Shape.Fill.Reader>()(Shape.Fill.opaque);
  exactly<string>()(shape.name);
  // @ts-expect-error: what constants hold is read-only
  origin.latitude = 5;
};

/** Functions over structs know generated types as their methods do. */
export const functions = (reader: Pointers.Reader, builder: Pointers.Builder): void => {
  exactly<string>()(capnp.get(reader, "text"));
  exactly<Scalars.Reader>()(capnp.get(reader, "scalars"));
  exactly<Scalars.Builder>()(capnp.get(builder, "scalars"));
  exactly<Scalars.Builder>()(capnp.init(builder, "scalars"));
  exactly<Uint8Array>()(capnp.init(builder, "data", 5));
  exactly<Pointers.Builder>()(capnp.copy(reader));
  exactly<Pointers.Reader>()(capnp.asReader(builder));
  capnp.set(builder, "text", "text");
  exactly<unknown>()(capnp.init(builder as capnp.StructBuilder, "anything", 5));
};

export const orphans = (builder: Pointers.Builder): void => {
  const text = builder.disown("text");
  exactly<string>()(text.get());
  text.truncate(5);
  const scalars = builder.disown("scalars");
  exactly<Scalars.Builder>()(scalars.get());
  exactly<Scalars.Reader>()(scalars.getReader());
  builder.adopt("scalars", scalars);
  exactly<Scalars.Builder>()(builder.any.disown().as(Scalars).get());
  // @ts-expect-error: an orphan of another type
  builder.adopt("data", text);
};

export const anything = (reader: Pointers.Reader, builder: Pointers.Builder, bytes: Uint8Array): void => {
  exactly<capnp.AnyStructReader>()(reader.any.as("AnyStruct"));
  exactly<capnp.AnyListBuilder>()(builder.any.as(capnp.AnyList));
  exactly<Uint8Array>()(reader.any.as("AnyStruct").dataSection);
  exactly<Scalars.Reader>()(capnp.fromBytes(Scalars, bytes));
  exactly<Scalars.Reader>()(capnp.fromBytes(capnp.AnyPointer, bytes).as(Scalars));
  for (const one of capnp.readMultipleBytesPacked("AnyPointer", bytes)) exactly<string>()(one.as("Text"));
  const message = new capnp.MessageBuilder({ firstSegment: bytes, allocate: (words) => new Uint8Array(words * 8) });
  exactly<Scalars.Builder>()(message.initRoot(Scalars));
  message.setRoot({ int8: 5 }, Scalars);
  // @ts-expect-error: no such root
  capnp.fromBytes("Anything", bytes);
};
