import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { expect } from "chai";
import { CapnpError, type ErrorCode } from "../../lib/errors.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";

const { AllTypes, Old, Shapes } = loadLoosely("test/fixtures/all-types.capnp");

const build = (text: string): Loose =>
  AllTypes.newMessage({ textField: text, structList: [{ textField: `${text}!` }] });
const texts = async (messages: AsyncIterable<Loose> | Iterable<Loose>): Promise<string[]> => {
  const found: string[] = [];
  for await (const one of messages) found.push(one.textField);
  return found;
};
const rejects = async (code: ErrorCode, promise: Promise<unknown>): Promise<void> => {
  let reason: unknown;
  await promise.catch((error: unknown) => {
    reason = error;
  });
  expect(reason).to.be.instanceOf(CapnpError);
  expect((reason as CapnpError).code, (reason as CapnpError).message).to.equal(code);
};
/** Gives bytes in pieces of a size. */
const pieces = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

describe("a message as bytes", () => {
  it("reads back from bytes, packed bytes and segments", () => {
    const message = build("a");
    for (const again of [
      AllTypes.fromBytes(message.toBytes()),
      AllTypes.fromBytesPacked(message.toBytesPacked()),
      AllTypes.fromSegments(message.toSegments()),
      AllTypes.fromSegments(message.toSegmentViews()),
      AllTypes.fromBytes(message.toBytes().slice().buffer),
      AllTypes.fromBytes(Buffer.concat([Buffer.alloc(3), message.toBytes()]).subarray(3)),
    ]) {
      expect(again.toObject()).to.deep.equal(message.toObject());
    }
  });

  it("is not read with limits that are none", async () => {
    const bytes = build("a").toBytes();
    for (const [options, code] of [
      [{ traversalLimitInWords: "x" }, "CAPNP_TYPE"],
      [{ traversalLimitInWords: Number.NaN }, "CAPNP_RANGE"],
      [{ nestingLimit: -1 }, "CAPNP_RANGE"],
      [{ nestingLimit: "5" }, "CAPNP_TYPE"],
    ] as const) {
      expectError(code, () => AllTypes.fromBytes(bytes, options), Object.keys(options)[0] ?? "");
      expectError(code, () => AllTypes.fromSegments([bytes.subarray(8)], options));
      expectError(code, () => [...AllTypes.readMultipleBytes(bytes, options)]);
      await rejects(code, AllTypes.read(Readable.from([bytes]), options));
      await rejects(code, AllTypes.readPacked(Readable.from([bytes]), options));
    }
    const all = { traversalLimitInWords: Number.POSITIVE_INFINITY, nestingLimit: Number.POSITIVE_INFINITY };
    expect(AllTypes.fromBytes(bytes, all).structList[0].textField).to.equal("a!");
  });

  it("is read where its segments lie, or from copies of them", () => {
    const segments = build("a").toSegments();
    const inPlace = AllTypes.fromSegments(segments);
    const copied = AllTypes.fromSegments(segments, { copy: true });
    for (const segment of segments) segment.fill(0, 8);
    expect([inPlace.textField, copied.textField]).to.deep.equal(["", "a"]);
  });

  it("is the message itself where the struct is the root, and a copy of its own where it is not", () => {
    const message = build("a");
    const before = message.toBytes();
    expect(AllTypes.fromBytes(before).toBytes()).to.deep.equal(before);
    const [view] = message.toSegmentViews();
    const [copy] = message.toSegments();
    message.int8Field = 7;
    expect(view).to.not.deep.equal(copy);
    const inner = message.structList[0];
    const alone = AllTypes.fromBytes(inner.toBytes());
    expect(alone.textField).to.equal("a!");
    expect(inner.toBytes().length).to.be.lessThan(message.toBytes().length);
    expect(AllTypes.fromBytes(AllTypes.fromBytes(message.toBytes()).structList[0].toBytes()).textField).to.equal("a!");
  });

  it("of a group holds the fields of the group alone", () => {
    const shape = Shapes.newMessage({ label: "secret", place: { x: 5, name: "p" } });
    const bytes = shape.place.toBytes();
    expect(Buffer.from(bytes).includes("secret")).to.equal(false);
    expect(Shapes.fromBytes(bytes).place.name).to.equal("p");
  });

  it("of a null struct is one of an empty struct", () => {
    const empty = AllTypes.fromBytes(AllTypes.newMessage().toBytes()).structField;
    expect(AllTypes.fromBytes(empty.toBytes()).int32Field).to.equal(0);
  });

  it("keeps what a newer schema wrote", () => {
    const { New } = loadLoosely("test/fixtures/all-types.capnp");
    const bytes = New.newMessage({ a: 1, b: 5n, s: "kept" }).toBytes();
    expect(New.fromBytes(Old.fromBytes(bytes).toBytes()).toObject()).to.deep.include({ a: 1, b: 5n, s: "kept" });
    expect(New.fromBytes(Old.fromBytes(bytes).copy().toBytes()).s).to.equal("kept");
  });

  it("obeys the limits of its reader", () => {
    const message = build("a".repeat(10_000));
    const limited = AllTypes.fromBytes(message.toBytes(), { traversalLimitInWords: 100 });
    expectError("CAPNP_TRAVERSAL_LIMIT", () => limited.textField);
    expectError(
      "CAPNP_NESTING_LIMIT",
      () => AllTypes.fromBytes(message.toBytes(), { nestingLimit: 1 }).structList.length,
    );
    const options = { traversalLimitInWords: 100 };
    expectError("CAPNP_FRAME_TOO_LARGE", () => AllTypes.fromBytesPacked(message.toBytesPacked(), options));
  });

  it("is refused where it is none", () => {
    for (const length of [0, 4, 7, 16]) {
      expectError("CAPNP_TRUNCATED", () => AllTypes.fromBytes(build("a").toBytes().subarray(0, length)));
      expectError("CAPNP_TRUNCATED", () => AllTypes.fromBytesPacked(build("a").toBytesPacked().subarray(0, length)));
    }
    expectError("CAPNP_TYPE", () => AllTypes.fromBytes("text"), "bytes");
  });

  it("may be one of many", async () => {
    const plain = Buffer.concat(["a", "b", "c"].map((text) => build(text).toBytes()));
    const packed = Buffer.concat(["a", "b", "c"].map((text) => build(text).toBytesPacked()));
    expect(await texts(AllTypes.readMultipleBytes(plain))).to.deep.equal(["a", "b", "c"]);
    expect(await texts(AllTypes.readMultipleBytesPacked(packed))).to.deep.equal(["a", "b", "c"]);
    expect(await texts(AllTypes.readMultipleBytes(new Uint8Array(0)))).to.deep.equal([]);
    expectError("CAPNP_TRUNCATED", () => [...AllTypes.readMultipleBytes(plain.subarray(0, -8))]);
  });
});

describe("a message in a stream", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "capstan-messages-"));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [form, write, read, readMultiple] of [
    ["plain", "write", "read", "readMultiple"],
    ["packed", "writePacked", "readPacked", "readMultiplePacked"],
  ] as const) {
    describe(form, () => {
      const bytesOf = (text: string): Uint8Array =>
        form === "plain" ? build(text).toBytes() : build(text).toBytesPacked();
      const three = Buffer.concat(["a", "b", "c"].map(bytesOf));

      it("is written to a file as its bytes are, and read back one at a time until the end", async () => {
        const path = join(folder, `${form}.bin`);
        const file = createWriteStream(path);
        for (const text of ["a", "b", "c"]) await build(text)[write](file);
        await finished(file.end());
        expect(await readFile(path)).to.deep.equal(three);
        const stream = createReadStream(path);
        for (const text of ["a", "b", "c"]) expect((await AllTypes[read](stream)).textField).to.equal(text);
        expect(await AllTypes[read](stream)).to.equal(undefined);
        expect(await AllTypes[read](stream)).to.equal(undefined);
        expect(await texts(AllTypes[readMultiple](createReadStream(path)))).to.deep.equal(["a", "b", "c"]);
      });

      it("leaves in the stream what follows it", async () => {
        const stream = Readable.from([Buffer.concat([bytesOf("a"), Buffer.from("the rest")])], { objectMode: false });
        expect((await AllTypes[read](stream)).textField).to.equal("a");
        expect(String(stream.read())).to.equal("the rest");
      });

      it("is read from pieces of any size and from streams of any kind", async () => {
        for (const size of [1, 7, 8, 1000]) {
          const parts = pieces(three, size);
          const sources = [
            Readable.from(parts, { objectMode: false }),
            Readable.from(parts),
            Readable.toWeb(Readable.from(parts)),
            parts,
            (async function* () {
              yield* parts;
            })(),
          ];
          for (const source of sources) {
            expect((await AllTypes[read](source)).textField).to.equal("a");
            expect(await texts(AllTypes[readMultiple](source))).to.deep.equal(["b", "c"]);
            expect(await AllTypes[read](source)).to.equal(undefined);
          }
        }
      });

      it("leaves the rest in the stream when the loop over many is left", async () => {
        for (const source of [
          Readable.from([three], { objectMode: false }),
          Readable.toWeb(Readable.from([three])),
          pieces(three, 5),
        ]) {
          for await (const message of AllTypes[readMultiple](source)) {
            expect(message.textField).to.equal("a");
            break;
          }
          expect((await AllTypes[read](source)).textField).to.equal("b");
          expect(await texts(AllTypes[readMultiple](source))).to.deep.equal(["c"]);
        }
      });

      it("is read in order by readers that do not wait for each other", async () => {
        const stream = new PassThrough();
        const reads = Promise.all([AllTypes[read](stream), AllTypes[read](stream), AllTypes[read](stream)]);
        for (const part of pieces(three, 50)) stream.write(part);
        expect((await reads).map((one) => one.textField)).to.deep.equal(["a", "b", "c"]);
        stream.end();
        expect(await AllTypes[read](stream)).to.equal(undefined);
      });

      it("is refused where the stream ends within it, fails, or says something else", async () => {
        for (const length of [1, 9, 30]) {
          await rejects("CAPNP_TRUNCATED", AllTypes[read](Readable.from([bytesOf("a").subarray(0, length)])));
        }
        const failing = new PassThrough();
        const reading = AllTypes[read](failing);
        failing.destroy(new Error("cable cut"));
        expect(await reading.catch((error: Error) => error.message)).to.equal("cable cut");
        const closing = new PassThrough();
        const waiting = AllTypes[read](closing);
        closing.destroy();
        await rejects("CAPNP_TRUNCATED", waiting);
        await rejects("CAPNP_TRUNCATED", AllTypes[read](closing));
        await rejects("CAPNP_TYPE", AllTypes[read](Readable.from(["text"])));
        await rejects("CAPNP_TYPE", AllTypes[read](5));
      });

      it("is written to a stream of the web, in order", async () => {
        const written: Uint8Array[] = [];
        const sink = new WritableStream<Uint8Array>({
          write: (chunk) => {
            written.push(chunk);
          },
        });
        await Promise.all(["a", "b", "c"].map((text) => build(text)[write](sink)));
        expect(Buffer.concat(written)).to.deep.equal(three);
      });

      it("waits until the stream has taken it", async () => {
        const taken: (() => void)[] = [];
        const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => taken.push(done) });
        let isWritten = false;
        const writing = build("a")
          [write](slow)
          .then(() => {
            isWritten = true;
          });
        await new Promise(setImmediate);
        expect(isWritten).to.equal(false);
        taken[0]?.();
        await writing;
        expect(slow.listenerCount("error")).to.equal(0);
      });

      it("rejects, and breaks nothing else, where the stream fails", async () => {
        const missing = createWriteStream(join(folder, "missing", "file"));
        const error = await build("a")
          [write](missing)
          .catch((reason: NodeJS.ErrnoException) => reason);
        expect(error.code).to.equal("ENOENT");
        const again = await build("a")
          [write](missing)
          .catch((reason: unknown) => reason);
        expect(again).to.be.instanceOf(Error);
        await rejects("CAPNP_TYPE", build("a")[write]({}));
      });
    });
  }
});
