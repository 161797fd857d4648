import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { expect } from "chai";
import type { CapnpError } from "../../lib/errors.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { ByteStreamTransport } from "../../lib/transport/byte-stream.ts";
import { PeakMemory } from "../support/budget.ts";
import { DribbledBytes } from "../support/dribbled-bytes.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { SourceOfMessages } from "../support/message-source.ts";

const { Record } = parseLoosely("struct Record { number @0 :UInt64; name @1 :Text; payload @2 :Data; }");
const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

const report = (what: string, bytes: number, milliseconds: number, memory: PeakMemory): void => {
  const speed = Math.round(bytes / mebibyte / (milliseconds / 1000));
  const peak = `${Math.round(memory.arrayBuffers / mebibyte)} MiB of ArrayBuffers, ${Math.round(memory.rss / mebibyte)} MiB of RSS`;
  console.log(`      ${what}: ${speed} MiB/s, at most ${peak} more than before`);
};

describe("gigabytes of messages", () => {
  for (const [form, total] of [
    ["plain", 8 * gibibyte],
    ["packed", 2 * gibibyte],
  ] as const) {
    it(`that are ${form} pass through readMultiple in constant memory`, async () => {
      const source = new SourceOfMessages(Record, form, total);
      const memory = new PeakMemory();
      const started = performance.now();
      const read = form === "plain" ? Record.readMultiple : Record.readMultiplePacked;
      let count = 0;
      for await (const message of read.call(Record, source.readable())) {
        if (count % 10_000 === 0) {
          expect((message as Loose).number).to.equal(source.numberOf(count));
          memory.sample();
        }
        count++;
      }
      expect(count).to.equal(source.messages);
      report(form, source.totalBytes, performance.now() - started, memory);
      // Garbage between two collections, not messages: more than a gigabyte has passed.
      expect(memory.arrayBuffers).to.be.below(128 * mebibyte);
      expect(memory.rss).to.be.below(384 * mebibyte);
    }).timeout(600_000);
  }

  it("are written in constant memory, as fast as the stream takes them", async () => {
    const message = Record.newMessage({ number: 1n, name: "name", payload: new Uint8Array(64 * 1024) });
    const memory = new PeakMemory();
    const started = performance.now();
    let written = 0;
    const sink = new Writable({
      write(chunk: Uint8Array, _encoding, done) {
        written += chunk.length;
        setImmediate(done);
      },
    });
    for (let i = 0; written < 2 * gibibyte; i++) {
      message.number = BigInt(i);
      await message.write(sink);
      if (i % 1000 === 0) memory.sample();
    }
    report("written", written, performance.now() - started, memory);
    expect(memory.arrayBuffers).to.be.below(128 * mebibyte);
    expect(memory.rss).to.be.below(384 * mebibyte);
  }).timeout(600_000);
});

describe("a message of 4 MiB that comes byte by byte", () => {
  const bytes = encodeFrame([new Uint8Array(4 * mebibyte)]);
  const most = 2 * bytes.length + mebibyte;

  it("takes readMultiple no more than twice its size", async () => {
    const dribbled = new DribbledBytes(bytes);
    let messages = 0;
    for await (const _message of Record.readMultiple(dribbled.pieces())) messages++;
    expect(messages).to.equal(1);
    expect(dribbled.mostMemory).to.be.below(most);
  }).timeout(120_000);

  it("takes a connection no more than twice its size", async () => {
    const dribbled = new DribbledBytes(bytes);
    const received = await new Promise<Uint8Array[]>((resolve, reject) => {
      new ByteStreamTransport(dribbled.duplex()).start({
        message: resolve,
        closed: (error) => error !== undefined && reject(error),
      });
    });
    expect(received.map((segment) => segment.length)).to.deep.equal([4 * mebibyte]);
    expect(dribbled.mostMemory).to.be.below(most);
  }).timeout(120_000);
});

describe("one message of 512 MiB", () => {
  let folder: string;
  let file: string;
  // Data has at most 2^29 - 1 bytes.
  const size = 512 * mebibyte - 4096;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "big-message-"));
    file = join(folder, "message.bin");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("is built and written to a file", async () => {
    const memory = new PeakMemory();
    const started = performance.now();
    const message = Record.newMessage({ number: 7n, name: "large" });
    const payload: Uint8Array = message.init("payload", size);
    payload[0] = 1;
    payload[size - 1] = 2;
    memory.sample();
    const stream = createWriteStream(file);
    await message.write(stream);
    memory.sample();
    await new Promise((resolve) => stream.end(resolve));
    expect((await stat(file)).size).to.be.within(size, size + 4096);
    report("written to a file", size, performance.now() - started, memory);
    // The message, and the frame that is written.
    expect(memory.arrayBuffers).to.be.below(2.1 * size);
  }).timeout(120_000);

  it("is refused with the default limit, before anything is allocated for it", async () => {
    const memory = new PeakMemory();
    const stream = createReadStream(file);
    const error = await Record.read(stream).catch((reason: CapnpError) => reason);
    memory.sample();
    stream.destroy();
    expect(error).to.have.property("code", "CAPNP_FRAME_TOO_LARGE");
    expect(memory.arrayBuffers).to.be.below(mebibyte);
  });

  it("is read from the file where the limit is raised", async () => {
    const memory = new PeakMemory();
    const started = performance.now();
    const watch = setInterval(() => memory.sample(), 20);
    const stream = createReadStream(file);
    const message: Loose = await Record.read(stream, { traversalLimitInWords: 128 * mebibyte }).finally(() =>
      clearInterval(watch),
    );
    memory.sample();
    const payload: Uint8Array = message.payload;
    expect([message.number, message.name, payload.length, payload[0], payload[size - 1]]).to.deep.equal([
      7n,
      "large",
      size,
      1,
      2,
    ]);
    report("read from a file", size, performance.now() - started, memory);
    // The buffer grows by doubling: while it moves, the half that it had is there, too.
    expect(memory.arrayBuffers).to.be.below(2.5 * size);
  }).timeout(120_000);

  it("is read in place from bytes that are in memory, whatever their number", async () => {
    const handle = await open(file);
    const bytes = await handle.readFile();
    await handle.close();
    const memory = new PeakMemory();
    const message: Loose = Record.fromBytes(bytes, { traversalLimitInWords: 128 * mebibyte });
    expect(message.payload.length).to.equal(size);
    memory.sample();
    expect(memory.arrayBuffers).to.be.below(mebibyte);
  }).timeout(120_000);
});
