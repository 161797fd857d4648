import { expect } from "chai";
import { endpoints, isService, type Resolver, type SrvRecord } from "../../lib/client/addresses.ts";
import type { PickPolicy } from "../../lib/client/endpoint.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { rejection } from "../support/vats.ts";

const records = (...all: readonly [name: string, port: number, priority: number, weight: number][]): SrvRecord[] =>
  all.map(([name, port, priority, weight]) => ({ name, port, priority, weight }));

class Names implements Resolver {
  readonly hosts: Record<string, string[]> = { "a.test": ["10.0.0.2", "10.0.0.1", "fd00::1"] };
  services: Record<string, SrvRecord[]> = {};
  readonly asked: string[] = [];

  async lookup(host: string): Promise<readonly string[]> {
    this.asked.push(host);
    const found = this.hosts[host];
    if (found === undefined) throw new Error(`ENOTFOUND ${host}`);
    return found;
  }

  async resolveSrv(service: string): Promise<readonly SrvRecord[]> {
    this.asked.push(service);
    return this.services[service] ?? [];
  }
}

const find = async (
  source: Parameters<typeof endpoints>[0],
  {
    pick = "first",
    turn = 0,
    names = new Names(),
    random = () => 0,
  }: {
    pick?: PickPolicy;
    turn?: number;
    names?: Names;
    random?: () => number;
  } = {},
): Promise<string[]> => {
  const found = await endpoints(source, pick, turn, names, random);
  return found.map(({ address, servername }) => (servername === undefined ? address : `${address} as ${servername}`));
};

describe("where to connect to", () => {
  it("is each address as it was given, in their order; the system resolves their names", async () => {
    const names = new Names();
    const given = ["a.test:1", "tls://b.test:2", "unix:/run/c", "[::1]:3", "wss://d.test/path"];
    expect(await find(given, { names })).to.deep.equal(given);
    expect(await find("a.test:1")).to.deep.equal(["a.test:1"]);
    expect(names.asked).to.deep.equal([]);
  });

  it("is asked for each time where it is a function", async () => {
    let calls = 0;
    const source = async () => `a.test:${++calls}`;
    expect(await find(source)).to.deep.equal(["a.test:1"]);
    expect(await find(source)).to.deep.equal(["a.test:2"]);
  });

  it("is each in turn with round-robin, where a name counts as many servers as it has addresses", async () => {
    const names = new Names();
    const source = ["tls://a.test:1", "127.0.0.1:2", "unix:/run/c"];
    const all = [
      "tls://10.0.0.1:1 as a.test",
      "tls://10.0.0.2:1 as a.test",
      "tls://[fd00::1]:1 as a.test",
      "127.0.0.1:2",
      "unix:/run/c",
    ];
    for (let turn = 0; turn < 7; turn++) {
      const start = turn % all.length;
      const rotated = [...all.slice(start), ...all.slice(0, start)];
      expect(await find(source, { pick: "round-robin", turn, names })).to.deep.equal(rotated);
    }
    names.hosts["a.test"] = ["10.0.0.9"];
    expect(await find("a.test:1", { pick: "round-robin", names })).to.deep.equal(["tcp://10.0.0.9:1 as a.test"]);
  });

  it("is what DNS names for a service: lower priorities first, and the domain's own name on the certificate", async () => {
    const names = new Names();
    names.services["_capnp._tcp.example.test"] = records(
      ["spare.example.test", 3, 20, 0],
      ["one.example.test.", 1, 10, 5],
      ["two.example.test", 2, 10, 5],
    );
    const source = "tls+srv://_capnp._tcp.example.test";
    expect(await find(source, { names, random: () => 0 })).to.deep.equal([
      "tls://one.example.test:1 as example.test",
      "tls://two.example.test:2 as example.test",
      "tls://spare.example.test:3 as example.test",
    ]);
    expect((await find(source, { names, random: () => 0.99 }))[0]).to.match(/^tls:\/\/two/);
    // In turn go only those of the lowest priority.
    for (const [turn, first] of [
      [0, "one"],
      [1, "two"],
      [2, "one"],
      [3, "two"],
    ] as const) {
      const found = await find("srv://_capnp._tcp.example.test", { names, pick: "round-robin", turn });
      expect(found[0]).to.include(`tcp://${first}.`);
      expect(found[2]).to.include("spare");
    }
  });

  it("follows the weights of a service", async () => {
    const names = new Names();
    names.services["_x._tcp.test"] = records(["heavy.test", 1, 0, 90], ["light.test", 1, 0, 10]);
    const random = new SeededRandom(7);
    let heavy = 0;
    for (let i = 0; i < 1_000; i++) {
      const [first] = await find("srv://_x._tcp.test", { names, random: () => random.below(1_000) / 1_000 });
      if (first?.includes("heavy")) heavy++;
    }
    expect(heavy).to.be.within(850, 950);
  });

  it("leaves out what cannot be resolved, and fails where nothing is left", async () => {
    const names = new Names();
    const source = ["nowhere.test:1", "srv://_none._tcp.test", "127.0.0.1:2"];
    expect(await find(source, { pick: "round-robin", names })).to.deep.equal(["127.0.0.1:2"]);
    const error = await rejection(find("srv://_none._tcp.test", { names }));
    expect(error).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
    expect(error.message).to.include("_none._tcp.test");
    const lost = await rejection(find("nowhere.test:1", { pick: "round-robin", names }));
    expect(lost.message).to.include("ENOTFOUND nowhere.test");
    expect((await rejection(find([]))).message).to.include("empty");
  });

  it("tells a service from an address", () => {
    expect(["srv://_a._tcp.b", "tls+srv://_a._tcp.b", "TCP+SRV://x"].map(isService)).to.deep.equal([true, true, true]);
    expect(["srv://a:1", "tls://a:1", "a:1", "unix:srv"].map(isService)).to.deep.equal([false, false, false, false]);
  });
});
