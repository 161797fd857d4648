import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { rejection, Servers, turn } from "../../support/vats.ts";

const { Node } = testSchema;

describe("promises of capabilities that lead to each other", () => {
  it("are broken where none of them leads anywhere else", async () => {
    const [first, second] = [deferred(), deferred()];
    const [one, two] = [new Node.Client(first.promise), new Node.Client(second.promise)];
    const waiting = rejection(one.order(1));
    first.resolve(two);
    await turn();
    second.resolve(one);
    for (const failed of [waiting, rejection(one.order(2)), rejection(two.order(3))]) {
      expect((await failed).message).to.include("resolved to itself");
    }
    for (const client of [one, two]) client.release();
  });

  it("are broken where a place in results is said to be that very place", async () => {
    const servers = new Servers();
    const node = new Node.Client(
      servers.make({
        two_context(context: Loose) {
          context.results.first = call.first;
        },
      }),
    );
    const call: Loose = node.two(null, null);
    expect((await rejection(call.first.order(1))).message).to.include("resolved to itself");
    call[Symbol.dispose]();
    node.release();
    await turn();
    servers.expectDisposed();
  });

  it("are no cycle where one place in results is another one, and nothing is left of them", async () => {
    for (const held of [true, false]) {
      const servers = new Servers();
      const object = servers.make({ order: ({ n }: Loose) => n });
      const node = new Node.Client(
        servers.make({
          two_context(context: Loose) {
            context.results.first = call.second;
            context.results.second = object;
          },
        }),
      );
      const call: Loose = node.two(null, null);
      const { first } = call;
      if (held) expect((await first.order(7)).n).to.equal(7);
      await call;
      call[Symbol.dispose]();
      node.release();
      await turn();
      servers.expectDisposed();
    }
  });
});
