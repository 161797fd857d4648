import { expect } from "chai";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { listen, type RpcServer } from "../../lib/listen.ts";
import { collectGarbage } from "../support/budget.ts";
import { bootstraps, calls, RawPeer } from "../support/raw-peer.ts";
import { encode, rpc, testSchema } from "../support/rpc-messages.ts";

const frame = (message: object): Uint8Array => encodeFrame(encode(rpc.Message.newMessage(message)));

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How a peer that holds a capability, with calls at work, makes a server end its connection. */
const ends: Readonly<Record<string, (peer: RawPeer) => unknown>> = {
  "breaks the protocol": (peer) => peer.write(frame({ release: { id: 99, referenceCount: 1 } })),
  "sends an Abort": (peer) => peer.write(frame({ abort: { reason: "enough" } })),
  "sends what is no message": (peer) => peer.write(new Uint8Array(64).fill(0xff)),
  "sends a message that is out of bounds": (peer) =>
    peer.write(encodeFrame([Uint8Array.of(0xfc, 0xff, 0xff, 0x7f, 1, 0, 1, 0)])),
  "breaks a limit": (peer) =>
    peer.write(
      frame({
        call: { questionId: 9, target: { importedCap: 0 }, params: { capTable: Array(1025).fill({ none: null }) } },
      }),
    ),
  "sends a frame that is too large": (peer) => peer.write(Uint8Array.of(0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f)),
  "resets the connection": (peer) => peer.socket.resetAndDestroy(),
  "ends the connection": (peer) => peer.socket.end(),
  "ends the connection within a message": (peer) =>
    peer.socket.end(frame({ abort: { reason: "enough" } }).subarray(0, 20)),
};

describe("a server whose peer", () => {
  for (const [what, end] of Object.entries(ends)) {
    it(`${what} keeps nothing of the connection, its calls or its objects`, async () => {
      const remains: WeakRef<object>[] = [];
      const aborted: number[] = [];
      class Owner extends testSchema.Node.Server {
        never(_params: object, { signal }: { signal: AbortSignal }) {
          return new Promise<void>((resolve) => {
            signal.addEventListener("abort", () => {
              aborted.push(1);
              resolve();
            });
          });
        }
        make() {
          return own(new Owner());
        }
        [Symbol.dispose]() {
          disposed++;
        }
      }
      let disposed = 0;
      const own = <T extends object>(object: T): T => {
        remains.push(new WeakRef(object));
        return object;
      };
      const server: RpcServer = await listen("127.0.0.1:0", {
        bootstrap: () => own(new Owner()) as never,
        closeTimeout: 500,
      });
      const attack = async (): Promise<void> => {
        const peer = await RawPeer.connect(server.port as number);
        await peer.write(bootstraps().many(0, 1));
        await peer.write(calls("make").many(1, 3));
        await peer.write(calls("never").many(3, 6));
        await peer.until(() => peer.answered === 3);
        for (const connection of server.connections) own(connection);
        await end(peer);
        await peer.closed;
        while (server.connections.length > 0) await nextTurn();
      };
      await attack();
      for (let i = 0; i < 5; i++) await nextTurn();
      expect(remains).to.have.lengthOf(4);
      expect(aborted).to.have.lengthOf(3);
      expect(disposed).to.equal(3);
      // To look at a WeakRef keeps what it refers to until the end of the job: nobody looks before the last collection.
      for (let i = 0; i < 3; i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        collectGarbage();
      }
      expect(remains.map((ref) => ref.deref()?.constructor.name)).to.deep.equal(Array(4).fill(undefined));
      await server.close();
    });
  }
});
