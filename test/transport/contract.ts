import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import type { TransportOptions } from "../../lib/transport/options.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { Recorder, turn, words } from "./recorder.ts";

/** Two joined transports, for the suite to start. */
export interface Ends {
  readonly a: Transport;
  readonly b: Transport;
}

/** A kind of transport, as the suite gets at it. */
export interface Kind {
  /** Joins two; options hold for one end each. */
  readonly open: (a: TransportOptions, b: TransportOptions) => Promise<Ends>;
  /** Undoes what `open` did besides the transports. */
  readonly release?: () => unknown;
  /** Whether the options of a transport are for it: a pair in memory has none. Default true. */
  readonly hasLimits?: boolean;
  /** Whether an end that has closed still gets what the other sends before it closes, too. Default true. */
  readonly hasHalfClose?: boolean;
  /**
   * What an end hears when the other is destroyed: an error, something (an error or, where the medium has one end only, a clean end),
   * or nothing at all. Default "an error".
   */
  readonly hearsDestroy?: "an error" | "something" | "nothing";
  /** Whether a message beyond a limit is refused before the receiver sees it, so that no last word can be sent. Default false. */
  readonly refusesItself?: boolean;
}

const rounds = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn();
};

/** What every transport promises, whatever carries its messages. */
export function transportContract(name: string, kind: Kind): void {
  describe(`the contract of transports: ${name}`, () => {
    const ends: Ends[] = [];
    const { hearsDestroy = "an error" } = kind;

    /** That the other end was destroyed. */
    const hears = async (recorder: Recorder): Promise<void> => {
      if (hearsDestroy === "nothing") return;
      const error = await recorder.ended();
      if (error !== undefined || hearsDestroy === "an error") {
        expect(error).to.be.instanceOf(CapnpError).and.to.include({ kind: "disconnected" });
      }
      expect(recorder.ends).to.have.lengthOf(1);
    };

    const open = async (a: TransportOptions = {}, b: TransportOptions = {}): Promise<Ends> => {
      const pair = await kind.open(a, b);
      ends.push(pair);
      return pair;
    };

    afterEach(async () => {
      for (const { a, b } of ends.splice(0)) {
        a.destroy();
        b.destroy();
        await Promise.all([a.close(), b.close()]);
      }
      await kind.release?.();
    });

    it("whole messages arrive, both ways and in order", async () => {
      const { a, b } = await open();
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      const messages = [[1], [0, 3], [500], [2, 0, 0], [20_000, 1], [7], [100_000], [1]].map((sizes, i) =>
        sizes.map((size, j) => words(size, 16 * i + j)),
      );
      for (const message of messages) a.send(message);
      for (const message of messages) b.send(message);
      const plain = (all: Uint8Array[][]) => all.map((segments) => segments.map((segment) => Buffer.from(segment)));
      expect(plain(await atB.received(messages.length))).to.deep.equal(plain(messages));
      expect(plain(await atA.received(messages.length))).to.deep.equal(plain(messages));
      expect(atA.readEnds).to.be.greaterThan(0);
    });

    it("many small messages arrive in order, sent in one turn or in many", async () => {
      const { a, b } = await open();
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      for (let i = 0; i < 1000; i++) {
        a.send([words(1, i & 0xff)]);
        b.send([words(1, i & 0xff)]);
        if (i % 100 === 99) await turn();
      }
      const wanted = Array.from({ length: 1000 }, (_, i) => i & 0xff);
      for (const recorder of [atA, atB]) {
        expect((await recorder.received(1000)).map(([segment]) => segment![0])).to.deep.equal(wanted);
      }
    });

    it("nothing is delivered before the start, and nothing is lost", async () => {
      const { a, b } = await open();
      new Recorder(a);
      for (let i = 0; i < 5; i++) a.send([words(1, i)]);
      await rounds(20);
      const atB = new Recorder(b);
      expect(atB.messages).to.have.lengthOf(0);
      expect((await atB.received(5)).map(([segment]) => segment![0])).to.deep.equal([0, 1, 2, 3, 4]);
      expect(() => b.start(new Recorder())).to.throw(CapnpError, "started already");
    });

    it("a pause keeps back what comes, from within a message too, and nothing gets out of order", async () => {
      const { a, b } = await open();
      new Recorder(a);
      const atB = new Recorder(b);
      atB.onMessage = ([segment]) => b.setReading(segment![0]! % 10 !== 3);
      for (let i = 0; i < 20; i++) a.send([words(100, i)]);
      await atB.received(4);
      await rounds(20);
      expect(atB.messages).to.have.lengthOf(4);
      b.setReading(true);
      await atB.received(14);
      await rounds(20);
      expect(atB.messages).to.have.lengthOf(14);
      b.setReading(true);
      const all = await atB.received(20);
      expect(all.map(([segment]) => segment![0])).to.deep.equal(Array.from({ length: 20 }, (_, i) => i));
    });

    it("memory may be used again once it was sent, and is the receiver's once it was received", async () => {
      const { a, b } = await open();
      const [, atB] = [new Recorder(a), new Recorder(b)];
      let sent = 0;
      for (let i = 0; i < 10; i++) {
        const segment = words(i % 2 === 0 ? 10 : 10_000, i);
        a.send([segment], () => {
          sent++;
          segment.fill(0xee);
        });
      }
      const messages = await atB.received(10);
      for (const [i, [segment]] of messages.entries()) {
        expect(segment!.every((byte) => byte === i)).to.equal(true);
        segment!.fill(0xdd);
      }
      for (const [segment] of messages) expect(segment!.every((byte) => byte === 0xdd)).to.equal(true);
      while (sent < 10) await turn();
      expect(sent).to.equal(10);
    });

    it("what waits for the other end is counted, and no longer when it was taken", async () => {
      const { a, b } = await open();
      new Recorder(a);
      a.send([words(20_000)]);
      expect(a.queued).to.be.greaterThanOrEqual(160_000);
      await new Recorder(b).received(1);
      while (a.queued > 0) await turn();
      expect(a.queued).to.equal(0);
    });

    it("close sends what is queued, ends both sides without an error, and resolves on both", async () => {
      const { a, b } = await open();
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      for (const size of [1, 50_000, 2]) a.send([words(size, size & 0xff)]);
      const closing = a.close();
      let sent = 0;
      a.send([words(1)], () => sent++);
      expect(sent).to.equal(1);
      await Promise.all([closing, a.close(), atB.ended()]);
      await b.close();
      expect(atB.messages.map(([segment]) => segment!.length / 8)).to.deep.equal([1, 50_000, 2]);
      expect([atA.ends, atB.ends]).to.deep.equal([[undefined], [undefined]]);
      expect(a.queued).to.equal(0);
    });

    if (kind.hasHalfClose ?? true) {
      it("who has closed still gets what the other sends before it hears of that", async () => {
        const { a, b } = await open();
        const [atA, atB] = [new Recorder(a), new Recorder(b)];
        a.send([words(1, 1)]);
        atB.onMessage = () => {
          b.send([words(5, 2)]);
          b.send([words(5, 3)]);
        };
        await Promise.all([a.close(), atB.ended()]);
        expect(atA.messages).to.deep.equal([[words(5, 2)], [words(5, 3)]]);
        expect([atA.ends, atB.ends]).to.deep.equal([[undefined], [undefined]]);
      });
    }

    it("a clean end comes after what was kept back by a pause", async () => {
      const { a, b } = await open();
      new Recorder(a);
      const atB = new Recorder(b);
      atB.onMessage = ([segment]) => b.setReading(segment![0] !== 0);
      for (let i = 0; i < 4; i++) a.send([words(1, i)]);
      const closing = a.close();
      await atB.received(1);
      await rounds(20);
      expect([atB.messages.length, atB.ends.length]).to.deep.equal([1, 0]);
      b.setReading(true);
      expect(await atB.ended()).to.equal(undefined);
      expect(atB.messages.map(([segment]) => segment![0])).to.deep.equal([0, 1, 2, 3]);
      await closing;
    });

    it("close works at either end that was never started, which then still hears of the end", async () => {
      const { a, b } = await open();
      const atA = new Recorder(a);
      a.send([words(1)]);
      await Promise.all([b.close(), a.close()]);
      expect(await atA.ended()).to.equal(undefined);
      const late = new Recorder(b);
      expect(await late.ended()).to.equal(undefined);
      expect(late.messages).to.have.lengthOf(0);
    });

    it("destroy ends this side with the given error and the other as disconnected, each once", async () => {
      const { a, b } = await open();
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      a.send([words(1)]);
      await atB.received(1);
      const error = new CapnpError("CAPNP_PROTOCOL", "enough of this");
      let sent = 0;
      a.destroy(error);
      a.destroy();
      a.send([words(1)], () => sent++);
      expect(atA.ends, "not from within destroy").to.have.lengthOf(0);
      expect(await atA.ended()).to.equal(error);
      await hears(atB);
      await a.close();
      if (hearsDestroy !== "nothing") await b.close();
      expect([atA.ends.length, sent, a.queued]).to.deep.equal([1, 1, 0]);
    });

    it("a receiver that throws loses its connection, and nothing else happens", async () => {
      const { a, b } = await open();
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      atB.onMessage = () => {
        throw new RangeError("Offset is outside the bounds of the DataView");
      };
      a.send([words(1)]);
      a.send([words(1)]);
      expect(await atB.ended()).to.include({ code: "CAPNP_PROTOCOL" });
      await hears(atA);
      expect(atB.messages).to.have.lengthOf(1);
    });

    it("a message that no frame can hold is refused where it is sent, and the connection goes on", async () => {
      const { a, b } = await open();
      const [, atB] = [new Recorder(a), new Recorder(b)];
      if (kind.hasLimits ?? true) expect(() => a.send([new Uint8Array(7)])).to.throw(CapnpError, "7 bytes");
      a.send([words(1, 5)]);
      expect(await atB.received(1)).to.deep.equal([[words(1, 5)]]);
    });

    if (!(kind.hasLimits ?? true)) return;

    it("a frame larger than maxFrameBytes ends the connection, on both sides", async () => {
      const { a, b } = await open({}, { maxFrameBytes: 64 * 1024 });
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      a.send([words(8 * 1024)]);
      await atB.received(1);
      a.send([words(20_000)]);
      const error = await atB.ended();
      expect(error).to.include({ code: "CAPNP_FRAME_TOO_LARGE" });
      expect(error!.message).to.include("maxFrameBytes");
      await atA.ended();
      expect([atA.ends.length, atB.ends.length, atB.messages.length]).to.deep.equal([1, 1, 1]);
    });

    it("the first frame has a limit of its own, which no other has", async () => {
      const limits = { maxFirstFrameBytes: 8 * 1024, maxFrameBytes: 64 * 1024 };
      const good = await open({}, limits);
      const [atA, atB] = [new Recorder(good.a), new Recorder(good.b)];
      good.a.send([words(1024)]);
      good.a.send([words(1025)]);
      await atB.received(2);
      expect(atA.ends).to.have.lengthOf(0);
      const bad = await open({}, limits);
      const [, atBad] = [new Recorder(bad.a), new Recorder(bad.b)];
      bad.a.send([words(1025)]);
      const error = await atBad.ended();
      expect(error).to.include({ code: "CAPNP_FRAME_TOO_LARGE" });
      expect(error!.message).to.include("maxFirstFrameBytes");
    });

    if (!kind.refusesItself) {
      it("who got what is no message may say a last word, before the end", async () => {
        const { a, b } = await open({}, { maxFirstFrameBytes: 8 });
        const atA = new Recorder(a);
        const events: string[] = [];
        b.start({
          message: () => events.push("message"),
          garbled: (error) => {
            events.push(`garbled ${error.code}`);
            b.send([words(1, 7)]);
          },
          closed: (error) => events.push(`closed ${error?.code}`),
        });
        a.send([words(2)]);
        expect(await atA.received(1)).to.deep.equal([[words(1, 7)]]);
        await atA.ended();
        expect(events).to.deep.equal(["garbled CAPNP_FRAME_TOO_LARGE", "closed CAPNP_FRAME_TOO_LARGE"]);
      });
    }

    it("too much that waits for a peer which does not read ends the connection", async () => {
      const { a, b } = await open({ maxQueuedBytes: 256 * 1024 }, { maxHeldBytes: 256 * 1024 });
      const atA = new Recorder(a);
      const atB = new Recorder(b);
      atB.onMessage = () => b.setReading(false);
      for (let i = 0; i < 400 && atA.ends.length === 0; i++) {
        a.send([words(8 * 1024)]);
        await turn();
      }
      const error = await atA.ended();
      expect(error).to.be.instanceOf(CapnpError).and.to.include({ kind: "disconnected" });
      expect(`${error!.message}${atB.ends[0]?.message ?? ""}`).to.match(/maxQueuedBytes|maxHeldBytes/);
    });

    it("what is sent behind one message larger than maxQueuedBytes does not end the connection", async () => {
      const { a, b } = await open({ maxQueuedBytes: 1000 }, {});
      const atB = new Recorder(b);
      a.send([words(100_000, 1)]);
      for (const fill of [2, 3]) a.send([words(1, fill)]);
      expect(await atB.received(3)).to.deep.equal([[words(100_000, 1)], [words(1, 2)], [words(1, 3)]]);
      a.destroy();
    });

    it("a limit that is none is refused by name", async () => {
      const refused = async (options: TransportOptions): Promise<unknown> => {
        try {
          await open(options, {});
        } catch (error) {
          return error;
        }
        return undefined;
      };
      for (const name of ["maxFrameBytes", "maxQueuedBytes", "closeTimeout"]) {
        const error = await refused({ [name]: -1 });
        expect(error).to.be.instanceOf(CapnpError).and.to.include({ code: "CAPNP_RANGE" });
        expect((error as CapnpError).message).to.include(name);
      }
    });
  });
}
