import { expect } from "chai";
import { messageTag } from "../../lib/rpc/wire.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { AttackedServer, heldBytes } from "../support/attacked-server.ts";
import { encode, rpc, testSchema } from "../support/rpc-messages.ts";
import { bootstraps, calls, finishes, FrameTemplate, interleaved } from "../support/raw-peer.ts";

class Made extends testSchema.Node.Server {}

const mebi = 1024 * 1024;

/** Methods that end when the test says so. */
const hanging = () => {
  const ends = new Set<() => void>();
  return {
    get running() {
      return ends.size;
    },
    end: () => {
      for (const end of ends) end();
      ends.clear();
    },
    never: () => new Promise<void>((resolve) => ends.add(resolve)),
  };
};

describe("a server under a flood", () => {
  let attacked: AttackedServer | undefined;
  const hung = hanging();

  const start = async (...args: Parameters<typeof AttackedServer.start>): Promise<AttackedServer> => {
    attacked = await AttackedServer.start(...args);
    return attacked;
  };

  const firstBootstrap = bootstraps().many(0, 1);

  afterEach(async () => {
    hung.end();
    await attacked?.stop();
    attacked = undefined;
  });

  it("of calls that do not return starts as many as maxCalls and refuses the others", async () => {
    const server = await start({ never: () => hung.never() }, { limits: { maxCalls: 100 } });
    const peer = await server.attacker(firstBootstrap);
    await server.withstands(async () => {
      for (let id = 1; id <= 4000; id += 1000) await peer.write(calls("never").many(id, id + 1000));
      await peer.until(() => peer.answered === 1 + 3900);
    });
    expect(hung.running).to.equal(100);
    expect(peer.exceptions).to.deep.equal(new Map([["overloaded", 3900]]));
    expect(server.attackers[0]).to.include({ calls: 100, overloaded: 3900 });
  });

  it("of calls that are never finished ends the connection at maxAnswers", async () => {
    const server = await start({ fail: () => Promise.reject(new Error("no")) }, { limits: { maxAnswers: 2000 } });
    const peer = await server.attacker(firstBootstrap);
    await server.withstands(async () => {
      for (let id = 1; id <= 8000; id += 500) await peer.write(calls("fail").many(id, id + 500));
      await peer.closed;
    });
    expect(peer.abort).to.match(/2000 unfinished calls \(maxAnswers\)/);
  });

  it("of calls whose answers nobody reads holds no more than the limits of the queue, and hangs up", async () => {
    const data = new Uint8Array(64 * 1024);
    const server = await start(
      { data: () => data },
      { maxQueuedBytes: 2 * mebi, limits: { maxOutboundBytes: mebi }, closeTimeout: 200 },
    );
    const peer = await server.attacker(firstBootstrap);
    peer.socket.pause();
    let most = 0;
    await server.withstands(
      async () => {
        const gone = Promise.race([peer.closed, new Promise((resolve) => peer.socket.once("error", resolve))]);
        let isGone = false;
        void gone.then(() => {
          isGone = true;
        });
        for (let id = 1; !isGone && server.attackers.length > 0; id += 100) {
          const written = peer.write(calls("data").many(id, id + 100));
          await Promise.race([written, new Promise((resolve) => setTimeout(resolve, 30))]);
          most = Math.max(most, server.attackers[0]?.calls ?? 0);
        }
      },
      { turns: 5000 },
    );
    expect(most).to.be.at.most(1024);
    expect(server.attackers).to.have.lengthOf(0);
  });

  it("of calls whose answers nobody reads hangs up after slowReaderTimeout, where that comes first", async () => {
    const data = new Uint8Array(4 * mebi);
    const server = await start({ data: () => data }, { slowReaderTimeout: 300, closeTimeout: 200 });
    const peer = await server.attacker(firstBootstrap);
    peer.socket.pause();
    await server.withstands(
      async () => {
        await peer.write(calls("data").many(1, 3));
        while (server.attackers.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
      },
      { turns: 100_000 },
    );
  });

  it("of Bootstraps and their Finishes answers each and keeps nothing", async () => {
    const server = await start();
    const peer = await server.attacker();
    const count = 6000;
    await server.withstands(async () => {
      for (let id = 0; id < count; id += 1000) {
        await peer.write(interleaved([bootstraps(), finishes()], id, id + 1000));
      }
      await peer.until(() => peer.answered === count);
    });
    await peer.until(() => server.attackers[0]?.answers === 0);
    expect(server.attackers[0]).to.include({ answers: 0, exports: 0, calls: 0, resultBytes: 0 });
    expect(peer.results).to.equal(count);
  });

  it("of Bootstraps without a Finish ends the connection at maxAnswers", async () => {
    const server = await start({}, { limits: { maxAnswers: 2000 } });
    const peer = await server.attacker();
    await server.withstands(async () => {
      for (let id = 0; id < 6000; id += 500) await peer.write(bootstraps().many(id, id + 500));
      await peer.closed;
    });
    expect(peer.abort).to.match(/maxAnswers/);
  });

  it("of calls that are canceled at once ends the connection, and no call has started that was canceled before", async () => {
    let started = 0;
    const server = await start({
      never: () => {
        started++;
        return hung.never();
      },
    });
    const peer = await server.attacker(firstBootstrap);
    await server.withstands(async () => {
      for (let id = 1; id <= 5000; id += 500) await peer.write(interleaved([calls("never"), finishes()], id, id + 500));
      await peer.closed;
    });
    expect(peer.abort).to.match(/cancels too many calls: more than 1000 at once \(cancelBurst\) and 33 in a second/);
    expect(started).to.be.at.most(1024);
  });

  it("of capabilities in ever new descriptors ends the connection at maxImports", async () => {
    const server = await start(
      { never: () => hung.never() },
      { limits: { maxImports: 2000, maxCalls: Number.POSITIVE_INFINITY } },
    );
    const peer = await server.attacker(firstBootstrap);
    const never = testSchema.Node.schema.allMethods.get("never");
    await server.withstands(async () => {
      for (let id = 1; id <= 40; id++) {
        const message = rpc.Message.newMessage();
        const call = message.init("call");
        call.questionId = id;
        call.target = { importedCap: 0 };
        call.interfaceId = never.interfaceId;
        call.methodId = never.ordinal;
        const table = call.params.init("capTable", 100);
        for (let i = 0; i < 100; i++) table[i].senderHosted = id * 100 + i;
        await peer.write(encodeFrame(encode(message)));
      }
      await peer.closed;
    });
    expect(peer.abort).to.match(/maxImports/);
  });

  it("of calls that each ask for a capability of ours refuses them at maxExports", async () => {
    const server = await start({ make: () => new Made() }, { limits: { maxExports: 500 } });
    const peer = await server.attacker(firstBootstrap);
    await server.withstands(async () => {
      for (let id = 1; id <= 2000; id += 500) await peer.write(calls("make").many(id, id + 500));
      await peer.until(() => peer.answered === 2001);
    });
    expect(peer.exceptions).to.deep.equal(new Map([["overloaded", 2001 - 500]]));
    expect(server.attackers[0]).to.include({ exports: 500 });
  });

  it("of messages that it does not know echoes them, and holds nothing", async () => {
    const server = await start();
    const peer = await server.attacker();
    const frame = encodeFrame(
      encode(rpc.Message.newMessage({ provide: { questionId: 7, target: { importedCap: 0 } } })),
    );
    const many = new FrameTemplate(frame, []).many(0, 500);
    await server.withstands(async () => {
      for (let i = 0; i < 12; i++) await peer.write(many);
      await peer.until(() => peer.heard.get(messageTag.unimplemented) === 6000);
    });
    expect(server.attackers[0]).to.include({ answers: 0, exports: 0, imports: 0 });
  });

  it("of ordinary calls, one batch after the other, holds no more after many than after few", async () => {
    const server = await start();
    const run = async (count: number): Promise<number> => {
      for (let n = 0; n < count; n += 250) {
        await Promise.all(Array.from({ length: 250 }, (_, i) => server.add(n + i)));
      }
      return heldBytes();
    };
    await run(2500);
    const early = await run(2500);
    // Less than 200 bytes for each call: one message alone is larger.
    expect((await run(10_000)) - early).to.be.below(10_000 * 200);
  });

  it("of connections refuses those above maxConnectionsPerAddress, and takes new ones when the old are gone", async () => {
    const server = await start({}, { maxConnectionsPerAddress: 20 });
    await server.withstands(async () => {
      const peers = [];
      for (let i = 0; i < 100; i++) peers.push(await server.attacker());
      await Promise.all(peers.slice(19).map((peer) => peer.closed));
      expect(server.server.connections).to.have.lengthOf(20);
      for (const peer of peers) peer.destroy();
      await Promise.all(peers.map((peer) => peer.closed));
      while (server.server.connections.length > 1) await new Promise((resolve) => setImmediate(resolve));
      const late = await server.attacker(firstBootstrap);
      expect(late.results).to.equal(1);
    });
  });
});
