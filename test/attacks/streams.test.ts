import { Duplex, Readable } from "node:stream";
import { expect } from "chai";
import type { CapnpError } from "../../lib/errors.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { ByteStreamTransport } from "../../lib/transport/byte-stream.ts";
import { collectGarbage, withinBudgetAsync } from "../support/budget.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { DribbledBytes, dribble } from "../support/dribbled-bytes.ts";
import { SourceOfMessages } from "../support/message-source.ts";

const { Record } = parseLoosely("struct Record { number @0 :UInt64; name @1 :Text; payload @2 :Data; }");

const header = (...values: number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value, true);
  return bytes;
};

const mebibyte = 1024 * 1024;

describe("a stream without end", () => {
  for (const form of ["plain", "packed"] as const) {
    it(`of ${form} messages is read in constant memory`, async () => {
      const source = new SourceOfMessages(Record, form, 48 * mebibyte);
      collectGarbage();
      const before = process.memoryUsage();
      const read = form === "plain" ? Record.readMultiple : Record.readMultiplePacked;
      let count = 0;
      for await (const message of read.call(Record, source.readable())) {
        if (count % 1000 === 0) expect((message as Loose).number).to.equal(source.numberOf(count));
        count++;
      }
      expect(count).to.equal(source.messages);
      await new Promise((resolve) => setImmediate(resolve));
      // Twice: what the first finds dead is freed in the background.
      collectGarbage();
      collectGarbage();
      const after = process.memoryUsage();
      expect(after.arrayBuffers - before.arrayBuffers).to.be.below(8 * mebibyte);
      expect(after.heapUsed - before.heapUsed).to.be.below(8 * mebibyte);
    }).timeout(20_000);

    it(`of ${form} messages is read no faster than its reader takes them`, async () => {
      const source = new SourceOfMessages(Record, form, 48 * mebibyte);
      const stream = source.readable();
      const read = form === "plain" ? Record.readMultiple : Record.readMultiplePacked;
      let taken = 0;
      let most = 0;
      for await (const _message of read.call(Record, stream)) {
        taken++;
        // The consumer takes its time: turns of the event loop in which a greedy reader would go on.
        for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        most = Math.max(most, source.bytesGiven - taken * source.bytesPerMessage);
        if (taken === 200) break;
      }
      // What the stream itself holds ready, and the piece that is being read.
      expect(most).to.be.below(4 * source.pieceBytes + stream.readableHighWaterMark);
      expect(source.bytesGiven).to.be.below(source.totalBytes / 10);
    });
  }
});

describe("a message whose size is only declared", () => {
  const declared = [
    ["512 MiB in one segment", header(0, (512 * mebibyte) / 8), "CAPNP_FRAME_TOO_LARGE"],
    ["16 GiB in one segment", header(0, 0x7fffffff), "CAPNP_FRAME_TOO_LARGE"],
    // PR #2696: sums of 32 bits wrap to 0
    [
      "a sum of sizes that is 2^32 words",
      header(3, 0x40000000, 0x40000000, 0x40000000, 0x40000000, 0),
      "CAPNP_FRAME_TOO_LARGE",
    ],
    ["a sum of sizes that is 2^29 words", header(1, 2 ** 28, 2 ** 28, 0), "CAPNP_FRAME_TOO_LARGE"],
    ["2^32 segments", header(0xffffffff, 0), "CAPNP_FRAME"],
    ["2^31 segments", header(0x7fffffff, 0), "CAPNP_FRAME"],
    ["513 segments", header(512, 0), "CAPNP_FRAME"],
  ] as const;
  for (const [what, bytes, code] of declared) {
    it(`as ${what} is refused from its header by every reader`, async () => {
      await withinBudgetAsync(async () => {
        for (const read of [
          () => Record.read([bytes]),
          () => Record.read(dribble(bytes)),
          () => Record.readMultiple([bytes]).next(),
          async () => Record.readMultipleBytes(bytes).next(),
        ]) {
          const error = await read().then(
            () => expect.fail("it was read"),
            (reason: CapnpError) => reason,
          );
          expect(error).to.have.property("code", code);
        }
      });
    });
  }

  it("takes no more memory than what has come, just below the limit, plain and packed", async () => {
    // 64 MiB are promised; 16 bytes come, then nothing more.
    const plain = header(0, 8 * mebibyte, 1, 2);
    const packed = Uint8Array.of(0x40, 0x80, 0x11, 1, 2);
    await withinBudgetAsync(async () => {
      for (const read of [() => Record.read(dribble(plain)), () => Record.readPacked(dribble(packed))]) {
        const error = await read().catch((reason: CapnpError) => reason);
        expect(error).to.have.property("code", "CAPNP_TRUNCATED");
      }
    });
  });
});

describe("packed bytes that stand for far more", () => {
  // Two bytes for 2 KiB of zeros
  const bomb = Buffer.from("00ff".repeat(50_000), "hex");

  it("are refused as soon as the header is unpacked, by every reader", async () => {
    const huge = Buffer.concat([Uint8Array.of(0x80, 0x10), bomb]);
    await withinBudgetAsync(async () => {
      for (const read of [
        async () => Record.fromBytesPacked(huge),
        () => Record.readPacked([huge]),
        () => Record.readPacked(dribble(huge)),
        async () => Record.readMultipleBytesPacked(huge).next(),
      ]) {
        const error = await read().catch((reason: CapnpError) => reason);
        expect(error).to.have.property("code", "CAPNP_FRAME_TOO_LARGE");
      }
    });
  });

  it("are unpacked to no more than the limit that the reader has for a message", async () => {
    const options = { traversalLimitInWords: 1024 };
    for (const words of [1025, 8 * mebibyte, 2 ** 32 - 1]) {
      const size = header(words);
      const mask = size.reduce((bits, byte, i) => bits | (byte === 0 ? 0 : 1 << (4 + i)), 0);
      const packed = Buffer.concat([Uint8Array.of(mask), size.filter((byte) => byte !== 0), bomb]);
      await withinBudgetAsync(async () => {
        const error = await Record.readPacked([packed], options).catch((reason: CapnpError) => reason);
        expect(error).to.have.property("code", "CAPNP_FRAME_TOO_LARGE");
      });
    }
  });

  it("may be a message within the limit: zeros are zeros", () => {
    const zeros = new Uint8Array(mebibyte);
    zeros.set(header(0, 0x10000));
    const packed = Record.newMessage({ payload: zeros }).toBytesPacked();
    expect(packed.length).to.be.below(2000);
    expect(Record.fromBytesPacked(packed).payload).to.have.lengthOf(mebibyte);
  });

  it("that end anywhere, in pieces of any size, end the reading and not the process", async () => {
    const packed = Record.newMessage({
      number: 1n,
      name: "a name",
      payload: Buffer.from("00".repeat(300) + "ff".repeat(30), "hex"),
    });
    const bytes: Uint8Array = packed.toBytesPacked();
    for (let length = 1; length < bytes.length; length++) {
      for (const pieces of [[bytes.subarray(0, length)], dribble(bytes.subarray(0, length))]) {
        const error = await Record.readPacked(pieces).catch((reason: CapnpError) => reason);
        expect(error, String(length)).to.have.property("code", "CAPNP_TRUNCATED");
      }
    }
  });
});

// grpc-go CVE-2026-84304, ws CVE-2026-48779: the bookkeeping of tiny pieces outweighs what they carry. The same of 4 MiB is in
// test/long/big-streams.long.ts, of the frames alone in test/serialization/framing.test.ts, of a server in rpc-bytes.test.ts.
describe("a message that comes byte by byte", () => {
  const bytes = encodeFrame([new Uint8Array(mebibyte / 2)]);

  it("takes readMultiple no more than twice its size", async () => {
    const dribbled = new DribbledBytes(bytes);
    let messages = 0;
    for await (const message of Record.readMultiple(dribbled.pieces())) {
      expect(message.number).to.equal(0n);
      messages++;
    }
    expect(messages).to.equal(1);
    expect(dribbled.mostMemory).to.be.below(2 * bytes.length + mebibyte);
  }).timeout(20_000);

  it("takes a connection no more than twice its size, and arrives whole", async () => {
    const dribbled = new DribbledBytes(bytes);
    const received = await new Promise<Uint8Array[]>((resolve, reject) => {
      new ByteStreamTransport(dribbled.duplex()).start({
        message: resolve,
        closed: (error) => error !== undefined && reject(error),
      });
    });
    expect(received.map((segment) => segment.length)).to.deep.equal([mebibyte / 2]);
    expect(dribbled.mostMemory).to.be.below(2 * bytes.length + mebibyte);
  }).timeout(20_000);
});

describe("what speaks another protocol", () => {
  // go-capnp #25: an HTTP request made the server allocate gigabytes
  const greetings = [
    "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "POST /rpc HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSH-2.0-OpenSSH_9.2p1\r\n",
    "*1\r\n$4\r\nPING\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
  ];
  for (const greeting of greetings) {
    it(`is told from ${JSON.stringify(greeting.slice(0, 8))} and costs nothing, in a stream of messages and in a connection`, async () => {
      const bytes = Buffer.from(greeting, "latin1");
      await withinBudgetAsync(async () => {
        for (const read of [
          () => Record.read([bytes]),
          () => Record.readMultiple(Readable.from([bytes], { objectMode: false })).next(),
        ]) {
          const error = (await read().catch((reason: CapnpError) => reason)) as CapnpError;
          expect(error.code).to.equal("CAPNP_FRAME");
          expect(error.message).to.include("looks like");
        }
        const error = await new Promise<CapnpError | undefined>((resolve) => {
          const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
          new ByteStreamTransport(stream, { closeTimeout: 1 }).start({ message: () => undefined, closed: resolve });
          stream.push(bytes);
        });
        expect(error?.message).to.include("looks like");
      });
    });
  }
});
