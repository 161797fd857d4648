import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import * as capnp from "capstan";
import { expect } from "chai";
import { expectError } from "../support/errors.ts";
import { waysIn } from "./address-books.ts";

/** A multipart message as ZeroMQ frames it: each part with its length, and a flag that says whether another follows. */
const toFrames = (parts: readonly Uint8Array[]): Buffer =>
  Buffer.concat(
    parts.flatMap((part, index) => {
      const head = Buffer.alloc(9);
      head[0] = index < parts.length - 1 ? 3 : 2;
      head.writeBigUInt64BE(BigInt(part.length), 1);
      return [head, part];
    }),
  );

const fromFrames = (bytes: Buffer): Uint8Array[] => {
  const parts: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const [flags, length] = [bytes[at], Number(bytes.readBigUInt64BE(at + 1))];
    parts.push(bytes.subarray(at + 9, at + 9 + length));
    at += 9 + length;
    if (flags === 2) return parts;
  }
};

const received = async (socket: Socket): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks);
};

for (const { way, schema } of waysIn) {
  const { AddressBook, Person } = schema;

  describe(`quickstart: bytes and segments, ${way}`, () => {
    const alice = Person.newMessage({ id: 123, name: "Alice", phones: [{ number: "555-1212", type: "home" }] });

    it("toBytes gives the message as bytes (both: Byte Strings/Buffers)", () => {
      const encoded = alice.toBytes();
      expect(encoded).to.be.instanceOf(Uint8Array);
      expect(encoded.length % 8).to.equal(0);
    });

    it("fromBytes reads them, in place, from anything that holds bytes (both: Byte Strings/Buffers)", () => {
      const encoded = alice.toBytes();
      const shifted = Buffer.concat([Buffer.from("x"), encoded]).subarray(1);
      for (const bytes of [
        encoded,
        Buffer.from(encoded),
        encoded.slice().buffer,
        shifted,
        new DataView(encoded.buffer),
      ]) {
        expect(Person.fromBytes(bytes).toObject()).to.deep.equal(alice.toObject());
      }
      // @ts-expect-error: text is not bytes
      expectError("CAPNP_TYPE", () => Person.fromBytes("text"));
      expectError("CAPNP_TRUNCATED", () => Person.fromBytes(encoded.subarray(0, 20)));
    });

    it("packed bytes are fewer, and come back (both: Byte Strings/Buffers)", () => {
      const packed = alice.toBytesPacked();
      const alice2 = Person.fromBytesPacked(packed);
      expect(packed.length).to.be.lessThan(alice.toBytes().length);
      expect(alice2.toObject()).to.deep.equal(alice.toObject());
    });

    it("messages that stand one behind the other in bytes are read in order (both: Multi-message files)", () => {
      const bob = Person.newMessage({ name: "Bob" });
      const bytes = Buffer.concat([alice.toBytes(), bob.toBytes()]);
      const packed = Buffer.concat([alice.toBytesPacked(), bob.toBytesPacked()]);
      const names = [
        [...Person.readMultipleBytes(bytes)].map(({ name }) => name),
        [...Person.readMultipleBytesPacked(packed)].map(({ name }) => name),
      ];
      expect(names).to.deep.equal([
        ["Alice", "Bob"],
        ["Alice", "Bob"],
      ]);
    });

    it("reading obeys a limit on what it may cost (both: Byte Strings/Buffers)", () => {
      const book = AddressBook.newMessage({ people: Array.from({ length: 100 }, () => ({ name: "x" })) });
      const limited = AddressBook.fromBytes(book.toBytes(), { traversalLimitInWords: 50 });
      expectError("CAPNP_TRAVERSAL_LIMIT", () => limited.people.map(({ name }) => name));
      const trusted = AddressBook.fromBytes(book.toBytes(), { traversalLimitInWords: Number.POSITIVE_INFINITY });
      expect(trusted.people.length).to.equal(100);
      expectError("CAPNP_NESTING_LIMIT", () => AddressBook.fromBytes(book.toBytes(), { nestingLimit: 1 }).people.at(0));
    });

    it("toSegments gives the segments, each a piece of bytes, without the table of toBytes (new: Byte Segments)", () => {
      const book = AddressBook.newMessage(undefined, { firstSegmentWords: 8, allocation: "fixed" });
      for (const [index, person] of [...book.init("people", 5)].entries()) person.name = `person ${index}`;
      const segments = book.toSegments();
      expect(segments.length).to.be.greaterThan(1);
      for (const segment of segments) expect(segment).to.be.instanceOf(Uint8Array);
      const length = segments.reduce((sum, segment) => sum + segment.length, 0);
      const table = Math.ceil((4 + 4 * segments.length) / 8) * 8;
      expect(book.toBytes().length).to.equal(length + table);
      expect(AddressBook.fromSegments(segments).toObject()).to.deep.equal(book.toObject());
    });

    it("segments travel as the frames of a ZeroMQ message (new: Byte Segments)", async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const accepted = once(server, "connection");
      const sender = createConnection((server.address() as { port: number }).port, "127.0.0.1");
      sender.end(toFrames(alice.toSegments()));
      const [receiver] = await accepted;
      const parts = fromFrames(await received(receiver));
      expect(parts.length).to.equal(alice.toSegments().length);
      expect(Person.fromSegments(parts).toObject()).to.deep.equal(alice.toObject());
      server.close();
    });

    it("segments are given without a copy, too, and read without one (new: Byte Segments)", () => {
      const person = Person.newMessage({ id: 1 });
      const read = Person.fromSegments(person.toSegmentViews());
      person.id = 2;
      expect(read.id).to.equal(2);
      expect(Person.fromSegments(person.toSegments()).id).to.equal(2);
    });
  });
}

describe("quickstart: messages without a schema", () => {
  it("messages of types that are not known yet are read as AnyPointers (both: Byte Strings/Buffers)", () => {
    const { AddressBook, Person } = waysIn[0]!.schema;
    const bytes = Buffer.concat([Person.newMessage({ name: "Alice" }).toBytes(), AddressBook.newMessage().toBytes()]);
    const [first, second] = [...capnp.readMultipleBytes("AnyPointer", bytes)];
    expect(first!.as(Person).name).to.equal("Alice");
    expect(second!.as(AddressBook).people.length).to.equal(0);
  });

  it("a message is built and read at the level below, too (old: Byte Strings/Buffers)", () => {
    const { Person } = waysIn[0]!.schema;
    const message = new capnp.MessageBuilder({ firstSegmentWords: 4 });
    message.initRoot(Person).name = "Alice";
    expect(capnp.fromBytes(Person, message.toBytes()).name).to.equal("Alice");
  });
});
