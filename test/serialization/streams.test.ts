import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { expect } from "chai";
import { expectedMessageBytes } from "../../lib/serialization/message-size.ts";
import { encodeFrame, frameHeader } from "../../lib/serialization/framing.ts";
import { pack, unpack, unpackedSize } from "../../lib/serialization/packed.ts";
import { CapnpError } from "../../lib/errors.ts";
import { expectError } from "../support/errors.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";

const { AllTypes } = loadLoosely("test/fixtures/all-types.capnp");

const example = {
  int64Field: -5n,
  textField: "foo",
  dataField: Uint8Array.of(1, 2, 3),
  structField: { textField: "nested", structField: { textField: "deep" } },
  boolList: [true, false, true],
  structList: [{ textField: "1" }, { textField: "2" }],
};
const check = (read: Loose): void => {
  expect(read.int64Field).to.equal(-5n);
  expect([read.textField, read.structField.structField.textField]).to.deep.equal(["foo", "deep"]);
  expect(read.structList.map((one: Loose) => one.textField)).to.deep.equal(["1", "2"]);
  expect([...read.boolList]).to.deep.equal([true, false, true]);
};

/** A message of exactly so many segments: one for each object, and some without content. */
const messageOf = (segments: number): Loose => {
  if (segments === 1) return AllTypes.newMessage(example, { firstSegmentWords: 4096 });
  const message = AllTypes.newMessage(example, { firstSegmentWords: 1, allocation: "fixed" });
  const { arena } = message.$segment;
  while (arena.segments.length < segments) arena.addExternal(new Uint8Array(8));
  return message;
};

/** As C++ names them: one segment, an odd number of several, an even number. */
const shapes = [
  { name: "one segment", message: () => messageOf(1) },
  { name: "an odd number of segments", message: () => messageOf(23) },
  { name: "an even number of segments", message: () => messageOf(24) },
];

const allZero = () => AllTypes.newMessage({}, { firstSegmentWords: 4096 });
const huge = (options: object) => AllTypes.newMessage({ textField: "x".repeat(5023) }, options);

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const encodings = [
  { name: "plain", to: "toBytes", from: "fromBytes", write: "write", read: "read", multiple: "readMultiple" },
  {
    name: "packed",
    to: "toBytesPacked",
    from: "fromBytesPacked",
    write: "writePacked",
    read: "readPacked",
    multiple: "readMultiplePacked",
  },
] as const;

/** Expects a promise to reject with a CapnpError of a code. */
const rejects = async (code: string, promise: Promise<unknown>): Promise<void> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(CapnpError);
  expect((error as CapnpError).code).to.equal(code);
};

for (const { name: encoding, to, from, write, read, multiple } of encodings) {
  describe(`a ${encoding} message`, () => {
    for (const { name, message } of shapes) {
      describe(`of ${name}`, () => {
        it("comes back from its bytes", () => {
          const bytes = message()[to]();
          check(AllTypes[from](bytes));
          check(AllTypes[from](Buffer.concat([bytes, Buffer.from("what follows")])));
        });

        it("comes back from a stream, whatever its pieces are", async () => {
          const bytes = message()[to]();
          for (const size of [1, 3, 8, 1000, bytes.length]) {
            check(await AllTypes[read](pieces(bytes, size)));
            check(await AllTypes[read](Readable.from(pieces(bytes, size))));
          }
        });

        it("is written to a stream as its bytes are", async () => {
          const root = message();
          const stream = new PassThrough();
          await root[write](stream);
          expect(stream.read()).to.deep.equal(Buffer.from(root[to]()));
        });

        it("is copied to a builder as it is read", async () => {
          const copy = (await AllTypes[read](pieces(message()[to](), 100))).copy();
          copy.int8Field = 9;
          check(copy);
          expect(AllTypes.fromBytes(copy.toBytes()).int8Field).to.equal(9);
        });
      });
    }

    it("of zeros alone comes back", async () => {
      for (const root of [allZero(), AllTypes.newMessage({}, { firstSegmentWords: 1, allocation: "fixed" })]) {
        expect(AllTypes[from](root[to]()).toObject()).to.deep.equal(AllTypes.newMessage().toObject());
        const streamed = await AllTypes[read](pieces(root[to](), 2));
        expect(streamed.toObject()).to.deep.equal(AllTypes.newMessage().toObject());
      }
    });

    it("with a huge string comes back", async () => {
      for (const options of [{}, { firstSegmentWords: 1, allocation: "fixed" }, { firstSegmentWords: 4096 }]) {
        const root = huge(options);
        expect(AllTypes[from](root[to]()).textField).to.equal("x".repeat(5023));
        expect((await AllTypes[read](pieces(root[to](), 77))).textField).to.equal("x".repeat(5023));
      }
    });

    it("may be followed by another in the same stream, read one at a time or all at once", async () => {
      const both = Buffer.concat(shapes.flatMap(({ message }) => [message()[to](), allZero()[to]()]));
      for (const size of [1, 13, 4096, both.length]) {
        const stream = Readable.from(pieces(both, size));
        const one: string[] = [];
        for (let next = await AllTypes[read](stream); next !== undefined; next = await AllTypes[read](stream)) {
          one.push(next.textField);
        }
        expect(one).to.deep.equal(["foo", "", "foo", "", "foo", ""]);
        const all: string[] = [];
        for await (const next of AllTypes[multiple](pieces(both, size))) all.push(next.textField);
        expect(all).to.deep.equal(one);
      }
    });

    it("goes through files, at the place where they stand", async () => {
      const folder = await mkdtemp(join(tmpdir(), "capstan-"));
      try {
        const path = join(folder, "messages");
        const file = await open(path, "w");
        const written = shapes.map(({ message }) => message());
        await Promise.all(written.map((one) => one[write](file)));
        await file.close();
        const again = await open(path, "r");
        for (let i = 0; i < written.length; i++) check(await AllTypes[read](again));
        expect(await AllTypes[read](again)).to.equal(undefined);
        await again.close();
        const third = await open(path, "r");
        let count = 0;
        for await (const one of AllTypes[multiple](third)) {
          check(one);
          count++;
        }
        expect(count).to.equal(3);
        await third.close();
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    it("goes through streams of the web, with their backpressure", async () => {
      const written: Uint8Array[] = [];
      let release = (): void => undefined;
      const sink = new WritableStream<Uint8Array>({
        write: (chunk) =>
          new Promise<void>((resolve) => {
            release = () => {
              written.push(chunk);
              resolve();
            };
          }),
      });
      let done = false;
      const writing = messageOf(1)
        [write](sink)
        .then(() => {
          done = true;
        });
      await new Promise((resolve) => setImmediate(resolve));
      expect(done).to.equal(false);
      release();
      await writing;
      const source = new ReadableStream<Uint8Array>({
        start: (controller) => {
          for (const chunk of written) controller.enqueue(chunk);
          controller.close();
        },
      });
      check(await AllTypes[read](source));
      expect(await AllTypes[read](source)).to.equal(undefined);
    });

    it("waits for a Writable that is full", async () => {
      const calls: (() => void)[] = [];
      const sink = new Writable({
        highWaterMark: 1,
        write: (_chunk, _encoding, callback) => void calls.push(callback),
      });
      const order: string[] = [];
      const writes = [0, 1].map((i) =>
        messageOf(1)
          [write](sink)
          .then(() => order.push(`written ${i}`)),
      );
      await new Promise((resolve) => setImmediate(resolve));
      expect(order).to.deep.equal([]);
      calls.shift()?.();
      await writes[0];
      expect(order).to.deep.equal(["written 0"]);
      await new Promise((resolve) => setImmediate(resolve));
      calls.shift()?.();
      await writes[1];
      expect(order).to.deep.equal(["written 0", "written 1"]);
    });

    it("that is cut off is refused, and the end of the stream is none", async () => {
      const bytes = messageOf(23)[to]();
      expect(await AllTypes[read](Readable.from([]))).to.equal(undefined);
      for (const length of [1, 4, 12, 100, bytes.length - 1]) {
        await rejects("CAPNP_TRUNCATED", AllTypes[read](pieces(bytes.subarray(0, length), 10)));
        expectError("CAPNP_TRUNCATED", () => AllTypes[from](bytes.subarray(0, length)));
      }
    });

    it("with many small ones in one piece, and many pieces to one, comes back in order", async () => {
      const stream = Buffer.concat(Array.from({ length: 500 }, (_, i) => AllTypes.newMessage({ int32Field: i })[to]()));
      for (const size of [7, 64, 8192, stream.length]) {
        const numbers: number[] = [];
        for await (const one of AllTypes[multiple](pieces(stream, size))) numbers.push(one.int32Field);
        expect(numbers).to.deep.equal(Array.from({ length: 500 }, (_, i) => i));
      }
    });

    it("of too many segments, or of a sum of sizes beyond the limit, is refused before its content comes", async () => {
      const header = (count: number, words: number): Uint8Array => {
        const view = new Uint32Array(2 * ((count + 2) >> 1));
        view[0] = count - 1;
        view.fill(words, 1, 1 + Math.min(count, view.length - 1));
        const bytes = new Uint8Array(view.buffer);
        return encoding === "packed" ? pack(bytes) : bytes;
      };
      const verdict = (bytes: Uint8Array): Promise<string> =>
        AllTypes[read](pieces(bytes, 4096)).then(
          () => "read",
          (error: CapnpError) => error.code,
        );
      // 511 segments without content are a message; one more is not, whatever it says of their sizes.
      expect(await verdict(header(511, 0))).to.equal("read");
      expect(await verdict(header(512, 0))).to.equal("CAPNP_FRAME");
      expect(await verdict(header(513, 0))).to.equal("CAPNP_FRAME");
      expect(await verdict(header(1, 8 * 1024 * 1024))).to.equal("CAPNP_TRUNCATED");
      expect(await verdict(header(1, 8 * 1024 * 1024 + 1))).to.equal("CAPNP_FRAME_TOO_LARGE");
      expect(await verdict(header(511, 0xffffffff))).to.equal("CAPNP_FRAME_TOO_LARGE");
      expect(await verdict(header(2, 0x80000000))).to.equal("CAPNP_FRAME_TOO_LARGE");
      const most = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);
      expect(await verdict(encoding === "packed" ? pack(most) : most)).to.equal("CAPNP_FRAME");
    });
  });
}

describe("the table of segments", () => {
  it("is a word for one segment, and grows by a word for every two more", () => {
    const segments = (...words: number[]) => words.map((count) => new Uint8Array(count * 8));
    const table = (...words: number[]) => [...new Uint32Array(frameHeader(segments(...words)).slice().buffer)];
    expect(table(0)).to.deep.equal([0, 0]);
    expect(table(5)).to.deep.equal([0, 5]);
    expect(table(1, 2)).to.deep.equal([1, 1, 2, 0]);
    expect(table(1, 2, 3)).to.deep.equal([2, 1, 2, 3]);
    expect(table(1, 2, 3, 4)).to.deep.equal([3, 1, 2, 3, 4, 0]);
    expect(encodeFrame(segments(1, 2))).to.have.length(16 + 24);
  });

  it("tells the length of a message from as much of it as is there", () => {
    const bytes: Uint8Array = messageOf(24).toBytes();
    expect(expectedMessageBytes(bytes)).to.equal(bytes.length);
    expect(expectedMessageBytes(bytes.subarray(0, 4))).to.equal(104);
    expect(expectedMessageBytes(bytes.subarray(0, 104))).to.equal(bytes.length);
    expectError("CAPNP_FRAME", () => expectedMessageBytes(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), "4294967296");
  });
});

describe("packing, as C++ does it", () => {
  const repeat = (times: number, ...bytes: number[]): number[] => Array.from({ length: times }, () => bytes).flat();
  const cases: readonly (readonly [unpacked: number[], packed: number[]])[] = [
    [[], []],
    [repeat(8, 0), [0, 0]],
    [
      [0, 0, 12, 0, 0, 34, 0, 0],
      [0x24, 12, 34],
    ],
    [
      [1, 3, 2, 4, 5, 7, 6, 8],
      [0xff, 1, 3, 2, 4, 5, 7, 6, 8, 0],
    ],
    [
      [...repeat(8, 0), 1, 3, 2, 4, 5, 7, 6, 8],
      [0, 0, 0xff, 1, 3, 2, 4, 5, 7, 6, 8, 0],
    ],
    [
      [0, 0, 12, 0, 0, 34, 0, 0, 1, 3, 2, 4, 5, 7, 6, 8],
      [0x24, 12, 34, 0xff, 1, 3, 2, 4, 5, 7, 6, 8, 0],
    ],
    [
      [1, 3, 2, 4, 5, 7, 6, 8, 8, 6, 7, 4, 5, 2, 3, 1],
      [0xff, 1, 3, 2, 4, 5, 7, 6, 8, 1, 8, 6, 7, 4, 5, 2, 3, 1],
    ],
    [repeat(4, 1, 2, 3, 4, 5, 6, 7, 8), [0xff, 1, 2, 3, 4, 5, 6, 7, 8, 3, ...repeat(3, 1, 2, 3, 4, 5, 6, 7, 8)]],
    [
      [...repeat(3, 1, 2, 3, 4, 5, 6, 7, 8), 0, 2, 4, 0, 9, 0, 5, 1],
      [0xff, 1, 2, 3, 4, 5, 6, 7, 8, 2, ...repeat(2, 1, 2, 3, 4, 5, 6, 7, 8), 0xd6, 2, 4, 9, 5, 1],
    ],
    [
      [...repeat(40, 0), 0, 1, 0, 2, 0, 3, 0, 4],
      [0, 4, 0xaa, 1, 2, 3, 4],
    ],
    [repeat(300 * 8, 0), [0, 255, 0, 43]],
  ];

  it("makes the bytes that the specification and C++ make, and takes them back", () => {
    for (const [plain, packed] of cases) {
      const bytes = Uint8Array.from(plain);
      expect([...pack(bytes)]).to.deep.equal(packed);
      expect([...unpack(Uint8Array.from(packed))]).to.deep.equal(plain);
      expect(unpackedSize(Uint8Array.from(packed))).to.equal(plain.length);
    }
  });

  it("takes each word back wherever it is cut", () => {
    const all = Uint8Array.from(cases.flatMap(([plain]) => plain));
    const packed = Uint8Array.from(cases.flatMap(([, one]) => one));
    expect([...unpack(packed)]).to.deep.equal([...all]);
  });
});
