import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { Vats } from "../../support/vats.ts";

describe("the memory of messages", () => {
  it("of a request that was sent is the user's to read, whatever is sent after it", async () => {
    const { vats, node } = Vats.withNode({ add: ({ a, b }: Loose) => a + b });
    const request = node.addRequest();
    request.a = 20;
    request.b = 22;
    const sum = request.send();
    for (let i = 0; i < 50; i++) void node.add(i, 1000);
    await vats.settle();
    expect((await sum).sum).to.equal(42);
    expect([request.a, request.b]).to.deep.equal([20, 22]);
    node.release();
    await vats.expectEmpty();
  });

  it("of results that a method has kept is the method's to read, whatever is sent after them", async () => {
    let kept: Loose;
    const { vats, node } = Vats.withNode({
      add_context: (context: Loose) => {
        kept ??= context.results;
        context.results.sum = context.params.a + context.params.b;
      },
    });
    const sums = [node.add(20, 22)];
    await vats.settle();
    for (let i = 0; i < 50; i++) sums.push(node.add(i, 1000));
    await vats.settle();
    expect((await Promise.all(sums)).map(({ sum }) => sum).slice(0, 3)).to.deep.equal([42, 1000, 1001]);
    expect(kept.sum).to.equal(42);
    node.release();
    await vats.expectEmpty();
  });

  it("of results that were sent is another message's: who asks for them then is told", async () => {
    const errors: Loose[] = [];
    const contexts: Loose[] = [];
    const { vats, node, server } = Vats.withNode({
      add: ({ a, b }: Loose, context: Loose) => {
        contexts.push(context);
        return a + b;
      },
      echo: ({ cap }: Loose, context: Loose) => {
        contexts.push(context);
        return cap;
      },
    });
    const sum = node.add(20, 22);
    const echo = node.echo(server);
    await vats.settle();
    (await echo).cap.release();
    await vats.settle();
    const another = node.add(1, 2);
    for (const context of contexts) {
      try {
        context.results.sum = 7;
      } catch (error) {
        errors.push(error);
      }
    }
    await vats.settle();
    expect(errors.map(({ code }) => code)).to.deep.equal(["CAPNP_RELEASED", "CAPNP_RELEASED"]);
    expect([(await sum).sum, (await another).sum]).to.deep.equal([42, 3]);
    node.release();
    await vats.expectEmpty();
  });

  it("of many messages under way at a time is never mixed up", async () => {
    const { vats, node } = Vats.withNode({
      data: ({ size }: Loose) => ({ data: new Uint8Array(size).fill(size & 0xff) }),
      list: ({ numbers }: Loose) => ({ numbers: numbers.map((n: number) => -n) }),
    });
    for (let round = 0; round < 10; round++) {
      const sizes = Array.from({ length: 12 }, (_, i) => i * 150 + round);
      const data = sizes.map((size) => node.data(size));
      const lists = sizes.map((size) => node.list(Array(size >> 3).fill(size)));
      await vats.settle();
      for (const [i, size] of sizes.entries()) {
        const bytes: Uint8Array = (await data[i]).data;
        expect(bytes.length).to.equal(size);
        expect(bytes.every((byte) => byte === (size & 0xff))).to.equal(true);
        expect([...(await lists[i]).numbers]).to.deep.equal(Array(size >> 3).fill(-size));
      }
    }
    node.release();
    await vats.expectEmpty();
  });
});
