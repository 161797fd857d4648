import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { memoryTransportPair } from "../../lib/transport/memory.ts";
import { Recorder, turn, words } from "./recorder.ts";

describe("memory transport", () => {
  it("delivers in order, in a later microtask", async () => {
    const { a, b } = memoryTransportPair();
    const [atA, atB] = [new Recorder(a), new Recorder(b)];
    a.send([words(1, 1)]);
    a.send([words(1, 2), words(1, 3)]);
    b.send([words(1, 4)]);
    expect(atB.messages).to.have.lengthOf(0);
    await turn();
    expect(atB.messages).to.deep.equal([[words(1, 1)], [words(1, 2), words(1, 3)]]);
    expect(atA.messages).to.deep.equal([[words(1, 4)]]);
    expect(atB.readEnds).to.be.greaterThan(0);
  });

  it("copies what is sent, so that the sender's buffer is free at once", async () => {
    const { a, b } = memoryTransportPair();
    const atB = new Recorder(b);
    const segment = words(1, 1);
    let sent = 0;
    a.send([segment], () => sent++);
    expect(sent).to.equal(1);
    segment.fill(9);
    await turn();
    expect(atB.messages).to.deep.equal([[words(1, 1)]]);
  });

  it("holds what is sent until it is stepped, oldest first whatever the side", () => {
    const pair = memoryTransportPair({ mode: "stepped" });
    const order: string[] = [];
    const [atA, atB] = [new Recorder(pair.a), new Recorder(pair.b)];
    atA.onMessage = ([segment]) => order.push(`a${segment![0]}`);
    atB.onMessage = ([segment]) => order.push(`b${segment![0]}`);
    pair.a.send([words(1, 1)]);
    pair.b.send([words(1, 2)]);
    pair.a.send([words(1, 3)]);
    expect(pair.a.held).to.deep.equal([[words(1, 1)], [words(1, 3)]]);
    expect(pair.a.queued).to.equal(16);
    expect(pair.step()).to.equal(true);
    expect(order).to.deep.equal(["b1"]);
    expect(pair.a.deliver(5)).to.equal(1);
    expect(pair.deliverAll()).to.equal(1);
    expect(order).to.deep.equal(["b1", "b3", "a2"]);
    expect(pair.step()).to.equal(false);
    expect(pair.a.queued).to.equal(0);
  });

  it("delivers an answer that is sent from within a delivery after it, never within it", () => {
    const pair = memoryTransportPair({ mode: "stepped" });
    const [atA, atB] = [new Recorder(pair.a), new Recorder(pair.b)];
    let depth = 0;
    atB.onMessage = ([segment]) => {
      expect(++depth).to.equal(1);
      if (segment![0]! < 5) pair.a.send([words(1, segment![0]! + 1)]);
      pair.deliverAll();
      depth--;
    };
    pair.a.send([words(1, 1)]);
    expect(pair.deliverAll()).to.equal(5);
    expect(atB.messages.map(([segment]) => segment![0])).to.deep.equal([1, 2, 3, 4, 5]);
    expect(atA.messages).to.have.lengthOf(0);
  });

  it("settles when promises between the messages have run, too", async () => {
    const pair = memoryTransportPair({ mode: "stepped" });
    const [atA, atB] = [new Recorder(pair.a), new Recorder(pair.b)];
    atB.onMessage = async () => {
      await Promise.resolve();
      pair.b.send([words(1, 2)]);
    };
    pair.a.send([words(1, 1)]);
    expect(await pair.settle()).to.equal(2);
    expect(atA.messages).to.deep.equal([[words(1, 2)]]);
  });

  it("stops two sides that answer each other for ever", () => {
    const pair = memoryTransportPair({ mode: "stepped" });
    const [atA, atB] = [new Recorder(pair.a), new Recorder(pair.b)];
    atA.onMessage = (segments) => pair.a.send(segments);
    atB.onMessage = (segments) => pair.b.send(segments);
    pair.a.send([words(1)]);
    expect(() => pair.deliverAll(100)).to.throw(CapnpError, "not quiet after 100 steps");
  });

  for (const mode of ["async", "stepped"] as const) {
    it(`ends cleanly on both sides after what was sent before close (${mode})`, async () => {
      const pair = memoryTransportPair({ mode });
      const [atA, atB] = [new Recorder(pair.a), new Recorder(pair.b)];
      pair.a.send([words(1, 1)]);
      pair.b.send([words(1, 2)]);
      const closing = pair.a.close();
      let sent = 0;
      pair.a.send([words(1, 3)], () => sent++);
      expect(sent).to.equal(1);
      await pair.settle();
      await closing;
      await pair.b.close();
      expect(atB.messages).to.deep.equal([[words(1, 1)]]);
      expect(atA.messages).to.deep.equal([[words(1, 2)]]);
      expect(atA.ends).to.deep.equal([undefined]);
      expect(atB.ends).to.deep.equal([undefined]);
    });
  }

  it("drops what is held when it is destroyed, and tells each side once", async () => {
    const pair = memoryTransportPair({ mode: "stepped" });
    const [atA, atB] = [new Recorder(pair.a), new Recorder(pair.b)];
    pair.a.send([words(1, 1)]);
    pair.b.send([words(1, 2)]);
    const error = new CapnpError("CAPNP_PROTOCOL", "enough");
    pair.a.destroy(error);
    pair.a.destroy();
    await pair.settle();
    expect(atA.ends).to.deep.equal([error]);
    expect(atA.messages).to.have.lengthOf(0);
    expect(atB.messages).to.have.lengthOf(0);
    expect(atB.ends.map((end) => end?.code)).to.deep.equal(["CAPNP_DISCONNECTED"]);
    expect(pair.a.queued + pair.b.queued).to.equal(0);
    await Promise.all([pair.a.close(), pair.b.close()]);
  });

  it("keeps messages in order while reading is paused or has not started", async () => {
    const { a, b } = memoryTransportPair();
    a.send([words(1, 1)]);
    await turn();
    const atB = new Recorder(b);
    atB.onMessage = ([segment]) => b.setReading(segment![0] !== 1);
    a.send([words(1, 2)]);
    a.send([words(1, 3)]);
    await turn();
    expect(atB.messages).to.have.lengthOf(1);
    expect(a.held).to.have.lengthOf(2);
    b.setReading(true);
    await turn();
    expect(atB.messages.map(([segment]) => segment![0])).to.deep.equal([1, 2, 3]);
  });

  it("closes although the other side never started", async () => {
    const { a, b } = memoryTransportPair();
    const atA = new Recorder(a);
    a.send([words(1)]);
    await Promise.all([a.close(), b.close()]);
    expect(atA.ends).to.deep.equal([undefined]);
    const late = new Recorder(b);
    await turn();
    expect(late.ends).to.deep.equal([undefined]);
    expect(late.messages).to.have.lengthOf(0);
  });

  it("loses only its own connection when a receiver throws", async () => {
    const { a, b } = memoryTransportPair();
    const [atA, atB] = [new Recorder(a), new Recorder(b)];
    atB.onMessage = () => {
      throw new RangeError("Offset is outside the bounds of the DataView");
    };
    a.send([words(1)]);
    a.send([words(1)]);
    expect((await atB.ended())?.code).to.equal("CAPNP_PROTOCOL");
    expect((await atA.ended())?.code).to.equal("CAPNP_DISCONNECTED");
    expect(atB.messages).to.have.lengthOf(1);
  });

  it("takes its time over a line with latency and bandwidth, and keeps the order", async () => {
    const { a, b } = memoryTransportPair({ latency: 20, bandwidth: 1_000_000 });
    const [, atB] = [new Recorder(a), new Recorder(b)];
    // 20 ms for the bytes of the first, and 20 ms on the way: not in this turn, nor in the next.
    a.send([words(2500, 1)]);
    a.send([words(1, 2)]);
    await turn();
    expect(atB.messages).to.have.lengthOf(0);
    expect(a.queued).to.equal(20_008);
    expect((await atB.received(2)).map(([segment]) => segment![0])).to.deep.equal([1, 2]);
    await Promise.all([a.close(), b.close()]);
    expect(atB.ends).to.deep.equal([undefined]);
  });

  it("is lost after loseAfter messages, with what is under way, and both sides hear of it", async () => {
    for (const mode of ["async", "stepped"] as const) {
      const pair = memoryTransportPair({ mode, loseAfter: 3 });
      const { a, b } = pair;
      const [atA, atB] = [new Recorder(a), new Recorder(b)];
      a.send([words(1)]);
      b.send([words(1)]);
      await pair.settle();
      for (let i = 0; i < 3; i++) a.send([words(1)]);
      await pair.settle();
      expect([atA.messages.length, atB.messages.length]).to.deep.equal([1, 2]);
      for (const recorder of [atA, atB]) {
        expect(recorder.ends).to.have.lengthOf(1);
        expect(recorder.ends[0]).to.include({ code: "CAPNP_DISCONNECTED", kind: "disconnected" });
        expect(recorder.ends[0]!.message).to.include("loseAfter");
      }
      await Promise.all([a.close(), b.close()]);
      expect(a.queued + b.queued).to.equal(0);
    }
  });

  it("has no line that cannot be", () => {
    for (const [name, value] of [
      ["latency", -1],
      ["bandwidth", 0],
      ["loseAfter", 0.5],
    ] as const) {
      expect(() => memoryTransportPair({ [name]: value })).to.throw(CapnpError, name);
    }
  });
});
