import { expect } from "chai";
import type { PendingCall, ReturnListener } from "../../lib/rpc/capability/request.ts";
import { type Flight, FlowController, type RoomListener } from "../../lib/rpc/streaming/flow-controller.ts";
import {
  AdaptiveWindow,
  defaultStreamWindow,
  FixedWindow,
  initialWindow,
  maximumWindow,
  minimumWindow,
} from "../../lib/rpc/streaming/flow-window.ts";
import { StreamedCall } from "../../lib/rpc/streaming/streamed-call.ts";
import { streamsOf } from "../../lib/rpc/streaming/stream-window.ts";
import { SimulatedLink } from "../support/simulated-link.ts";

/** A sender that notes what it hears. */
const listener = (): RoomListener & { readonly heard: string[] } => {
  const heard: string[] = [];
  return { heard, room: () => heard.push("room"), failed: (error) => heard.push(error.message) };
};

const send = (flow: FlowController, bytes: number): { readonly flight: Flight; readonly heard: string[] } => {
  const sender = listener();
  return { flight: flow.send(bytes, sender), heard: sender.heard };
};

/** Sends until a sender waits; all of them, the last one waiting. */
const fill = (flow: FlowController, bytes: number) => {
  const sent = [send(flow, bytes)];
  while (sent.at(-1)?.heard.length === 1) sent.push(send(flow, bytes));
  return sent;
};

describe("flow control of a stream", () => {
  it("lets senders wait when the window is full, and go on, all of them, when there is room again", () => {
    const flow = new FlowController(new FixedWindow(1000));
    const sent = fill(flow, 400);
    // The window, and one message more.
    expect(sent).to.have.lengthOf(4);
    const late = send(flow, 400);
    expect(flow.waiting).to.equal(2);
    sent[0]?.flight.acked();
    expect([sent[3]?.heard, late.heard]).to.deep.equal([[], []]);
    sent[1]?.flight.acked();
    expect([sent[3]?.heard, late.heard]).to.deep.equal([["room"], ["room"]]);
    expect(flow.inFlight).to.equal(1200);
  });

  it("has always room for one message behind the largest", () => {
    const flow = new FlowController(new FixedWindow(10));
    expect(send(flow, 5000).heard).to.deep.equal(["room"]);
    expect(send(flow, 20).heard).to.deep.equal([]);
  });

  it("tells those who wait, and all who come later, what a message has failed with; the first failure counts", () => {
    const flow = new FlowController(new FixedWindow(100));
    const sent = fill(flow, 100);
    sent[0]?.flight.failed(new Error("one"));
    sent[1]?.flight.failed(new Error("two"));
    expect(sent.at(-1)?.heard).to.deep.equal(["one"]);
    expect(send(flow, 1).heard).to.deep.equal(["one"]);
    // What was under way may still return.
    sent[2]?.flight.acked();
    expect(sent.at(-1)?.heard).to.deep.equal(["one"]);
  });

  it("counts what was given up no longer, tells its sender nothing, and goes on", () => {
    const flow = new FlowController(new FixedWindow(300));
    const sent = fill(flow, 100);
    const given = send(flow, 100);
    expect(flow.inFlight).to.equal(500);
    given.flight.givenUp();
    expect([sent.at(-1)?.heard, given.heard]).to.deep.equal([[], []]);
    sent[0]?.flight.givenUp();
    expect([sent.at(-1)?.heard, given.heard]).to.deep.equal([["room"], []]);
    expect([flow.inFlight, flow.waiting]).to.deep.equal([300, 0]);
  });

  it("leaves nobody waiting: when all has returned, all have been told, whoever still looks at the stream", () => {
    for (const window of [new FixedWindow(100), new AdaptiveWindow(() => 0)]) {
      const flow = new FlowController(window);
      const sent = fill(flow, 60_000);
      const more = [send(flow, 60_000), send(flow, 60_000)];
      for (const { flight } of [...sent, ...more]) flight.acked();
      for (const { heard } of [...sent, ...more]) expect(heard).to.deep.equal(["room"]);
      expect([flow.inFlight, flow.waiting]).to.deep.equal([0, 0]);
    }
  });

  it("tells those who wait the reason when everything that is under way is lost", () => {
    for (const window of [new FixedWindow(100), new AdaptiveWindow(() => 0)]) {
      const flow = new FlowController(window);
      const sent = fill(flow, 60_000);
      const more = send(flow, 60_000);
      for (const { flight } of [...sent, more]) flight.failed(new Error("gone"));
      expect([sent.at(-1)?.heard, more.heard]).to.deep.equal([["gone"], ["gone"]]);
      expect([flow.inFlight, flow.waiting]).to.deep.equal([0, 0]);
    }
  });

  it("counts the calls of all streams of a connection: no peer has to serve more of them than it will", () => {
    const streams = streamsOf(1_000_000);
    const [one, two] = [streams(), streams()];
    const first = Array.from({ length: 511 }, () => send(one, 1));
    expect(first.every(({ heard }) => heard.length === 1)).to.equal(true);
    const full = [send(two, 1), send(one, 1), send(two, 1)];
    expect(full.map(({ heard }) => heard)).to.deep.equal([[], [], []]);
    // 514 are under way; the limit is 512.
    first[0]?.flight.acked();
    first[1]?.flight.failed(new Error("broken"));
    expect(full.map(({ heard }) => heard)).to.deep.equal([[], ["broken"], []]);
    first[2]?.flight.givenUp();
    expect(full.map(({ heard }) => heard)).to.deep.equal([["room"], ["broken"], ["room"]]);
    expect([two.waiting, two.inFlight]).to.deep.equal([0, 2]);
  });

  it("has a window of 64 KiB by default", () => {
    expect(defaultStreamWindow).to.equal(65_536);
  });
});

describe("a streamed call", () => {
  /** A call of a stream with a window of 100 bytes, and what became of it. */
  const call = (flow: FlowController) => {
    const told: string[] = [];
    const canceled: string[] = [];
    let listener: ReturnListener | undefined;
    const question: PendingCall = {
      onReturn: (one) => {
        listener = one;
      },
      cancel: (reason) => {
        canceled.push(reason.message);
        listener?.threw(reason);
      },
      pipelined: () => expect.fail("nobody asks"),
    };
    const streamed = new StreamedCall(question, flow, 100);
    streamed.onReturn({ returned: () => told.push("room"), threw: (error) => told.push(error.message) });
    return { streamed, told, canceled, fails: (error: Error) => listener?.threw(error) };
  };

  it("can be given up while it waits, and not when it has room", () => {
    const flow = new FlowController(new FixedWindow(100));
    const [first, second] = [call(flow), call(flow)];
    expect([first.told, second.told]).to.deep.equal([["room"], []]);
    for (const { streamed } of [first, second, second]) streamed.cancel(new Error("enough"));
    expect([first.told, second.told]).to.deep.equal([["room"], ["enough"]]);
    expect([first.canceled, second.canceled]).to.deep.equal([[], ["enough"]]);
    expect([flow.inFlight, flow.waiting]).to.deep.equal([100, 0]);
  });

  it("tells of one thing only", () => {
    const flow = new FlowController(new FixedWindow(100));
    const [first, second] = [call(flow), call(flow)];
    first.fails(new Error("broken"));
    second.fails(new Error("broken, too"));
    expect([first.told, second.told]).to.deep.equal([["room"], ["broken"]]);
  });
});

describe("a window that adapts", () => {
  it("makes senders wait when it is full", () => {
    const link = new SimulatedLink(1000, 100);
    const sent = fill(link.flow, 16_384);
    expect(link.flow.inFlight).to.equal(initialWindow + 16_384);
    expect(sent.at(-1)?.heard).to.deep.equal([]);
  });

  it("lets them go on when something has returned", () => {
    const link = new SimulatedLink(1000, 100);
    const sent = fill(link.flow, 16_384);
    link.now = 100;
    sent[0]?.flight.acked();
    expect(sent.at(-1)?.heard).to.deep.equal(["room"]);
  });

  it("grows in the start-up for as long as that makes the stream faster", () => {
    // 10 MB per round trip.
    const link = new SimulatedLink(100_000, 100);
    let last = link.window.size;
    while (link.window.isStarting && link.window.size < link.product) {
      link.saturate(0.1);
      expect(link.window.size).to.be.at.least(last);
      last = link.window.size;
    }
    // It doubles with each round trip: six of them from a quarter of a megabyte to ten.
    expect(link.window.size).to.be.at.least(link.product);
    expect(link.now).to.be.within(5 * link.delay, 8 * link.delay);
  });

  it("ends the start-up when it has not grown for three rounds", () => {
    const link = new SimulatedLink(10_000, 100);
    for (let i = 0; i < 12 && link.window.isStarting; i++) link.saturate(1.2);
    expect(link.window.isStarting).to.equal(false);
    expect(link.window.size).to.be.at.most(link.product * 3);
  });

  it("is near the bandwidth-delay product in the steady state, for links of all kinds", () => {
    for (const [bandwidth, delay] of [
      [10_000, 100],
      [100_000, 20],
      [2000, 300],
      [1_000_000, 5],
    ] as const) {
      const link = new SimulatedLink(bandwidth, delay);
      link.saturate(80);
      const ratio = link.window.size / link.product;
      expect(ratio, `${bandwidth} bytes per ms, ${delay} ms`).to.be.within(1, 1.6);
    }
  });

  it("does not shrink while the sender does not fill it", () => {
    const link = new SimulatedLink(10_000, 100);
    link.saturate(60);
    // What is still under way did fill it.
    link.drain();
    link.trickle(20, 1000, 20);
    const { size } = link.window;
    link.trickle(200, 1000, 20);
    expect(link.window.size).to.equal(size);
    // Nor after a pause.
    link.now += 60_000;
    link.trickle(200, 1000, 20);
    expect(link.window.size).to.equal(size);
  });

  it("shrinks when the bandwidth falls, by an eighth in a round trip at most", () => {
    const link = new SimulatedLink(10_000, 100);
    link.saturate(60);
    const before = link.window.size;
    link.bandwidth = 2500;
    let last = before;
    for (let i = 0; i < 400; i++) {
      link.saturate(0.1);
      expect(link.window.size).to.be.at.least(Math.floor(last * (7 / 8) ** 2));
      last = link.window.size;
    }
    expect(link.window.size).to.be.within(link.product, link.product * 1.6);
    expect(link.window.size).to.be.below(before / 2);
  });

  it("grows again when the bandwidth rises", () => {
    const link = new SimulatedLink(5000, 100);
    link.saturate(60);
    link.bandwidth = 20_000;
    link.saturate(60);
    expect(link.window.size).to.be.within(link.product, link.product * 1.6);
  });

  it("is never smaller than 64 KiB", () => {
    const link = new SimulatedLink(10, 100);
    link.saturate(4000, 4096);
    expect(link.window.isStarting).to.equal(false);
    expect(link.window.size).to.equal(minimumWindow);
    expect(minimumWindow).to.equal(65_536);
  });

  it("is never larger than 1 GiB", () => {
    const link = new SimulatedLink(1e9, 1000);
    link.saturate(12, 64 * 1024 * 1024);
    expect(link.window.size).to.equal(maximumWindow);
    expect(maximumWindow).to.equal(1024 ** 3);
  });

  it("stays what it is with a clock that stands still", () => {
    const flow = new FlowController(new AdaptiveWindow(() => 7));
    for (let i = 0; i < 10; i++) for (const { flight } of fill(flow, 16_384)) flight.acked();
    expect(fill(flow, 16_384)).to.have.lengthOf(17);
  });
});
