import { expect } from "chai";
import { TwoWayPipe } from "../../lib/transport/two-way-pipe.ts";

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

/** Whether a promise has settled after everything that was due has run. */
const isSettled = async (promise: Promise<unknown>): Promise<boolean> => {
  let settled = false;
  const done = (): void => {
    settled = true;
  };
  promise.then(done, done);
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  return settled;
};

describe("a two-way pipe", () => {
  it("gives out what was written in pieces of the size that is asked for, in order", async () => {
    const pipe = new TwoWayPipe();
    pipe.write(bytes(1, 2, 3, 4, 5));
    pipe.cork();
    pipe.write(bytes(6));
    pipe.write(bytes(7, 8));
    pipe.uncork();
    expect([...(await pipe.pull(2))!]).to.deep.equal([1, 2]);
    expect([...(await pipe.pull(2))!]).to.deep.equal([3, 4]);
    expect([...(await pipe.pull(100))!]).to.deep.equal([5]);
    expect([...(await pipe.pull(100))!], "written together").to.deep.equal([6, 7, 8]);
  });

  it("makes those who ask wait, and serves them in their order", async () => {
    const pipe = new TwoWayPipe();
    const pulls = [pipe.pull(1), pipe.pull(10), pipe.pull(10)];
    expect(await isSettled(pulls[0]!)).to.equal(false);
    pipe.write(bytes(1, 2, 3));
    expect([...(await pulls[0]!)!]).to.deep.equal([1]);
    expect([...(await pulls[1]!)!]).to.deep.equal([2, 3]);
    expect(await isSettled(pulls[2]!)).to.equal(false);
    pipe.end();
    expect(await pulls[2]).to.equal(undefined);
    expect(await pipe.pull(1)).to.equal(undefined);
  });

  it("acknowledges a write when all of it was taken, and hands out copies", async () => {
    const pipe = new TwoWayPipe();
    const written = bytes(1, 2, 3);
    let done = false;
    pipe.write(written, () => {
      done = true;
    });
    const first = await pipe.pull(2);
    await isSettled(Promise.resolve());
    expect(done).to.equal(false);
    const second = await pipe.pull(2);
    await isSettled(Promise.resolve());
    expect(done).to.equal(true);
    written.fill(9);
    expect([...first!, ...second!]).to.deep.equal([1, 2, 3]);
  });

  it("ends for those who ask after what was written before the end", async () => {
    const pipe = new TwoWayPipe();
    pipe.write(bytes(1));
    pipe.end();
    expect([...(await pipe.pull(10))!]).to.deep.equal([1]);
    expect(await pipe.pull(10)).to.equal(undefined);
  });

  it("makes readable what it is fed, and makes those who feed it wait while nobody reads", async () => {
    const pipe = new TwoWayPipe();
    const chunk = bytes(1, 2, 3);
    expect(await pipe.feed(chunk)).to.equal(true);
    chunk.fill(0);
    expect(await pipe.feed(bytes())).to.equal(true);
    const held = pipe.feed(new Uint8Array(200_000));
    expect(await isSettled(held)).to.equal(false);
    let received = 0;
    let first: Uint8Array | undefined;
    pipe.on("data", (piece: Uint8Array) => {
      first ??= piece;
      received += piece.length;
    });
    expect(await held).to.equal(true);
    expect(received).to.equal(200_003);
    expect([...first!.subarray(0, 3)], "a copy of what it was fed").to.deep.equal([1, 2, 3]);
    pipe.feedEnd();
    await new Promise((resolve) => pipe.on("end", resolve));
    expect(await pipe.feed(bytes(4))).to.equal(false);
    pipe.feedEnd();
  });

  it("that is destroyed leaves nobody waiting", async () => {
    const pipe = new TwoWayPipe();
    pipe.on("error", () => undefined);
    const [pull, held] = [pipe.pull(1), pipe.feed(new Uint8Array(200_000))];
    pipe.destroy(new Error("gone"));
    expect(await pull).to.equal(undefined);
    expect(await held).to.equal(false);
    expect(await pipe.pull(1)).to.equal(undefined);
    expect(await pipe.feed(bytes(1))).to.equal(false);
    pipe.feedEnd();
  });

  it("takes bytes, and a size of at least 1, or says what is wrong", () => {
    const pipe = new TwoWayPipe();
    for (const wrong of [0, -1, Number.NaN]) expect(() => pipe.pull(wrong)).to.throw("At least 1 byte");
    expect(() => pipe.feed("text" as never)).to.throw("not string");
  });
});
