import { expect } from "chai";
import { RevocableServer } from "../../../lib/revocable-server.ts";
import { thisCap } from "../../../lib/this-cap.ts";
import type { Loose } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node, Base } = testSchema;

describe("a RevocableServer", () => {
  it("fails the calls that run and those to come, wherever its client has gone, and lets go of the object", async () => {
    const servers = new Servers();
    let gaveUp = false;
    let lateResult: Loose;
    const server = servers.make({
      add: ({ a, b }: Loose) => a + b,
      never: (_params: Loose, context: Loose) =>
        new Promise((resolve) => {
          context.signal.addEventListener("abort", () => {
            gaveUp = true;
            lateResult = servers.make();
            resolve(lateResult);
          });
        }),
    });
    const revocable = new RevocableServer(server as never);
    const client = revocable.client as Loose;
    expect(client).to.be.instanceOf(Node.Client);
    const vats = new Vats({ servers, b: { bootstrap: client } });
    const remote = bootstrapOf(vats.a);
    const [running, remotely, sum] = [client.never(), remote.never(), remote.add(1, 2)];
    await vats.settle();
    expect((await sum).sum).to.equal(3);
    expect(revocable.isRevoked).to.equal(false);
    revocable.revoke(new Error("no longer"));
    revocable.revoke(new Error("only the first reason counts"));
    expect(revocable.isRevoked).to.equal(true);
    const later = [client.add(1, 2), remote.add(1, 2)];
    await vats.settle();
    for (const call of [running, remotely, ...later]) {
      expect((await rejection(call)).message).to.match(/^(remote exception: )?no longer$/);
    }
    expect(gaveUp).to.equal(true);
    expect(servers.isDisposed(server)).to.equal(true);
    for (const one of [client, remote]) one.release();
    await vats.expectEmpty();
  });

  it("says so where no reason is given, and revokes at the end of a block", async () => {
    const servers = new Servers();
    let client: Loose;
    {
      using revocable = new RevocableServer(servers.make({ add: () => 1 }) as never);
      client = revocable.client;
      expect((await client.add(1, 2)).sum).to.equal(1);
    }
    const error = await rejection(client.add(1, 2));
    expect([error.code, error.kind, error.message]).to.deep.equal([
      "CAPNP_REVOKED",
      "failed",
      "The capability was revoked.",
    ]);
    servers.expectDisposed();
    client.release();
  });

  it("leaves an object alone that is referred to otherwise, and what its methods have returned", async () => {
    const servers = new Servers();
    const inner = servers.make({ add: () => 5 });
    const server = servers.make({ add: () => 1, make: () => inner });
    const direct = new Node.Client(server);
    const revocable = new RevocableServer(server as never, Node as never);
    const client = revocable.client as Loose;
    const { node } = await client.make("x");
    revocable.revoke();
    expect((await direct.add(1, 2)).sum).to.equal(1);
    expect((await node.add(1, 2)).sum).to.equal(5);
    for (const one of [direct, node, client]) one.release();
    await turn();
    servers.expectDisposed();
  });

  it("lets go of the object when its client is released, revoked or not", async () => {
    const servers = new Servers();
    const revocable = new RevocableServer(servers.make() as never);
    revocable.client.release();
    servers.expectDisposed();
    revocable.revoke();
    servers.expectDisposed();
  });

  it("does not start a call that was on its way", async () => {
    const servers = new Servers();
    let started = false;
    const server = servers.make({
      add: () => {
        started = true;
      },
    });
    const revocable = new RevocableServer(server as never);
    const call = (revocable.client as Loose).add(1, 2);
    revocable.revoke(new Error("too late"));
    expect((await rejection(call)).message).to.equal("too late");
    await turn();
    expect(started).to.equal(false);
    revocable.client.release();
    servers.expectDisposed();
  });

  it("lets a tail call pass, and gives it up when it is revoked", async () => {
    const servers = new Servers();
    let gaveUp = false;
    const slow = new Node.Client(
      servers.make({
        add: () => 42,
        never: (_params: Loose, context: Loose) =>
          new Promise((resolve) => {
            context.signal.addEventListener("abort", () => {
              gaveUp = true;
              resolve(null);
            });
          }),
      }),
    );
    const server = servers.make({
      add_context: (context: Loose) => context.tailCall(slow.addRequest()),
      never_context: (context: Loose) => context.tailCall(slow.neverRequest()),
    });
    const revocable = new RevocableServer(server as never);
    const client = revocable.client as Loose;
    expect((await client.add(1, 2)).sum).to.equal(42);
    const call = client.never();
    await turn();
    revocable.revoke(new Error("enough"));
    expect((await rejection(call)).message).to.equal("enough");
    await turn();
    expect(gaveUp).to.equal(true);
    for (const one of [client, slow]) one.release();
    await turn();
    servers.expectDisposed();
  });
});

describe("thisCap", () => {
  it("is a reference to the object itself, which holds it", async () => {
    let self: Loose;
    const calls: number[] = [];
    const servers = new Servers();
    const server = servers.make({
      order({ n }: Loose) {
        calls.push(n);
        self ??= thisCap(this as never);
        return n;
      },
    });
    const client = new Node.Client(server);
    await client.order(1);
    expect(self).to.be.instanceOf(Node.Client);
    await self.order(2);
    client.release();
    expect(servers.isDisposed(server)).to.equal(false);
    await self.order(3);
    await turn();
    self.release();
    servers.expectDisposed();
    expect(calls).to.deep.equal([1, 2, 3]);
  });

  it("is of the interface that is asked for", async () => {
    const servers = new Servers();
    const server = servers.make({}, Node);
    const client: Loose = thisCap(server as never, Base);
    expect(client).to.be.instanceOf(Base.Client);
    client.release();
    servers.expectDisposed();
  });
});

describe("a server object that is referred to from outside", () => {
  it("is disposed when the last of its clients is gone, and may be given away again", async () => {
    const disposals: number[] = [];
    const servers = new Servers();
    class Counted extends Node.Server {
      n = 0;
      add() {
        return ++this.n;
      }
      [Symbol.dispose]() {
        disposals.push(this.n);
      }
    }
    const counted = new Counted();
    const [first, second] = [new Node.Client(counted), new Node.Client(counted)];
    await first.add(0, 0);
    first.release();
    expect((await second.add(0, 0)).sum).to.equal(2);
    await turn();
    expect(disposals).to.deep.equal([]);
    second.release();
    expect(disposals).to.deep.equal([2]);
    const third = new Node.Client(counted);
    expect((await third.add(0, 0)).sum).to.equal(3);
    await turn();
    third.release();
    expect(disposals).to.deep.equal([2, 3]);
    servers.expectDisposed();
  });
});
