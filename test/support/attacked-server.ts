import { expect } from "chai";
import { connect } from "../../lib/connect.ts";
import { type ListenOptions, listen, type RpcServer } from "../../lib/listen.ts";
import type { ConnectionStats } from "../../lib/rpc/connection/connection.ts";
import type { TwoPartyClient } from "../../lib/two-party-vat.ts";
import { collectGarbage } from "./budget.ts";
import type { Loose } from "./loose.ts";
import { RawPeer } from "./raw-peer.ts";
import { testSchema } from "./rpc-messages.ts";

/** What the server may do and hold while it is attacked. Every attack that works costs many times as much. */
export interface AttackBudget {
  /** Milliseconds of CPU time in one turn of the event loop, in which nobody else is heard. Default: 500. */
  readonly turnMs?: number;
  /** Turns of the event loop in which the honest client waits for one answer. Default: 500. */
  readonly turns?: number;
  /** Bytes that are held, after garbage was collected, while the attacker's connection still stands. Default: 48 MiB. */
  readonly heldBytes?: number;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes on the heap and in buffers that are no garbage. */
export const heldBytes = async (): Promise<number> => {
  // What is known to be garbage frees what it held only after a turn.
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await nextTurn();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** A server with an honest client, which goes on calling while others attack. */
export class AttackedServer {
  readonly server: RpcServer;
  readonly #client: TwoPartyClient;
  readonly #node: Loose;
  readonly #peers: RawPeer[] = [];

  private constructor(server: RpcServer, client: TwoPartyClient) {
    this.server = server;
    this.#client = client;
    this.#node = client.bootstrap(testSchema.Node as never);
  }

  /** @param methods Of the node that every peer gets. `add` is the honest client's. */
  static async start(
    methods: Loose = {},
    options: Partial<ListenOptions> = {},
    address = "127.0.0.1:0",
  ): Promise<AttackedServer> {
    class Attacked extends testSchema.Node.Server {
      add({ a, b }: Loose): number {
        return a + b;
      }
    }
    Object.assign(Attacked.prototype, methods);
    const server = await listen(address, { ...options, bootstrap: () => new Attacked() as never });
    const attacked = new AttackedServer(server, await connect(`127.0.0.1:${server.port}`));
    expect(await attacked.add(1)).to.equal(2);
    return attacked;
  }

  async add(n: number): Promise<number> {
    return (await this.#node.add(n, 1)).sum;
  }

  /** An attacker, which has the bootstrap capability as export 0 after question 0. */
  async attacker(bootstrap?: Uint8Array): Promise<RawPeer> {
    const peer = await RawPeer.connect(this.server.port as number);
    this.#peers.push(peer);
    if (bootstrap !== undefined) {
      await peer.write(bootstrap);
      await peer.until(() => peer.answered === 1);
    }
    return peer;
  }

  /** The statistics of the connections of attackers, or of the last one that stood. */
  get attackers(): ConnectionStats[] {
    const [, ...rest] = this.server.connections;
    return rest.map((connection) => connection.stats());
  }

  /** Attacks, while the honest client calls all the time; then holds the costs against the budget. */
  async withstands(attack: () => Promise<void>, budget: AttackBudget = {}): Promise<void> {
    const { turnMs = 500, turns = 500, heldBytes: held = 48 * 1024 * 1024 } = budget;
    const before = await heldBytes();
    let attacking = true;
    let turn = 0;
    let longestTurn = 0;
    const watch = async (): Promise<void> => {
      while (attacking) {
        const cpu = process.cpuUsage();
        await nextTurn();
        const { user, system } = process.cpuUsage(cpu);
        longestTurn = Math.max(longestTurn, (user + system) / 1000);
        turn++;
      }
    };
    let calls = 0;
    let wrong = 0;
    let longestWait = 0;
    const beHonest = async (): Promise<void> => {
      do {
        const from = turn;
        if ((await this.add(calls)) !== calls + 1) wrong++;
        calls++;
        longestWait = Math.max(longestWait, turn - from);
      } while (attacking);
    };
    const watching = watch();
    const honest = beHonest();
    try {
      await attack();
    } finally {
      attacking = false;
      await Promise.all([watching, honest]);
    }
    expect(wrong, "wrong answers to the honest client").to.equal(0);
    expect(calls, "answers to the honest client").to.be.above(1);
    expect(longestWait, "turns that the honest client waited for an answer").to.be.at.most(turns);
    expect(longestTurn, "CPU ms of the longest turn").to.be.at.most(turnMs);
    expect((await heldBytes()) - before, "bytes held").to.be.at.most(held);
    expect(await this.add(41)).to.equal(42);
  }

  /** Ends all, and proves that the server holds no connection of the attackers any more. */
  async stop(): Promise<void> {
    for (const peer of this.#peers) peer.destroy();
    await Promise.all(this.#peers.map((peer) => peer.closed));
    for (let i = 0; i < 1000 && this.server.connections.length > 1; i++) await nextTurn();
    expect(this.server.connections.length, "connections besides the honest one").to.equal(1);
    this.#node.release();
    await this.#client.close();
    await this.server.close();
  }
}
