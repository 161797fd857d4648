import { expect } from "chai";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { AttackedServer } from "../support/attacked-server.ts";
import { collectGarbage, PeakMemory } from "../support/budget.ts";
import { bootstraps, calls, finishes, interleaved } from "../support/raw-peer.ts";
import { encode, rpc, testSchema } from "../support/rpc-messages.ts";

const kibi = 1024;
const mebi = 1024 * kibi;
const million = 1_000_000;

describe("a server under a flood of a million", () => {
  let attacked: AttackedServer | undefined;
  const firstBootstrap = bootstraps().many(0, 1);

  afterEach(async () => {
    await attacked?.stop();
    attacked = undefined;
  });

  it("calls that are canceled at once: holds no more at the end than at the beginning", async () => {
    let started = 0;
    attacked = await AttackedServer.start(
      {
        never: (_params: object, { signal }: { readonly signal: AbortSignal }) => {
          started++;
          return new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => resolve());
          });
        },
      },
      { limits: { cancelBurst: Number.POSITIVE_INFINITY } },
    );
    const peer = await attacked.attacker(firstBootstrap);
    await attacked.withstands(
      async () => {
        for (let id = 1; id <= million; id += 1000) {
          await peer.write(interleaved([calls("never"), finishes()], id, id + 1000));
        }
        await peer.until(() => peer.answered === million + 1);
      },
      { heldBytes: 16 * mebi },
    );
    expect(started).to.be.at.most(million);
    expect(attacked.attackers[0]).to.include({ calls: 0, answers: 1, paramBytes: 0, canceled: million });
  });

  it("Bootstraps and their Finishes: holds no more at the end than at the beginning", async () => {
    attacked = await AttackedServer.start();
    const peer = await attacked.attacker();
    await attacked.withstands(
      async () => {
        for (let id = 0; id < million; id += 1000) {
          await peer.write(interleaved([bootstraps(), finishes()], id, id + 1000));
        }
        await peer.until(() => peer.answered === million);
      },
      { heldBytes: 16 * mebi },
    );
    expect(peer.results).to.equal(million);
  });

  it("calls of one honest connection: the heap is as large after the last as after the first tenth", async () => {
    attacked = await AttackedServer.start();
    const run = async (count: number): Promise<number> => {
      for (let n = 0; n < count; n += 500) {
        await Promise.all(Array.from({ length: 500 }, (_, i) => attacked?.add(n + i)));
      }
      collectGarbage();
      return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    };
    const early = await run(million / 10);
    const late = await run((million * 9) / 10);
    expect(late / early).to.be.below(1.1);
  });

  it("bytes and more of one message that come one by one: takes no more memory than twice its size", async () => {
    attacked = await AttackedServer.start({ list: () => undefined });
    const peer = await attacked.attacker(firstBootstrap);
    const message = rpc.Message.newMessage();
    const call = message.init("call");
    const { interfaceId, ordinal, params } = testSchema.Node.schema.allMethods.get("list");
    call.questionId = 1;
    call.target = { importedCap: 0 };
    call.interfaceId = interfaceId;
    call.methodId = ordinal;
    call.params.content.init(params.structClass).init("numbers", mebi);
    const frame = encodeFrame(encode(message));
    expect(frame.length).to.be.above(4 * mebi);
    const memory = new PeakMemory();
    await attacked.withstands(
      async () => {
        for (let i = 0; i < frame.length; i++) {
          peer.socket.write(frame.subarray(i, i + 1));
          if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
          if (i % 65_536 === 0) memory.sample();
        }
        await peer.until(() => peer.answered === 2);
      },
      { heldBytes: 16 * mebi },
    );
    expect(memory.arrayBuffers).to.be.below(2 * frame.length + 16 * mebi);
  });
});
