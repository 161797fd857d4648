import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred, echoBack, holder, recorder } from "../../support/nodes.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

describe("an embargo", () => {
  it("keeps calls in order when the results of a call are a capability of our own: 0 to 5", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    await vats.settle();
    const early = node.order(99);
    const echo = node.echo(mine);
    const order = [echo.cap.order(0), echo.cap.order(1)];
    // The calls are on their way, and nothing is back.
    while (vats.pair.a.held.length > 0) vats.pair.a.deliver(1);
    await turn();
    order.push(echo.cap.order(2));
    while (vats.messages("return", "b").length < 3) {
      vats.pair.deliverAll();
      await turn();
    }
    order.push(echo.cap.order(3), echo.cap.order(4));
    await vats.settle();
    order.push(echo.cap.order(5));
    await vats.settle();
    const results = await Promise.all(order);
    expect(results.map(({ n }) => n)).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect(calls).to.deep.equal([0, 1, 2, 3, 4, 5]);
    expect((await rejection(early)).kind).to.equal("unimplemented");
    const contexts = vats.messages("disembargo").map(({ context }) => context.which());
    expect(contexts).to.deep.equal(["senderLoopback", "receiverLoopback"]);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("holds calls back until the Disembargo is back, and no longer", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const first = echo.cap.order(0);
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(9);
    const second = echo.cap.order(1);
    await turn();
    expect(vats.a.stats().embargoes).to.equal(1);
    expect(calls).to.deep.equal([0]);
    await vats.settle();
    expect(vats.a.stats().embargoes).to.equal(0);
    await Promise.all([first, second]);
    expect(calls).to.deep.equal([0, 1]);
    const sent = vats.log.length;
    await echo.cap.order(2);
    expect(vats.log.length, "a call after the embargo crosses no connection").to.equal(sent);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is not needed where no call was made through the promise", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const client = echo.cap;
    await vats.settle();
    await client.order(0);
    expect(calls).to.deep.equal([0]);
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is never put on null", async () => {
    const { vats, node } = Vats.withNode({ echo: () => undefined, hold: () => undefined });
    const echo = node.echo(null);
    const first = rejection(echo.cap.order(0));
    await vats.settle();
    expect((await first).message).to.include("null capability");
    expect((await rejection(echo.cap.order(1))).code).to.equal("CAPNP_NULL_CAPABILITY");
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is not put on a promise that breaks: calls before and after fail with its error", async () => {
    const { vats, node } = Vats.withNode({
      async echo() {
        await turn();
        throw new Error("no echo");
      },
    });
    const mine = vats.server();
    const echo = node.echo(mine);
    const calls = [0, 1].map((n) => rejection(echo.cap.order(n)));
    await vats.settle();
    calls.push(rejection(echo.cap.order(2)));
    for (const { message } of await Promise.all(calls)) expect(message).to.equal("remote exception: no echo");
    expect(vats.messages("disembargo")).to.have.lengthOf(0);
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("breaks with the connection: calls that it holds fail as disconnected, the capability is released", async () => {
    const calls: number[] = [];
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const first = rejection(echo.cap.order(0));
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(2);
    const second = rejection(echo.cap.order(1));
    expect(vats.a.stats().embargoes).to.equal(1);
    vats.pair.a.destroy();
    await vats.settle();
    for (const { kind } of await Promise.all([first, second])) expect(kind).to.equal("disconnected");
    expect(calls).to.deep.equal([]);
    expect((await rejection(echo.cap.order(2))).kind).to.equal("disconnected");
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmptyAfterClose();
  });

  it("passes a cancellation of a call that it holds, whose params are released at once", async () => {
    const { vats, node } = Vats.withNode({ echo_context: echoBack });
    const mine = vats.server({ never: () => expect.fail("this was canceled before it was delivered") });
    const param = vats.server();
    const echo = node.echo(mine);
    const first = rejection(echo.cap.order(0));
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(2);
    expect(vats.a.stats().embargoes).to.equal(1);
    const call = echo.cap.never(param);
    expect(vats.servers.isDisposed(param)).to.equal(false);
    call.cancel();
    expect(vats.servers.isDisposed(param)).to.equal(true);
    expect((await rejection(call)).code).to.equal("CAPNP_CANCELED");
    await vats.settle();
    await first;
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });

  it("is sent to the peer as the promise that it is", async () => {
    const calls: number[] = [];
    const { held, methods } = holder();
    const { vats, node } = Vats.withNode({ echo_context: echoBack, ...methods });
    const mine = vats.server(recorder(calls));
    const echo = node.echo(mine);
    const first = echo.cap.order(0);
    vats.pair.a.deliver(3);
    await turn();
    vats.pair.b.deliver(2);
    expect(vats.a.stats().embargoes).to.equal(1);
    const second = echo.cap.order(1);
    const hold = node.hold(echo.cap);
    await vats.settle();
    const third = held.cap.order(2);
    await vats.settle();
    await Promise.all([first, second, hold, third]);
    expect(calls).to.deep.equal([0, 1, 2]);
    held.take().release();
    echo[Symbol.dispose]();
    node.release();
    await vats.expectEmpty();
  });
});

describe("an embargo over two hops", () => {
  /** a - b - c, where c serves and b passes on what it has. */
  const keepsOrder = async (where: "a" | "b", kind: "Return" | "Resolve"): Promise<void> => {
    const calls: number[] = [];
    const [farServers, servers] = [new Servers(), new Servers()];
    const { promise, resolve } = deferred();
    // b's client of c, which a's calls go through
    const far = new Vats({
      servers: farServers,
      b: {
        bootstrap: farServers.make({
          echo({ cap }: Loose) {
            echoed = cap;
            return kind === "Return" ? promise : { cap: promise };
          },
        }),
      },
    });
    let echoed: Loose;
    const farNode = bootstrapOf(far.a);
    const near = new Vats({
      servers,
      b: {
        bootstrap: servers.make({
          echo_context(context: Loose) {
            const request = farNode.echoRequest();
            const { cap } = context.params;
            request.cap = where === "a" ? cap : local;
            cap.release();
            context.tailCall(request);
          },
        }),
      },
    });
    const local = where === "b" ? servers.make(recorder(calls)) : undefined;
    const mine = servers.make(recorder(calls));
    const node = bootstrapOf(near.a);
    const step = async (): Promise<void> => {
      for (let i = 0; i < 4; i++) {
        near.pair.deliverAll();
        await turn();
        far.pair.deliverAll();
        await turn();
      }
    };
    const echo = node.echo(mine);
    const order: Loose[] = [];
    const call = (n: number): void => {
      order.push(echo.cap.order(n));
    };
    call(0);
    await step();
    call(1);
    near.pair.deliverAll();
    call(2);
    resolve(echoed);
    await turn();
    for (let n = 3; n < 30; n++) {
      call(n);
      if (n % 3 === 0) far.pair.step();
      else near.pair.step();
      await turn();
    }
    await step();
    await step();
    call(30);
    await step();
    await Promise.all(order);
    expect(calls).to.deep.equal([...new Array(31).keys()]);
    echo[Symbol.dispose]();
    node.release();
    await step();
    farNode.release();
    echoed.release();
    await step();
    await near.expectEmpty();
    await far.expectEmpty();
  };

  it("keeps the order of calls on a promise that c resolves to a capability of a, by a Return", () =>
    keepsOrder("a", "Return"));
  it("keeps the order of calls on a promise that c resolves to a capability of a, by a Resolve", () =>
    keepsOrder("a", "Resolve"));
  it("keeps the order of calls on a promise that c resolves to a capability of b, by a Return", () =>
    keepsOrder("b", "Return"));
  it("keeps the order of calls on a promise that c resolves to a capability of b, by a Resolve", () =>
    keepsOrder("b", "Resolve"));
});
