import { expect } from "chai";
import { connect } from "../../lib/connect.ts";
import { listen, type RpcServer } from "../../lib/listen.ts";
import type { Restorer } from "../../lib/restorer.ts";
import { cppProgram } from "../support/interop.ts";
import { type Loose, loadLoosely } from "../support/loose.ts";
import { Processes } from "../support/processes.ts";
import { rejection, Servers } from "../support/vats.ts";

const { Named, ObjectId } = loadLoosely("test/interop/cpp/restore.capnp");

describe("restoring, between processes", function () {
  this.timeout(60_000);
  const processes = new Processes();
  let peer: string;

  before(async function () {
    peer = await cppProgram.call(this, "restore-peer");
  });

  afterEach(() => processes.stop());

  const servePeer = async (role: string): Promise<string> => {
    const [, port] = await processes.start(peer, [role, "127.0.0.1:0"]).line(/^listening on \S+:(\d+)$/);
    return `127.0.0.1:${port}`;
  };

  /** The name of a capability and of its child, which is pipelined; or what the first call fails with. */
  const nameOf = async (restored: Loose): Promise<string> => {
    const named = restored.castAs(Named);
    const child = named.child();
    const [name, childName] = [named.name(), child.named.name()];
    try {
      return `${(await name).text}, ${(await childName).text}`;
    } catch (error) {
      return `failed: ${(error as Error).message}`;
    } finally {
      await Promise.resolve(childName).catch(() => undefined);
      for (const one of [child, named, restored]) one[Symbol.dispose]();
    }
  };

  const withServer = async (
    options: { bootstrap?: Loose; restorer: Restorer },
    use: (server: RpcServer) => Promise<void>,
  ): Promise<void> => {
    const server = await listen("127.0.0.1:0", options as never);
    try {
      await use(server);
    } finally {
      await server.close();
    }
  };

  const make = (servers: Servers, text: string): Loose =>
    servers.make({ name: () => text, child: () => servers.make({ name: () => `${text}'s child` }, Named) }, Named);

  it("gets from C++ what it exports by name", async () => {
    const client: Loose = await connect(await servePeer("names"));
    expect(await nameOf(client.ezRestore("calculator"))).to.equal("named calculator, named calculator's child");
    expect(await nameOf(client.restore("calculator"))).to.equal("named calculator, named calculator's child");
    expect(await nameOf(client.bootstrap())).to.equal("main, main's child");
    expect(await nameOf(client.restore(null))).to.equal("main, main's child");
    expect(await nameOf(client.ezRestore("nothing"))).to.match(/^failed: .*nothing/);
    await client.close();
  });

  it("gets from C++ what it restores by a struct", async () => {
    const client: Loose = await connect(await servePeer("structs"));
    const id = ObjectId.newMessage({ tag: "one" });
    expect(await nameOf(client.restore(id))).to.equal("struct one, struct one's child");
    expect(await nameOf(client.restore({ tag: "two" }, ObjectId))).to.equal("struct two, struct two's child");
    expect(await nameOf(client.restore({ tag: "unknown" }, ObjectId))).to.match(/^failed: .*no such object/);
    await client.close();
  });

  it("gives to C++ what is asked for by name, and the bootstrap capability", async () => {
    const servers = new Servers();
    const restorer: Restorer = (objectId) =>
      objectId.as("Text") === "calculator" ? make(servers, "our calculator") : null;
    await withServer({ bootstrap: make(servers, "our main"), restorer }, async ({ port }) => {
      const finished = await processes.run(peer, ["import", `127.0.0.1:${port}`, "calculator", "", "nothing"]);
      expect(finished.status, finished.stderr).to.equal(0);
      const [calculator, main, nothing] = finished.stdout.trimEnd().split("\n");
      expect(calculator).to.equal("our calculator, our calculator's child");
      expect(main).to.equal("our main, our main's child");
      expect(nothing).to.match(/^failed: .*knows no capability by this object id/);
    });
    servers.expectDisposed();
  });

  it("gives to C++ what is asked for by a struct", async () => {
    const servers = new Servers();
    class TagRestorer extends ObjectId.Restorer {
      async restore({ tag }: Loose) {
        if (tag === "unknown") throw new Error("Unrecognized ref passed to restore");
        return make(servers, `our ${tag}`);
      }
    }
    await withServer({ restorer: new TagRestorer() }, async ({ port }) => {
      const finished = await processes.run(peer, ["restore", `127.0.0.1:${port}`, "one", "unknown"]);
      expect(finished.status, finished.stderr).to.equal(0);
      const [one, unknown] = finished.stdout.trimEnd().split("\n");
      expect(one).to.equal("our one, our one's child");
      expect(unknown).to.match(/^failed: .*Unrecognized ref passed to restore/);
    });
    servers.expectDisposed();
  });

  it("fails with a text that says why where the server has no restorer", async () => {
    const servers = new Servers();
    const server = await listen("127.0.0.1:0", { bootstrap: make(servers, "main") });
    const client: Loose = await connect(server.address);
    const restored = client.ezRestore("calculator", Named);
    expect((await rejection(restored.name())).message).to.contain("has no `restorer`");
    restored.release();
    await client.close();
    await server.close();
    servers.expectDisposed();
  });
});
