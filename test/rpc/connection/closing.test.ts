import { expect } from "chai";
import { deferred } from "../../support/nodes.ts";
import { encode, rpc } from "../../support/rpc-messages.ts";
import { stateOf } from "../../support/streams.ts";
import { bootstrapOf, rejection, turn, Vats } from "../../support/vats.ts";

/** Two vats with a call under way, where the transport of a closes as the test says. */
const closing = async () => {
  const vats = Vats.withNode({
    never: (_: object, { signal }: { readonly signal: AbortSignal }) =>
      new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
  });
  const call = rejection(vats.node.never(null));
  await vats.vats.settle();
  const closed = deferred();
  vats.vats.pair.a.close = () => closed.promise as Promise<never>;
  return { ...vats, call, closed };
};

describe("a connection whose transport fails to send", () => {
  for (const [whose, end] of [
    ["its own call", "a"],
    ["a result", "b"],
  ] as const) {
    it(`is over, and no call waits for what was lost with ${whose}`, async () => {
      const { vats, node } = Vats.withNode({ add: () => 3 });
      await vats.settle();
      vats.pair[end].send = () => {
        throw new RangeError("no memory is left");
      };
      const error = await Promise.all([rejection(node.add(1, 2)), vats.settle()]).then(([lost]) => lost);
      expect(error.kind).to.equal("disconnected");
      expect(vats[end].closedBy?.message).to.include("A message could not be sent: no memory is left");
      node.release();
      await vats.expectEmptyAfterClose();
    });
  }
});

describe("closing a connection", () => {
  it("waits until its transport has closed; calls have failed by then", async () => {
    const { vats, node, call, closed } = await closing();
    const done = vats.a.close();
    expect((await call).kind).to.equal("disconnected");
    expect(await stateOf(done)).to.equal("waiting");
    closed.resolve(undefined);
    await done;
    vats.pair.a.destroy();
    node.release();
    await vats.expectEmptyAfterClose();
  });

  it("fails with what its transport failed to close with, and the connection is over all the same", async () => {
    const { vats, node, call, closed } = await closing();
    const done = rejection(vats.a.close());
    closed.reject(new Error("the cable does not come out"));
    expect((await done).message).to.equal("the cable does not come out");
    expect((await call).kind).to.equal("disconnected");
    expect((await rejection(bootstrapOf(vats.a).add(1, 2))).kind).to.equal("disconnected");
    vats.pair.a.close = () => Promise.resolve();
    vats.pair.a.destroy();
    node.release();
    await vats.expectEmptyAfterClose();
  });

  it("because of what the peer did leaves nothing unhandled where the transport fails to close", async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown): void => {
      unhandled.push(reason);
    };
    process.on("unhandledRejection", listen);
    try {
      const { vats, node, call, closed } = await closing();
      vats.pair.b.send(encode(rpc.Message.newMessage({ abort: { reason: "enough" } })));
      await vats.settle();
      closed.reject(new Error("the cable does not come out"));
      expect((await call).kind).to.equal("disconnected");
      await turn();
      await turn();
      expect(unhandled).to.deep.equal([]);
      vats.pair.a.close = () => Promise.resolve();
      vats.pair.a.destroy();
      node.release();
      await vats.expectEmptyAfterClose();
    } finally {
      process.removeListener("unhandledRejection", listen);
    }
  });
});
