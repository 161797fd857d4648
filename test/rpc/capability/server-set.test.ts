import { expect } from "chai";
import { membrane } from "../../../lib/membrane.ts";
import { Client } from "../../../lib/rpc/capability/client.ts";
import { nullClient } from "../../../lib/rpc/capability/broken-client.ts";
import { CapabilityServerSet } from "../../../lib/server-set.ts";
import { type Loose, loadLoosely } from "../../support/loose.ts";
import { testSchema } from "../../support/rpc-messages.ts";
import { bootstrapOf, rejection, Servers, turn, Vats } from "../../support/vats.ts";

const { Node } = testSchema;

const newSet = (): Loose => new CapabilityServerSet(Node);

describe("a CapabilityServerSet", () => {
  it("finds its own server objects behind clients, and no others", async () => {
    const servers = new Servers();
    const [set1, set2] = [newSet(), newSet()];
    const [server1, server2] = [servers.make(), servers.make()];
    const client1 = set1.add(server1);
    const client2 = set2.add(server2);
    const standalone = new Node.Client(servers.make());
    const nothing = new Client(nullClient.addRef());
    expect(client1).to.be.instanceOf(Node.Client);
    expect(await set1.getLocalServer(client1)).to.equal(server1);
    expect(await set2.getLocalServer(client2)).to.equal(server2);
    expect(set1.getLocalServerSync(client1)).to.equal(server1);
    for (const [set, client] of [
      [set1, client2],
      [set2, client1],
      [set1, standalone],
      [set1, nothing],
    ]) {
      expect(await set.getLocalServer(client)).to.equal(undefined);
      expect(set.getLocalServerSync(client)).to.equal(undefined);
    }
    const guarded: Loose = membrane(client1, {});
    expect(await set1.getLocalServer(guarded), "behind a membrane").to.equal(undefined);
    for (const client of [guarded, client1, client2, standalone]) client.release();
    servers.expectDisposed();
  });

  it("waits for a promise to resolve, and rejects as it does", async () => {
    const servers = new Servers();
    const [set1, set2] = [newSet(), newSet()];
    const server = servers.make();
    const client = set1.add(server);
    let fulfil: (client: Loose) => void = () => undefined;
    let reject: (error: Error) => void = () => undefined;
    const promised = new Node.Client(
      new Promise((resolve) => {
        fulfil = resolve;
      }),
    );
    const failing = new Node.Client(
      new Promise((_resolve, rejects) => {
        reject = rejects;
      }),
    );
    const found: unknown[] = [];
    const all = [set1.getLocalServer(promised), set2.getLocalServer(promised), rejection(set1.getLocalServer(failing))];
    for (const [i, one] of all.entries()) one.then((value: unknown) => found.push([i, value]));
    await turn();
    expect(found).to.deep.equal([]);
    expect(set1.getLocalServerSync(promised)).to.equal(undefined);
    fulfil(new Node.Client(Promise.resolve(client)));
    reject(new Error("foo"));
    const [mine, others, error] = await Promise.all(all);
    expect(mine).to.equal(server);
    expect(others).to.equal(undefined);
    expect(error.message).to.equal("foo");
    expect(set1.getLocalServerSync(promised)).to.equal(server);
    expect(await rejection(set1.getLocalServer(failing))).to.equal(error);
    // The client that only the promise held is collected some day.
    for (const one of [client, promised, failing]) one.release();
  });

  it("recognises a capability that comes back from a peer, after the calls made on it before", async () => {
    const calls: number[] = [];
    const servers = new Servers();
    const set = newSet();
    const mine = servers.make({ order: ({ n }: Loose) => void calls.push(n) });
    const echo = servers.make({
      echo_context: (context: Loose) => {
        const { cap } = context.params;
        context.results.cap = cap;
        cap.release();
      },
    });
    const vats = new Vats({ servers, b: { bootstrap: echo } });
    const node = bootstrapOf(vats.a);
    const client = set.add(mine);
    const echoed = node.echo(client);
    const { cap } = echoed;
    const order = [cap.order(1), cap.order(2)];
    let seen: unknown;
    const found = set.getLocalServer(cap).then((server: unknown) => {
      seen = [...calls];
      return server;
    });
    await vats.settle();
    expect(await found).to.equal(mine);
    expect(seen, "an embargo holds the answer back as it holds calls").to.deep.equal([1, 2]);
    await Promise.all(order);
    for (const one of [echoed, client, node]) one[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("does not keep its members alive, nor forgets one that is given away again", async () => {
    const servers = new Servers();
    const set = newSet();
    const server = servers.make();
    set.add(server).release();
    servers.expectDisposed();
    const again = new Node.Client(server);
    expect(await set.getLocalServer(again)).to.equal(server);
  });

  it("waits until calls that were made before have been delivered", async () => {
    const servers = new Servers();
    const set = newSet();
    const calls: number[] = [];
    const server = servers.make({ order: ({ n }: Loose) => void calls.push(n) });
    const client = set.add(server);
    const order = [client.order(1), client.order(2)];
    await set.getLocalServer(client);
    expect(calls).to.deep.equal([1, 2]);
    await Promise.all(order);
    client.release();
    await turn();
    servers.expectDisposed();
  });

  it("waits until calls of a stream that were made before have ended", async () => {
    const { Sink } = loadLoosely("test/fixtures/capability-test.capnp");
    const servers = new Servers();
    const set: Loose = new CapabilityServerSet(Sink);
    const events: string[] = [];
    let finish: () => void = () => undefined;
    const sink = servers.make(
      {
        write: async ({ n }: Loose) => {
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
          events.push(`written ${n}`);
        },
      },
      Sink,
    );
    const client = set.add(sink);
    const writes = [client.write(1), client.write(2)];
    const found = set.getLocalServer(client).then((server: unknown) => {
      events.push("found");
      return server;
    });
    for (let i = 0; i < 2; i++) {
      await turn();
      finish();
    }
    await Promise.all(writes);
    expect(await found).to.equal(sink);
    expect(events).to.deep.equal(["written 1", "written 2", "found"]);
    client.release();
    await turn();
    servers.expectDisposed();
  });
});
