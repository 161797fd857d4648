import { setTimeout as delay } from "node:timers/promises";
import * as capnp from "capstan";
import { expect } from "chai";
import { firstValueFrom } from "rxjs";
import { distinctUntilChanged, filter, take, toArray } from "rxjs/operators";
import { ensureCertificates } from "../../certs/make.ts";
import { type Loose, parseLoosely } from "../support/loose.ts";
import { rejection } from "../support/vats.ts";
import { Opened } from "./calculators.ts";

const { Example } = parseLoosely(`
  interface Example {
    interface StatusSubscriber { status @0 (value :Bool); }
    longRunning @0 () -> (value :Bool);
    subscribeStatus @1 (subscriber :StatusSubscriber);
    alive @2 () -> (value :Bool);
  }`);

/** Values as they come, and a promise of the next. */
class Inbox<T> {
  readonly #values: T[] = [];
  readonly #waiting: ((value: T) => void)[] = [];

  put(value: T): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#values.push(value);
    else waiting(value);
  }

  next(): Promise<T> {
    if (this.#values.length > 0) return Promise.resolve(this.#values.shift() as T);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

class Subscriber extends Example.StatusSubscriber.Server {
  readonly statuses = new Inbox<boolean>();
  status({ value }: Loose) {
    this.statuses.put(value);
  }
}

/** A server whose long calls end when the test says so. */
class ExampleImpl extends Example.Server {
  readonly running = new Inbox<(value: boolean) => void>();
  readonly subscribers: Loose[] = [];

  longRunning() {
    return new Promise((resolve) => this.running.put((value) => resolve({ value })));
  }
  subscribeStatus({ subscriber }: Loose) {
    this.subscribers.push(subscriber);
    return subscriber.status({ value: true }).then(() => undefined);
  }
  alive() {
    return { value: true };
  }
}

describe("quickstart: the thread example", () => {
  const opened = new Opened();
  afterEach(() => opened.close());

  it("a server tells its subscribers while a long call is at work (both: Full examples)", async () => {
    const impl = new ExampleImpl();
    const server = await opened.listen("localhost:0", { bootstrap: impl as Loose });
    const example: Loose = (await opened.connect(server.address)).bootstrap(Example);
    const subscriber = new Subscriber();
    await example.subscribeStatus(subscriber);
    const long = example.longRunning();
    const finish = await impl.running.next();
    for (const one of impl.subscribers) await one.status(false);
    expect(await subscriber.statuses.next()).to.equal(true);
    expect(await subscriber.statuses.next()).to.equal(false);
    finish(true);
    expect((await long).value).to.equal(true);
  });

  it("a client asks whether the server is alive, and waits so long for the answer (new: Starting a Client (asyncio))", async () => {
    class Dead extends Example.Server {
      alive() {
        return new Promise(() => undefined);
      }
    }
    for (const [impl, expected] of [
      [new ExampleImpl(), "alive"],
      [new Dead(), "CAPNP_TIMEOUT"],
    ] as const) {
      const server = await opened.listen("localhost:0", { bootstrap: impl as Loose });
      const example: Loose = (await opened.connect(server.address)).bootstrap(Example);
      const timeout = expected === "alive" ? 5_000 : 10;
      const answer = await example.alive({}, { timeout }).then(
        ({ value }: Loose) => (value ? "alive" : "not"),
        ({ code }: Loose) => code,
      );
      expect(answer).to.equal(expected);
    }
  });

  it("a client reconnects over TLS, subscribes again and goes on with the same capability (new: Starting a Client (asyncio))", async () => {
    const { ca, cert, key } = await ensureCertificates();
    const serve = (impl: ExampleImpl, port = 0) =>
      capnp.listen(`tls://localhost:${port}`, { tls: { cert, key }, bootstrap: () => impl as Loose });
    const first = new ExampleImpl();
    const server = opened.add(await serve(first));
    const subscriber = new Subscriber();
    const client = opened.add(
      await capnp.connect(server.address, {
        tls: { ca },
        reconnect: { minDelay: 1, maxDelay: 20 },
        onSession: async (session) => {
          await (session.bootstrap(Example) as Loose).subscribeStatus(subscriber);
        },
      }),
    );
    const example: Loose = client.bootstrap(Example);
    expect(await subscriber.statuses.next()).to.equal(true);
    expect((await example.alive()).value).to.equal(true);

    const states = firstValueFrom(
      client.state$.pipe(
        filter((state) => state === "connected" || state === "disconnected"),
        // However many attempts fail while there is no server.
        distinctUntilChanged(),
        take(3),
        toArray(),
      ),
    );
    const lost = example.longRunning();
    await first.running.next();
    await server.close();
    expect((await rejection(lost)).kind).to.equal("disconnected");

    const second = new ExampleImpl();
    opened.add(await serve(second, server.port));
    expect(await subscriber.statuses.next(), "subscribed again").to.equal(true);
    expect(await states).to.deep.equal(["connected", "disconnected", "connected"]);
    const long = example.longRunning();
    (await second.running.next())(true);
    expect((await long).value).to.equal(true);
    expect(first.subscribers.length, "the call that was lost is not sent twice").to.equal(1);
  });

  it("the same by hand: a loop that connects, asks whether the server is alive, and begins again (new: Starting a Client (asyncio))", async () => {
    const { ca, cert, key } = await ensureCertificates();
    const connected = new Inbox<capnp.TwoPartyClient>();
    const disconnected = new Inbox<string>();
    let retry = true;

    /** Asks until there is no answer in time; the connection is of no use then. */
    const watch = async (client: capnp.TwoPartyClient, example: Loose): Promise<void> => {
      for (;;) {
        try {
          await example.alive({}, { timeout: 5_000 });
        } catch {
          await client.close();
          return;
        }
        await delay(1);
      }
    };

    const run = async (address: string): Promise<void> => {
      while (retry) {
        try {
          const client = await capnp.connect(address, { tls: { ca } });
          connected.put(client);
          await Promise.race([watch(client, client.bootstrap(Example)), client.closed]);
          disconnected.put((await client.closed).kind);
        } catch {
          await delay(1);
        }
      }
    };

    const serve = (port = 0) =>
      capnp.listen(`tls://localhost:${port}`, { tls: { cert, key }, bootstrap: () => new ExampleImpl() as Loose });
    const server = await serve();
    const running = run(server.address);
    expect((await connected.next()).peer.authenticated).to.equal(true);
    await server.close();
    expect(await disconnected.next()).to.equal("disconnected");
    opened.add(await serve(server.port));
    const again = await connected.next();
    const example: Loose = again.bootstrap(Example);
    expect((await example.alive()).value).to.equal(true);
    retry = false;
    await again.close();
    await running;
  });

  it("a capability that each connection authenticates for stays good across them (new: Starting a Client (asyncio))", async () => {
    const { Host, Nodes } = parseLoosely(`
      interface Host { auth @0 (key :Text) -> (port :Nodes); }
      interface Nodes { names @0 () -> (names :List(Text)); }`);
    class NodesImpl extends Nodes.Server {
      names() {
        return ["keyboard"];
      }
    }
    let logins = 0;
    class HostImpl extends Host.Server {
      auth({ key }: Loose) {
        if (key !== "secret") throw new Error("wrong key");
        logins++;
        return new NodesImpl();
      }
    }
    const server = await capnp.listen("localhost:0", { bootstrap: () => new HostImpl() as Loose });
    const client = opened.add(await capnp.connect(server.address, { reconnect: { minDelay: 1, maxDelay: 20 } }));
    const nodes: Loose = client.stable(
      (session) => (session.bootstrap(Host) as Loose).auth({ key: "secret" }).port,
      Nodes,
    );
    expect([...(await nodes.names()).names]).to.deep.equal(["keyboard"]);
    await server.close();
    opened.add(await capnp.listen(server.address, { bootstrap: () => new HostImpl() as Loose }));
    expect([...(await nodes.names()).names]).to.deep.equal(["keyboard"]);
    expect(logins).to.equal(2);
  });
});
