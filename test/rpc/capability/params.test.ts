import { expect } from "chai";
import type { Loose } from "../../support/loose.ts";
import { deferred } from "../../support/nodes.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { emptyTables, rejection, tablesOf, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

describe("a capability in the params of a call", () => {
  /** Nothing is left of a capability that the method has handed on when the caller lets it go. */
  const handedOn = async (methods: Loose): Promise<void> => {
    const { vats, node } = Vats.withNode(methods);
    const mine = vats.server({ order: ({ n }: Loose) => n });
    const call = node.echo(mine);
    await vats.settle();
    const { cap } = await call;
    expect(vats.servers.isDisposed(mine)).to.equal(false);
    cap.release();
    await vats.settle();
    expect(vats.servers.isDisposed(mine)).to.equal(true);
    expect(tablesOf(vats.b.stats())).to.deep.equal({ ...emptyTables, exports: 1 });
    node.release();
    await vats.expectEmpty();
  };

  it("that is returned bare is handed on", () => handedOn({ echo: ({ cap }: Loose) => cap }));

  it("that is returned by name is handed on", () => handedOn({ echo: ({ cap }: Loose) => ({ cap }) }));

  it("that is set in the results is handed on", () =>
    handedOn({
      echo_context({ params, results }: Loose) {
        results.cap = params.cap;
      },
    }));

  it("that is returned after it was called is handed on", () =>
    handedOn({
      async echo({ cap }: Loose) {
        await cap.order(1);
        return cap;
      },
    }));

  it("that is a promise and is returned is handed on, whatever is called on it", async () => {
    const { vats, node } = Vats.withNode({ echo: ({ cap }: Loose) => cap });
    const promised = deferred();
    const call = node.echo(promised.promise);
    const early = rejection(call.cap.order(1));
    await vats.settle();
    await call;
    call[Symbol.dispose]();
    node.release();
    await vats.settle();
    promised.reject(new Error("never was"));
    await vats.settle();
    expect((await early).message).to.include("never was");
    await vats.expectEmpty();
  });

  it("that is returned within the vat is handed on as well", async () => {
    const vats = new Vats();
    const node = new Node.Client(vats.server({ echo: ({ cap }: Loose) => cap }));
    const mine = vats.server();
    const { cap } = await node.echo(mine);
    cap.release();
    expect(vats.servers.isDisposed(mine)).to.equal(true);
    node.release();
    await vats.expectEmpty();
  });

  it("that the method keeps is kept: as long as it likes, and with a reference of its own where it returns it, too", async () => {
    const kept: Loose[] = [];
    const { vats, node } = Vats.withNode({
      hold({ cap }: Loose) {
        kept.push(cap);
      },
      echo({ cap }: Loose) {
        kept.push(cap.castAs(Node));
        return cap;
      },
    });
    const mine = vats.server({ order: ({ n }: Loose) => n });
    const holding = node.hold(mine);
    const echoed = node.echo(mine);
    await vats.settle();
    await holding;
    (await echoed).cap.release();
    const calls = kept.map((client, n) => client.order(n));
    await vats.settle();
    expect((await Promise.all(calls)).map(({ n }) => n)).to.deep.equal([0, 1]);
    for (const client of [...kept, node]) client.release();
    await vats.expectEmpty();
  });

  it("that was handed on says so to the method that kept it all the same", async () => {
    const kept: Loose[] = [];
    const { vats, node } = Vats.withNode({
      echo({ cap }: Loose) {
        kept.push(cap);
        return cap;
      },
    });
    const call = node.echo(vats.server());
    await vats.settle();
    (await call).cap.release();
    expect(() => kept[0].order(1))
      .to.throw("which hands it on")
      .with.property("code", "CAPNP_RELEASED");
    kept[0].release();
    node.release();
    await vats.expectEmpty();
  });

  it("that the method does not return is the method's to release; what it does not read goes with the return", async () => {
    const { vats, node } = Vats.withNode({
      two({ first }: Loose) {
        first.release();
        return { first: null, second: vats.server() };
      },
    });
    const [first, second] = [vats.server(), vats.server()];
    const call = node.two(first, second);
    await vats.settle();
    expect([first, second].map((server) => vats.servers.isDisposed(server))).to.deep.equal([true, true]);
    (await call).second.release();
    node.release();
    await vats.expectEmpty();
  });
});
