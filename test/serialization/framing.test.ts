import { expect } from "chai";
import fc from "fast-check";
import { CapnpError, type ErrorCode } from "../../lib/errors.ts";
import { decodeFrame, encodeFrame, FrameReader, frameBytes, frameHeader } from "../../lib/serialization/framing.ts";

const words = (count: number, fill = 0): Uint8Array => new Uint8Array(count * 8).fill(fill);

const header = (...values: number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setUint32(4 * i, value, true);
  });
  return bytes;
};

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function failure(run: () => unknown): CapnpError {
  try {
    run();
  } catch (error) {
    if (error instanceof CapnpError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

function expectCode(code: ErrorCode, run: () => unknown): void {
  expect(failure(run).code).to.equal(code);
}

/** All frames of a stream that comes in these pieces. */
function readAll(pieces: Iterable<Uint8Array>, reader = new FrameReader()): Uint8Array[][] {
  const frames: Uint8Array[][] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
  }
  reader.end();
  return frames;
}

function* bytewise(bytes: Uint8Array): Generator<Uint8Array> {
  for (let i = 0; i < bytes.length; i++) yield bytes.slice(i, i + 1);
}

const segmentArbitrary = fc
  .integer({ min: 0, max: 40 })
  .chain((n) => fc.uint8Array({ minLength: 8 * n, maxLength: 8 * n }));
const messageArbitrary = fc.array(segmentArbitrary, { minLength: 1, maxLength: 6 });

describe("framing", () => {
  it("lays a frame out as encoding.md says", () => {
    expect([...encodeFrame([words(1, 7)])]).to.deep.equal([0, 0, 0, 0, 1, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7]);
    expect([...frameHeader([words(1), words(2)])]).to.deep.equal([1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    expect([...frameHeader([words(1), words(2), words(258)])]).to.deep.equal([
      2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 0, 0,
    ]);
  });

  it("gives back any messages, however their stream is cut", () => {
    const property = fc.property(
      fc.array(messageArbitrary, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (messages, cuts) => {
        const stream = Buffer.concat(messages.map((segments) => encodeFrame(segments)));
        const points = [0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((x, y) => x - y);
        const pieces = points.slice(1).map((point, i) => stream.subarray(points[i], point));
        const plain = (frames: Uint8Array[][]) => frames.map((segments) => segments.map((segment) => [...segment]));
        expect(plain(readAll(pieces))).to.deep.equal(plain(messages));
      },
    );
    fc.assert(property, { seed: 20260101, numRuns: 300 });
  });

  it("gives back any messages when pieces are pushed before the last were read out", () => {
    const property = fc.property(
      fc.array(messageArbitrary, { maxLength: 6 }),
      fc.integer({ min: 1, max: 50 }),
      (messages, size) => {
        const stream = Buffer.concat(messages.map((segments) => encodeFrame(segments)));
        const reader = new FrameReader();
        const frames: Uint8Array[][] = [];
        for (let at = 0, turn = 0; at < stream.length; at += size, turn++) {
          reader.push(stream.subarray(at, at + size));
          const frame = turn % 3 === 0 ? reader.next() : undefined;
          if (frame !== undefined) frames.push(frame);
        }
        for (let frame = reader.next(); frame !== undefined; frame = reader.next()) frames.push(frame);
        reader.end();
        expect(Buffer.concat(frames.map((segments) => encodeFrame(segments))).equals(stream)).to.equal(true);
      },
    );
    fc.assert(property, { seed: 7, numRuns: 200 });
  });

  it("copies nothing of frames that lie within one piece", () => {
    const piece = Buffer.concat([encodeFrame([words(2, 1)]), encodeFrame([words(1, 2), words(3, 3)])]);
    const frames = readAll([piece]);
    expect(frames.map((segments) => segments.length)).to.deep.equal([1, 2]);
    for (const segment of frames.flat()) expect(segment.buffer).to.equal(piece.buffer);
  });

  it("gathers a message of 4 MiB that comes byte by byte in one buffer of at most twice what has come", () => {
    const stream = encodeFrame([words(512 * 1024, 9)]);
    const reader = new FrameReader();
    const capacities = new Set<number>();
    let frame: Uint8Array[] | undefined;
    let came = 0;
    for (const piece of bytewise(stream)) {
      reader.push(piece);
      frame = reader.next();
      came++;
      if (frame === undefined && reader.capacity > Math.max(4096, 2 * came))
        expect.fail(`${reader.capacity} for ${came}`);
      capacities.add(reader.capacity);
    }
    expect(frame).to.have.lengthOf(1);
    expect(Buffer.from(frame![0]!).equals(words(512 * 1024, 9))).to.equal(true);
    // Doubling: each size is allocated once.
    expect(capacities.size).to.be.lessThan(20);
    expect(reader.capacity).to.equal(0);
  });

  it("gives out arrays that hold nothing but their frame, wherever it was cut", () => {
    const frame = encodeFrame([words(2, 1), words(9000, 2)]);
    for (const cut of [1, 4, 16, 100, 4096, 5000, 36_000, 65_536, frame.length - 1]) {
      const reader = new FrameReader();
      for (const piece of [frame.subarray(0, cut), frame.subarray(cut)].map((part) => new Uint8Array(part))) {
        reader.push(piece);
        const segments = reader.next();
        if (segments === undefined) continue;
        expect(segments[1]?.buffer.byteLength, `cut at ${cut}`).to.equal(frame.length);
        expect(Buffer.from(segments[1]?.buffer as ArrayBuffer).equals(frame), `cut at ${cut}`).to.equal(true);
      }
      expect(reader.buffered).to.equal(0);
    }
  });

  it("keeps a long beginning where it lies, and copies a short one out of its piece", () => {
    const frame = encodeFrame([words(9000, 2)]);
    const long = new Uint8Array(frame.subarray(0, 60_000));
    const reader = new FrameReader();
    reader.push(long);
    expect(reader.next()).to.equal(undefined);
    expect(reader.capacity).to.equal(60_000);
    reader.push(frame.subarray(60_000));
    expect(reader.next()).to.have.lengthOf(1);
    const small = encodeFrame([words(8000, 1)]);
    reader.push(Buffer.concat([small, frame.subarray(0, 5000)]));
    expect(reader.next()).to.have.lengthOf(1);
    expect(reader.next()).to.equal(undefined);
    expect(reader.buffered).to.equal(5000);
    // Of its own, and not the 69,008 bytes of the piece.
    expect(reader.capacity).to.be.within(5000, 10_000);
  });

  it("does not allocate what a header merely declares", () => {
    const reader = new FrameReader();
    reader.push(header(0, (64 * 1024 * 1024) / 8));
    expect(reader.next()).to.equal(undefined);
    expect(reader.capacity).to.be.at.most(4096);
  });

  it("accepts 511 segments and refuses 512, as C++ does", () => {
    const most = encodeFrame(Array.from({ length: 511 }, () => words(0)));
    expect(readAll([most])[0]).to.have.lengthOf(511);
    expect(readAll(bytewise(most))[0]).to.have.lengthOf(511);
    for (const count of [512, 513, 2 ** 31, 2 ** 32]) {
      expectCode("CAPNP_FRAME", () => decodeFrame(header(count - 1, 0)));
      expectCode("CAPNP_FRAME", () => readAll([header(count - 1)]));
    }
    expectCode("CAPNP_FRAME", () => encodeFrame(Array.from({ length: 512 }, () => words(0))));
  });

  it("takes a segment count of 2^32 for too many, not for none", () => {
    const error = failure(() => readAll([words(1, 0xff)]));
    expect(error.code).to.equal("CAPNP_FRAME");
    expect(error.message).to.contain("4294967296 segments");
  });

  it("does not let the sum of 511 sizes wrap around below the limit", () => {
    const error = failure(() => readAll([header(510, ...Array.from({ length: 511 }, () => 0xffffffff))]));
    expect(error.code).to.equal("CAPNP_FRAME_TOO_LARGE");
    expect(error.message).to.contain(String(511 * 0xffffffff * 8));
    // 2^29 + 2^29 words are 2^33 bytes: 0 in 32 bits.
    expectCode("CAPNP_FRAME_TOO_LARGE", () => decodeFrame(header(1, 2 ** 29, 2 ** 29, 0)));
  });

  it("accepts a frame of exactly maxFrameBytes and refuses one word more", () => {
    const limits = { maxFrameBytes: 64 };
    expect(decodeFrame(encodeFrame([words(3), words(5)]), limits).segments).to.have.lengthOf(2);
    expectCode("CAPNP_FRAME_TOO_LARGE", () => decodeFrame(encodeFrame([words(3), words(6)]), limits));
    expectCode("CAPNP_FRAME_TOO_LARGE", () => readAll(bytewise(encodeFrame([words(9)])), new FrameReader(limits)));
    expectCode("CAPNP_FRAME", () => decodeFrame(encodeFrame([words(0), words(0)]), { maxSegments: 1 }));
  });

  it("calls a stream truncated at every byte but the ends of frames", () => {
    const first = encodeFrame([words(1, 1), words(2, 2)]);
    const stream = Buffer.concat([first, encodeFrame([words(1, 3)])]);
    for (let length = 0; length <= stream.length; length++) {
      const read = (): unknown => readAll([stream.subarray(0, length)]);
      if ([0, first.length, stream.length].includes(length)) expect(read).not.to.throw();
      else expectCode("CAPNP_TRUNCATED", read);
    }
    for (let length = 0; length < first.length; length++) {
      expectCode("CAPNP_TRUNCATED", () => decodeFrame(first.subarray(0, length)));
    }
  });

  it("decodes frame after frame from one array by their ends", () => {
    const stream = Buffer.concat([encodeFrame([words(1, 1)]), encodeFrame([words(2, 2)])]);
    const first = decodeFrame(stream);
    const second = decodeFrame(stream, undefined, first.end);
    expect(second.segments.map((segment) => [...segment])).to.deep.equal([[...words(2, 2)]]);
    expect(second.end).to.equal(stream.length);
  });

  it("refuses to encode a message without segments or with half a word", () => {
    expectCode("CAPNP_FRAME", () => encodeFrame([]));
    expectCode("CAPNP_FRAME", () => encodeFrame([words(1), new Uint8Array(12)]));
    expect(frameBytes([words(1), words(2)])).to.equal(16 + 24);
  });

  it("keeps refusing after a bad frame", () => {
    const reader = new FrameReader();
    reader.push(words(1, 0xff));
    for (let i = 0; i < 2; i++) expectCode("CAPNP_FRAME", () => reader.next());
  });

  const strangers: [string, Uint8Array, RegExp][] = [
    ["an HTTP/1 request", text("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), /looks like an HTTP request/],
    ["an HTTP POST", text("POST /rpc HTTP/1.1\r\n"), /looks like an HTTP request/],
    ["an HTTP/2 preface", text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), /HTTP\/2/],
    ["a TLS ClientHello", Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01), /TLS handshake/],
    ["a TLS alert", Uint8Array.of(0x15, 0x03, 0x03, 0x00, 0x02, 0x02), /TLS alert/],
    ["an SSH banner", text("SSH-2.0-OpenSSH_9.2\r\n"), /SSH/],
    ["a Redis command", text("*1\r\n$4\r\nPING\r\n"), /Redis/],
    ["an HTTP response", text("HTTP/1.1 400 Bad Request\r\n"), /HTTP response/],
  ];
  for (const [name, bytes, pattern] of strangers) {
    it(`recognises ${name}, also byte by byte`, () => {
      for (const pieces of [[bytes], bytewise(bytes)]) {
        const error = failure(() => readAll(pieces));
        expect(error.code).to.equal("CAPNP_FRAME");
        expect(error.message).to.match(pattern);
      }
    });
  }
});
