import { expect } from "chai";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { AttackedServer } from "../support/attacked-server.ts";
import { PeakMemory } from "../support/budget.ts";
import type { Loose } from "../support/loose.ts";
import { bootstraps, type RawPeer } from "../support/raw-peer.ts";
import { SeededRandom } from "../support/seeded-random.ts";
import { encode, rpc, testSchema } from "../support/rpc-messages.ts";

const kibi = 1024;
const mebi = 1024 * kibi;

/** A call of Node.list with so many bytes of params. */
const largeCall = (questionId: number, bytes: number): Uint8Array => {
  const message = rpc.Message.newMessage();
  const call = message.init("call");
  const { interfaceId, ordinal, params } = testSchema.Node.schema.allMethods.get("list");
  call.questionId = questionId;
  call.target = { importedCap: 0 };
  call.interfaceId = interfaceId;
  call.methodId = ordinal;
  call.params.content.init(params.structClass).init("numbers", bytes / 4);
  return encodeFrame(encode(message));
};

const header = (...sizes: number[]): Uint8Array => {
  const bytes = new Uint8Array(((sizes.length >>> 1) + 1) * 8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, sizes.length - 1, true);
  for (const [i, size] of sizes.entries()) view.setUint32(4 + 4 * i, size, true);
  return bytes;
};

describe("a server that is sent bytes in bad faith", () => {
  let attacked: AttackedServer | undefined;
  const start = async (...args: Parameters<typeof AttackedServer.start>): Promise<AttackedServer> => {
    attacked = await AttackedServer.start(...args);
    return attacked;
  };
  const firstBootstrap = bootstraps().many(0, 1);

  afterEach(async () => {
    await attacked?.stop();
    attacked = undefined;
  });

  it("takes a message that comes byte by byte, with no more memory than twice its size", async () => {
    const seen: number[] = [];
    const server = await start({ list: ({ numbers }: Loose) => void seen.push(numbers.length) });
    const peer = await server.attacker(firstBootstrap);
    const frame = largeCall(1, 24 * kibi);
    await server.withstands(
      async () => {
        for (let i = 0; i < frame.length; i++) {
          peer.socket.write(frame.subarray(i, i + 1));
          if (i % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await peer.until(() => peer.answered === 2);
      },
      { heldBytes: 4 * mebi },
    );
    expect(seen).to.deep.equal([6 * kibi]);
  });

  it("allocates nothing for sizes that are only declared, by many peers at once", async () => {
    const server = await start({}, { firstMessageTimeout: 60_000 });
    const peers: RawPeer[] = [];
    for (let i = 0; i < 100; i++) peers.push(await server.attacker(firstBootstrap));
    const memory = new PeakMemory();
    await server.withstands(
      async () => {
        for (const peer of peers) await peer.write(header((64 * mebi) / 8));
        for (let i = 0; i < 20; i++) {
          for (const peer of peers) await peer.write(new Uint8Array(8));
          memory.sample();
        }
      },
      { heldBytes: 8 * mebi },
    );
    expect(memory.arrayBuffers, "bytes of buffers for 6.4 GB that were declared").to.be.below(16 * mebi);
    expect(server.server.connections).to.have.lengthOf(101);
  });

  it("hangs up on a first message above maxFirstFrameBytes, and on any above maxFrameBytes, from the header alone", async () => {
    const server = await start({}, { maxFrameBytes: mebi });
    await server.withstands(async () => {
      const stranger = await server.attacker();
      await stranger.write(header((64 * kibi) / 8 + 1));
      await stranger.closed;
      expect(stranger.abort).to.match(/maxFirstFrameBytes/);
      const known = await server.attacker(firstBootstrap);
      await known.write(header((64 * kibi) / 8 + 1));
      await known.write(new Uint8Array(64 * kibi + 8));
      await known.closed;
      // What came was a message, though an empty one, and so it was heard out.
      expect(known.abort).to.not.match(/maxF/);
      const larger = await server.attacker(firstBootstrap);
      await larger.write(header(mebi / 8, 1));
      await larger.closed;
      expect(larger.abort).to.match(/maxFrameBytes/);
    });
  });

  it("accepts 4 MiB from other machines and no more, unless it is told otherwise", async () => {
    const server = await start();
    expect(server.server.address).to.match(/^127/);
    const known = await server.attacker(firstBootstrap);
    await known.write(header((64 * mebi) / 8 + 1));
    await known.closed;
    expect(known.abort).to.match(/at most 67108864/);
    const open = await AttackedServer.start({}, {}, "*:0");
    const remote = await open.attacker(firstBootstrap);
    await remote.write(header((4 * mebi) / 8 + 1));
    await remote.closed;
    expect(remote.abort).to.match(/at most 4194304/);
    await open.stop();
  });

  it("hangs up on those who send nothing, a part of a first message, or a part of a later one", async () => {
    const server = await start({}, { firstMessageTimeout: 200, partialFrameTimeout: 200, closeTimeout: 100 });
    await server.withstands(
      async () => {
        const silent = await server.attacker();
        const dribbling = await server.attacker();
        const stopping = await server.attacker(firstBootstrap);
        await stopping.write(largeCall(1, 8 * kibi).subarray(0, 5000));
        let isClosed = false;
        void dribbling.closed.then(() => {
          isClosed = true;
        });
        const bytes = largeCall(1, 8 * kibi);
        for (let i = 0; i < bytes.length && !isClosed; i++) {
          await dribbling.write(bytes.subarray(i, i + 1));
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        await Promise.all([silent.closed, dribbling.closed, stopping.closed]);
      },
      { turns: 100_000 },
    );
  });

  it("survives bytes at random, in good frames and in none", async () => {
    const server = await start();
    const random = new SeededRandom(1);
    await server.withstands(async () => {
      for (let i = 0; i < 150; i++) {
        const peer = await server.attacker();
        const bytes = Uint8Array.from({ length: 8 * (1 + random.below(40)) }, () =>
          random.below(5) < 3 ? 0 : random.below(256),
        );
        await peer.write(i % 3 === 0 ? bytes : encodeFrame([bytes]));
        peer.socket.end();
        await peer.closed;
      }
    });
  });
});
