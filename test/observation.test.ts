import { channel, subscribe, unsubscribe } from "node:diagnostics_channel";
import { Writable } from "node:stream";
import { expect } from "chai";
import { pino } from "pino";
import { connect } from "../lib/connect.ts";
import { type ListenOptions, listen, type RpcServer } from "../lib/listen.ts";
import type { Logger } from "../lib/logger.ts";
import type { ConnectionEvent } from "../lib/observation.ts";
import type { CallRecord } from "../lib/rpc/observe.ts";
import type { TwoPartyClient } from "../lib/two-party-vat.ts";
import { type Loose, parseLoosely } from "./support/loose.ts";

const { Vault } = parseLoosely(`
  interface Vault {
    open @0 (secret :Text) -> (secret :Text);
    fail @1 (secret :Text) -> (secret :Text);
    crash @2 (secret :Text) -> (secret :Text);
    missing @3 ();
    wait @4 ();
    log @5 ();
  }
`);

const secret = "correct horse battery staple";

class VaultImpl extends Vault.Server {
  open({ secret: given }: Loose): string {
    return given;
  }
  fail(): string {
    return 7 as Loose;
  }
  crash(): string {
    throw new TypeError("a bug");
  }
  wait(): Promise<never> {
    return new Promise(() => undefined);
  }
  log(_: Loose, context: Loose): void {
    context.logger.info({ extra: 1 }, "from the method");
  }
}

describe("what happens", () => {
  const cleanup: (() => unknown)[] = [];
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  const scene = async (
    options: ListenOptions,
  ): Promise<{ server: RpcServer; client: TwoPartyClient; vault: Loose }> => {
    const server = await listen("127.0.0.1:0", { bootstrap: VaultImpl as Loose, ...options });
    cleanup.push(() => server.close());
    const client = await connect(server.address);
    cleanup.push(() => client.close());
    return { server, client, vault: (client as Loose).bootstrap(Vault) };
  };

  const failed = (promise: PromiseLike<unknown>): PromiseLike<unknown> =>
    promise.then(
      () => Promise.reject(new Error("not rejected")),
      () => undefined,
    );

  const exercise = async (vault: Loose): Promise<void> => {
    await vault.open({ secret });
    await failed(vault.fail({ secret }));
    await failed(vault.crash({ secret }));
    await failed(vault.missing());
    await vault.log();
  };

  describe("in the log", () => {
    const pinoLines = (): { logger: Logger; lines: Loose[] } => {
      const lines: Loose[] = [];
      const stream = new Writable({
        write(chunk, _encoding, done) {
          lines.push(JSON.parse(String(chunk)));
          done();
        },
      });
      return { logger: pino({ level: "trace" }, stream), lines };
    };

    const plainLines = (): { logger: Logger; lines: Loose[] } => {
      const lines: Loose[] = [];
      const at = (level: number) => (details: object, msg: string) => lines.push({ level, ...details, msg });
      return { logger: { trace: at(10), debug: at(20), info: at(30), warn: at(40), error: at(50) }, lines };
    };

    for (const [what, make] of [
      ["pino", pinoLines],
      ["a logger without children", plainLines],
    ] as const) {
      it(`every line has the fields of its connection and call, with ${what}`, async () => {
        const { logger, lines } = make();
        const { server, vault, client } = await scene({ logger });
        await exercise(vault);
        const { conn, peer } = server.connections[0]!;
        await client.close();
        while (server.connections.length > 0) await new Promise((resolve) => setImmediate(resolve));
        expect(lines.map(({ msg }) => msg)).to.deep.equal([
          "connection accepted",
          "call failed",
          "call failed",
          "call failed",
          "from the method",
          "connection closed",
        ]);
        for (const line of lines) expect(line).to.include({ conn, peer: peer.address });
        const [, wrong, crash, missing, own] = lines;
        expect(wrong).to.include({ level: 20, method: "Vault.fail", code: "CAPNP_TYPE", kind: "failed" });
        expect(crash).to.include({ level: 40, method: "Vault.crash", kind: "failed" });
        expect(crash.err.message).to.equal("a bug");
        expect(missing).to.include({ level: 20, method: "Vault.missing", kind: "unimplemented" });
        expect(own).to.include({ level: 30, method: "Vault.log", extra: 1 });
        for (const line of lines.slice(1, 5)) expect(line.call).to.be.a("number");
      });
    }

    it("there is no secret and no payload, at any level", async () => {
      const { logger, lines } = pinoLines();
      const records: Loose[] = [];
      const hear = (event: unknown): unknown => records.push(event);
      for (const name of ["call.start", "call.end", "call.error", "connection"]) {
        subscribe(`capstan:${name}`, hear);
        cleanup.push(() => unsubscribe(`capstan:${name}`, hear));
      }
      const { client, vault, server } = await scene({
        logger,
        restorer: () => Promise.reject(new Error("no")) as Loose,
      });
      await exercise(vault);
      await failed((client as Loose).ezRestore(secret, Vault).missing());
      await client.close();
      while (server.connections.length > 0) await new Promise((resolve) => setImmediate(resolve));
      const text = (value: unknown): string =>
        JSON.stringify(value, (_, one) => (typeof one === "bigint" ? String(one) : one));
      expect(lines.length).to.be.greaterThan(5);
      expect(records.length).to.be.greaterThan(10);
      expect(text(lines)).not.to.include("battery");
      expect(text(records)).not.to.include("battery");
    });

    it("a logger that throws keeps no call from its answer, and is printed", async () => {
      const broken = (): never => {
        throw new Error("the disk is full");
      };
      const logger: Logger = { trace: broken, debug: broken, info: broken, warn: broken, error: broken };
      const printed: string[] = [];
      const print = console.error;
      console.error = (...parts: unknown[]) => printed.push(parts.join(" "));
      cleanup.push(() => {
        console.error = print;
      });
      for (const exposeErrors of [true, false]) {
        const { vault, client } = await scene({ logger, exposeErrors });
        await failed(vault.crash({ secret }));
        await failed(vault.fail({ secret }));
        expect((await vault.open({ secret })).secret).to.equal(secret);
        await client.close();
      }
      expect(printed).to.include('capstan: the logger threw at "call failed": Error: the disk is full');
      expect(printed.join()).to.include("whose text the peer was not told");
    });

    it("a connection has a logger of its own", async () => {
      const { logger, lines } = plainLines();
      const { server, vault } = await scene({ logger });
      await vault.open({ secret });
      const connection = server.connections[0]!;
      connection.logger.info({ user: "alice" }, "signed in");
      expect(lines.at(-1)).to.deep.equal({
        level: 30,
        conn: connection.conn,
        peer: connection.peer.address,
        user: "alice",
        msg: "signed in",
      });
    });
  });

  describe("on the channels of node:diagnostics_channel", () => {
    const events: { name: string; event: Loose }[] = [];
    const listenTo = (...names: string[]): void => {
      events.length = 0;
      for (const name of names) {
        const hear = (event: unknown): unknown => events.push({ name, event });
        subscribe(`capstan:${name}`, hear);
        cleanup.push(() => unsubscribe(`capstan:${name}`, hear));
      }
    };

    it("each call is told on both sides, with one object from start to end", async () => {
      const { vault, server, client } = await scene({});
      await vault.open({ secret: "before anybody listens" });
      listenTo("call.start", "call.end", "call.error");
      await exercise(vault);
      for (const side of ["client", "server"] as const) {
        const mine = events.filter(({ event }) => event.side === side);
        const said = mine.map(({ name, event }) => `${name} ${event.method}`);
        expect(said, side).to.deep.equal(
          ["open", "fail", "crash", "missing", "log"].flatMap((method) => [
            `call.start Vault.${method}`,
            ...(["fail", "crash", "missing"].includes(method) ? [`call.error Vault.${method}`] : []),
            `call.end Vault.${method}`,
          ]),
        );
        const records = new Set<CallRecord>(mine.map(({ event }) => event));
        expect(records.size).to.equal(5);
        for (const { duration, conn, error, method, interfaceId } of records) {
          expect(duration).to.be.a("number").and.at.least(0);
          expect(conn).to.equal(side === "client" ? client.conn : server.connections[0]!.conn);
          expect(error === undefined, method).to.equal(["Vault.open", "Vault.log"].includes(method));
          expect(interfaceId).to.equal(Vault.schema.id);
        }
      }
    });

    it("a call that is given up, or lost with its connection, ends", async () => {
      listenTo("call.end");
      const { vault, server, client } = await scene({});
      const abort = new AbortController();
      const given = failed(vault.wait({ signal: abort.signal }));
      const lost = failed(vault.wait());
      while (server.stats().running < 2) await new Promise((resolve) => setImmediate(resolve));
      abort.abort();
      await given;
      while (server.stats().running > 1) await new Promise((resolve) => setImmediate(resolve));
      await client.close();
      await lost;
      while (server.connections.length > 0) await new Promise((resolve) => setImmediate(resolve));
      const told = events.map(({ event }) => `${event.side} ${event.error.code}`);
      expect(told.sort()).to.deep.equal([
        "client CAPNP_CANCELED",
        "client CAPNP_DISCONNECTED",
        "server CAPNP_CANCELED",
        "server CAPNP_CANCELED",
      ]);
      expect(server.stats().outcomes.canceled).to.equal(2);
    });

    it("a connection is told when it stands and when it is over, with the reason", async () => {
      listenTo("connection");
      const { client, server, vault } = await scene({});
      await vault.open({ secret });
      await client.close();
      while (server.connections.length > 0) await new Promise((resolve) => setImmediate(resolve));
      const told = events.map(({ event }): string => {
        const { side, state, reason, peer } = event as ConnectionEvent;
        expect(peer.address).to.match(/^127\.0\.0\.1:\d+$/);
        return `${side} ${state} ${reason?.kind ?? ""}`;
      });
      expect(told.sort()).to.deep.equal([
        "client closed disconnected",
        "client connected ",
        "server connected ",
        "server disconnected disconnected",
      ]);
    });

    it("nothing is told, and no record is made, while nobody listens", async () => {
      const { vault } = await scene({});
      listenTo();
      await exercise(vault);
      expect(channel("capstan:call.start").hasSubscribers).to.equal(false);
      expect(events).to.deep.equal([]);
    });
  });
});
