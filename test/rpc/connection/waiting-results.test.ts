import { expect } from "chai";
import { connect } from "../../../lib/connect.ts";
import { listen } from "../../../lib/listen.ts";
import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { steppedClock } from "../../support/stepped-clock.ts";
import { bootstrapOf, Servers, turn, Vats } from "../../support/vats.ts";

describe("results for which the peer has no room yet", () => {
  const kilo = 1000;

  /** `node.data` gives results of so many bytes; what b may have under way to a is 10,000 bytes. */
  const slow = (limits: object = {}) => {
    const clock = steppedClock();
    const servers = new Servers();
    const bootstrap = servers.make({
      data: ({ size }: Loose) => new Uint8Array(size),
      echo: ({ cap }: Loose) => cap,
    });
    const vats = new Vats({ servers, b: { bootstrap, clock, limits: { maxOutboundBytes: 10 * kilo, ...limits } } });
    const node = bootstrapOf(vats.a);
    const outcome = (promise: Promise<Loose>): Promise<string> =>
      promise.then(
        ({ data }) => `${data.length} bytes`,
        (error: Loose) => error.kind,
      );
    /** Delivers all, and lets time pass for what waits. */
    const pass = async (times: number): Promise<void> => {
      for (let i = 0; i < times; i++) {
        await vats.settle();
        clock.pass(2);
      }
      await vats.settle();
    };
    return { vats, node, clock, outcome, pass };
  };

  it("wait, are sent in their turn, and all come", async () => {
    const { vats, node, clock, outcome, pass } = slow();
    const outcomes = Array.from({ length: 50 }, () => outcome(node.data(kilo)));
    await turn();
    vats.pair.a.deliver(100);
    await turn();
    expect(vats.pair.b.queued).to.be.within(10 * kilo, 12 * kilo);
    expect(vats.b.stats().calls, "they count as being at work").to.be.within(38, 40);
    await pass(10);
    expect(new Set(await Promise.all(outcomes))).to.deep.equal(new Set(["1000 bytes"]));
    expect(vats.b.stats().overloaded).to.equal(0);
    expect(clock.timers, "nothing is looked at any more").to.equal(0);
    node.release();
    await vats.expectEmpty();
  });

  it("fail as overloaded beyond maxResultBytes", async () => {
    const { vats, node, outcome, pass } = slow({ maxResultBytes: 20 * kilo });
    const outcomes = Array.from({ length: 50 }, () => outcome(node.data(kilo)));
    await turn();
    vats.pair.a.deliver(100);
    await turn();
    await pass(10);
    const told = await Promise.all(outcomes);
    expect(told.filter((one) => one === "1000 bytes").length).to.be.within(28, 32);
    expect(new Set(told)).to.deep.equal(new Set(["1000 bytes", "overloaded"]));
    node.release();
    await vats.expectEmpty();
  });

  it("are dropped where their call is canceled meanwhile, with the capabilities in them", async () => {
    const { vats, node, outcome, pass } = slow();
    const cap = vats.server();
    const outcomes = Array.from({ length: 20 }, () => outcome(node.data(kilo)));
    const echo = node.echo(cap);
    await turn();
    vats.pair.a.deliver(100);
    await turn();
    echo.cancel();
    await echo.catch(() => undefined);
    await turn();
    vats.pair.a.deliver(100);
    await pass(5);
    await Promise.all(outcomes);
    expect(vats.b.stats()).to.include({ canceled: 1 });
    node.release();
    await vats.expectEmpty();
  });

  it("are dropped where the connection ends meanwhile", async () => {
    const { vats, node, outcome } = slow();
    const outcomes = Array.from({ length: 20 }, () => outcome(node.data(kilo)));
    const echo = outcome(node.echo(vats.server()));
    await turn();
    vats.pair.a.deliver(100);
    await turn();
    vats.pair.b.destroy();
    await vats.settle();
    expect(new Set(await Promise.all([...outcomes, echo]))).to.deep.equal(new Set(["disconnected"]));
    node.release();
    await vats.expectEmptyAfterClose();
  });

  it("all come over TCP, however many are asked for at once: a hundred of half a megabyte", async () => {
    const servers = new Servers();
    const bootstrap = servers.make({ data: ({ size }: Loose) => new Uint8Array(size) });
    await using server = await listen("tcp://127.0.0.1:0", { bootstrap });
    await using client = await connect(server.address as string);
    const node: Loose = client.bootstrap(testSchema.Node);
    const calls = Array.from({ length: 100 }, () => node.data(512 * 1024));
    for (const { data } of await Promise.all(calls)) expect(data.length).to.equal(512 * 1024);
    expect(server.stats().overloaded).to.equal(0);
    node.release();
  });
});
