import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { inspect } from "node:util";
import { expect } from "chai";
import { equals } from "../../lib/schema/equals.ts";
import type { BuilderArena } from "../../lib/serialization/arena.ts";
import { canonicalize, isCanonical } from "../../lib/serialization/canonical.ts";
import { MessageBuilder } from "../../lib/serialization/message.ts";
import { Struct } from "../../lib/serialization/struct.ts";
import { giveMemory, takeMemory } from "../../lib/rpc/message-memory.ts";
import { giveSegmentMemory, takeSegmentMemory } from "../../lib/rpc/segment-memory.ts";
import { messageForms, OutgoingMessage } from "../../lib/rpc/wire.ts";
import { collectGarbage } from "../support/budget.ts";
import { expectError } from "../support/errors.ts";
import type { Loose } from "../support/loose.ts";
import { AllTypes } from "./hostile-messages.ts";

const value = {
  boolField: true,
  int64Field: -1n,
  textField: "text of a message",
  dataField: new Uint8Array([1, 2, 3, 4, 5]),
  structField: { textField: "inner", int8List: [1, 2, 3] },
  boolList: [true, false, true],
  textList: ["a", "bcdefghijk"],
  dataList: [new Uint8Array([9, 8, 7])],
  structList: [{ textField: "x" }, { int32Field: 5 }],
  listList: [[1], [2, 3]],
};
const secret = 0xa5;

/** The bytes in the middle of memory that holds other things: what Node's streams and pools give out. */
const amongSecrets = (bytes: Uint8Array, offset = 24): Uint8Array => {
  const memory = Buffer.alloc(bytes.length + 2 * 64, secret);
  memory.set(bytes, offset);
  return memory.subarray(offset, offset + bytes.length);
};

/** Everything that reads a message and might be tempted to write to it. */
const readings: Readonly<Record<string, (reader: Loose) => unknown>> = {
  "every field": (reader) => AllTypes.schema.fields.map(({ name }: Loose) => reader.get(name)),
  toObject: (reader) => reader.toObject({ defaults: true }),
  toJSON: (reader) => JSON.stringify(reader),
  toText: (reader) => reader.toText({ pretty: true }),
  inspect: (reader) => inspect(reader),
  equals: (reader) => equals(reader, reader.asReader()),
  canonicalize: canonicalize,
  isCanonical: (reader) => isCanonical(reader.toSegmentViews()),
  totalSize: (reader) => reader.totalSize,
  copy: (reader) => {
    const copy = reader.copy();
    copy.structField.textField = "changed";
    copy.structList[0].init("textList", 3);
    copy.dataField.fill(0xff);
    return copy;
  },
  "a setter of another message": (reader) => {
    const other = AllTypes.newMessage({
      structField: reader,
      structList: reader.structList,
      dataField: reader.dataField,
    });
    other.structField.textField = "changed";
    other.dataField.fill(0xff);
  },
  toBytes: (reader) => [reader.toBytes().fill(0xff), reader.toBytesPacked().fill(0xff)],
  "toBytes of a part": (reader) => reader.structField.toBytes().fill(0xff),
  toSegments: (reader) => reader.toSegments().map((segment: Uint8Array) => segment.fill(0xff)),
  lists: (reader) => [...reader.structList].concat(reader.boolList.toArray(), reader.textList.map(String)),
  "setters, which a reader does not have": (reader) => {
    for (const { name } of AllTypes.schema.fields) expect(() => Object.assign(reader, { [name]: null })).to.throw();
  },
};

/** Collects all messages that nobody refers to. The one that was read last stays, so that is another one. */
const forgetMessages = async (): Promise<void> => {
  // V8 may keep what was on the stack for a collection more.
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    expect(AllTypes.newMessage({ structField: {} }).asReader().structField.int8Field).to.equal(0);
    collectGarbage();
  }
};

describe("a message that is read", () => {
  const whole: Uint8Array = AllTypes.newMessage(value).toBytes();
  const scattered: Uint8Array = AllTypes.newMessage(value, { firstSegmentWords: 1, allocation: "fixed" }).toBytes();

  for (const [what, read] of Object.entries(readings)) {
    it(`is never changed by ${what}, nor is what lies beside it`, () => {
      for (const original of [whole, scattered]) {
        const bytes = amongSecrets(original);
        const memory = new Uint8Array(bytes.buffer);
        const before = createHash("sha256").update(memory).digest("hex");
        read(AllTypes.fromBytes(bytes));
        expect(createHash("sha256").update(memory).digest("hex")).to.equal(before);
      }
    });
  }

  it("shows nothing of the memory around it, wherever it lies there", () => {
    for (let offset = 0; offset < 24; offset++) {
      const reader = AllTypes.fromBytes(amongSecrets(whole, offset));
      const outputs: Uint8Array[] = [
        reader.toBytes(),
        reader.toBytesPacked(),
        ...reader.toSegments(),
        ...reader.toSegmentViews(),
        reader.structField.toBytes(),
        canonicalize(reader),
        reader.copy().toBytes(),
        reader.dataField,
        ...reader.dataList,
      ];
      for (const output of outputs) expect(output.includes(secret), `at ${offset}`).to.equal(false);
      expect(reader.toObject()).to.deep.equal(AllTypes.fromBytes(whole).toObject());
      expect(Buffer.from(reader.toBytes()).equals(whole)).to.equal(true);
    }
  });

  it("cannot lie in memory that another thread may change", async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(whole.length));
    shared.set(whole);
    for (const read of [
      () => AllTypes.fromBytes(shared),
      () => AllTypes.fromBytes(new DataView(shared.buffer)),
      () => AllTypes.fromBytesPacked(shared),
      () => AllTypes.fromSegments([new Uint8Array(8), shared]),
      () => [...AllTypes.readMultipleBytes(shared)],
    ]) {
      expectError("CAPNP_TYPE", read, "SharedArrayBuffer", "slice()");
    }
    expectError("CAPNP_TYPE", () => AllTypes.fromBytes(shared.buffer));
    for (const stream of [
      [shared],
      Readable.from([shared]),
      new ReadableStream({ start: (out) => out.enqueue(shared) }),
    ]) {
      const error = await AllTypes.read(stream).catch((reason: unknown) => reason);
      expect(error).to.have.property("code", "CAPNP_TYPE");
    }
    expect(AllTypes.fromBytes(shared.slice()).textField).to.equal(value.textField);
  });

  it("is all that a reader keeps alive: other messages of its stream are collected", async () => {
    const pieces: WeakRef<ArrayBufferLike>[] = [];
    // In a function of its own, whose variables are gone when it has ended.
    const keepOne = async (): Promise<Loose> => {
      const stream = (function* () {
        for (let i = 0; i < 50; i++) {
          const piece = whole.slice();
          pieces.push(new WeakRef(piece.buffer));
          yield piece;
        }
      })();
      let kept: Loose;
      let index = 0;
      for await (const message of AllTypes.readMultiple(stream)) if (index++ === 20) kept = message;
      return kept;
    };
    const kept = await keepOne();
    await forgetMessages();
    const alive = pieces.map((piece, i) => (piece.deref() === undefined ? -1 : i)).filter((i) => i >= 0);
    expect(alive).to.deep.equal([20]);
    expect(kept.textField).to.equal(value.textField);
  });

  it("and its text, plain object and copy keep nothing of it", async () => {
    const results: unknown[] = [];
    const memory = ((): WeakRef<ArrayBufferLike> => {
      const bytes = whole.slice();
      const reader = AllTypes.fromBytes(bytes);
      const { dataField: _data, dataList: _list, ...rest } = reader.toObject();
      results.push(rest, reader.toText(), reader.copy(), reader.toBytes(), reader.toSegments());
      return new WeakRef(bytes.buffer);
    })();
    await forgetMessages();
    expect(memory.deref()).to.equal(undefined);
    expect(results).to.have.lengthOf(5);
  });
});

describe("a message that is built", () => {
  it("is given out in memory of its own, or as views no longer than what is in use", () => {
    const message = AllTypes.newMessage(value);
    for (const bytes of [message.toBytes(), message.toBytesPacked(), ...message.toSegments()]) {
      expect(bytes.byteOffset).to.equal(0);
      expect(bytes.buffer.byteLength).to.equal(bytes.length);
    }
    const views: Uint8Array[] = message.toSegmentViews();
    expect(views.map((view) => view.length)).to.deep.equal(message.toSegments().map((one: Uint8Array) => one.length));
  });

  it("is zero wherever nothing was written, also where something else was before", () => {
    const message = AllTypes.newMessage(value);
    for (const { name, type } of AllTypes.schema.fields) {
      if (["text", "data", "list", "struct"].includes(type.which)) message.set(name, null);
    }
    message.boolField = false;
    message.int64Field = 0n;
    for (const segment of message.toSegments()) {
      // All but the root pointer.
      expect(segment.subarray(8).every((byte: number) => byte === 0)).to.equal(true);
    }
    expect(message.init("dataField", 100).every((byte: number) => byte === 0)).to.equal(true);
    expect([...message.init("int64List", 10)].every((one) => one === 0n)).to.equal(true);
  });

  it("shares its memory with no other, though messages of calls lie side by side", () => {
    const pieces = Array.from({ length: 200 }, takeMemory);
    for (const [i, { bytes }] of pieces.entries()) {
      expect(bytes.every((byte) => byte === 0)).to.equal(true);
      bytes.fill(1 + (i % 255));
    }
    for (const [i, { bytes }] of pieces.entries()) {
      expect(bytes.every((byte) => byte === 1 + (i % 255))).to.equal(true);
    }
    const { bytes, view } = takeMemory();
    const neighbour = takeMemory();
    const builder = new MessageBuilder(undefined, bytes, undefined, undefined, view);
    // More than there is room for: the rest goes into a segment of its own.
    builder.initRoot(Struct, 2048, 0);
    expect(builder.segments().length).to.equal(2);
    expect(neighbour.bytes.every((byte) => byte === 0)).to.equal(true);
  });

  it("gets memory that was used before only when it is zeroed", () => {
    const memory = takeMemory();
    memory.bytes.fill(0xff, 0, 100);
    giveMemory(memory, 100);
    const again = takeMemory();
    expect(again).to.equal(memory);
    expect(again.bytes.every((byte) => byte === 0)).to.equal(true);
  });

  it("gives its memory back once it is sent and done, and cannot look at it any more", () => {
    for (const first of ["sent", "done"] as const) {
      const message = new OutgoingMessage(messageForms.finish);
      const [bytes] = message.segments;
      const { rootSegment } = message.builder;
      message[first]();
      expect(
        bytes?.some((byte) => byte !== 0),
        first,
      ).to.equal(true);
      message[first === "sent" ? "done" : "sent"]();
      expect(
        bytes?.every((byte) => byte === 0),
        first,
      ).to.equal(true);
      expect(rootSegment.bytes.length).to.equal(0);
      expect(message.segments).to.deep.equal([]);
      expect(() => message.at.$segment.view.getUint8(0)).to.throw(RangeError);
    }
  });

  it("leaves what still refers to it without a message, though its arena serves the next one", () => {
    const message = new OutgoingMessage(messageForms.finish);
    const { at, builder } = message;
    message.sent();
    message.done();
    const next = new OutgoingMessage(messageForms.finish);
    expect(next.builder).to.equal(builder);
    const before = next.bytes;
    expectError("CAPNP_RELEASED", () => (at.$segment.arena as BuilderArena).roomFor(8));
    expect(at.$segment.arena).not.to.equal(next.builder.arena);
    expect(message.builder).not.to.equal(next.builder);
    expect(next.bytes).to.equal(before);
    expect(next.at.$segment.arena).to.equal(next.builder.arena);
    next.sent();
    next.done();
  });

  it("gives further segments back zeroed, and keeps one that somebody may look at", () => {
    for (const exposed of [false, true]) {
      const message = new OutgoingMessage(messageForms.finish);
      const further = message.builder.arena.roomFor(70_000);
      further.bytes.fill(7, further.allocate(70_000), 70_000);
      const { bytes } = further;
      if (exposed) further.expose(0, 8);
      message.sent();
      expect(bytes[69_999]).to.equal(7);
      message.done();
      expect(bytes.subarray(0, 70_000).every((byte) => byte === (exposed ? 7 : 0))).to.equal(true);
      const next = takeSegmentMemory(70_000);
      expect(next === bytes).to.equal(!exposed);
      expect(next.every((byte) => byte === 0)).to.equal(true);
      expect(further.bytes.length > 0).to.equal(exposed);
    }
  });

  it("keeps no more memory for further segments than 4 MiB, and no large piece", () => {
    const pieces = Array.from({ length: 200 }, () => takeSegmentMemory(64 * 1024));
    for (const piece of pieces) giveSegmentMemory(piece, 0);
    const known = new Set(pieces);
    const again = Array.from({ length: 200 }, () => takeSegmentMemory(64 * 1024));
    expect(again.filter((piece) => known.has(piece)).length).to.be.at.most(64);
    const large = takeSegmentMemory(2 * 1024 * 1024);
    giveSegmentMemory(large, 0);
    expect(takeSegmentMemory(2 * 1024 * 1024)).not.to.equal(large);
  });

  it("keeps its memory where somebody outside may look at it later", () => {
    const message = new OutgoingMessage(messageForms.finish);
    const [bytes] = message.segments;
    message.builder.rootSegment.isExposed = true;
    message.sent();
    message.done();
    expect(bytes?.some((byte) => byte !== 0)).to.equal(true);
    const { bytes: next } = takeMemory();
    expect(next.buffer !== bytes?.buffer || next.byteOffset !== bytes.byteOffset).to.equal(true);
  });
});
