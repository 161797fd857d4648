import { expect } from "chai";
import type { VatOptions } from "../lib/two-party-vat.ts";
import { expectError } from "./support/errors.ts";
import { type Loose, loadLoosely } from "./support/loose.ts";
import { rpc } from "./support/rpc-messages.ts";
import { ScriptedPeer } from "./support/scripted-peer.ts";
import { rejection, Servers, turn, Vats } from "./support/vats.ts";

const { Greeter, Callee, Sequence, ObjectId, Settings } = loadLoosely("test/fixtures/capability-test.capnp");

/** Vats of which b restores, and a server object that says who was called. */
const scene = (options: (greeter: (text: string) => Loose) => VatOptions): { vats: Vats; client: Loose } => {
  const servers = new Servers();
  const greeter = (text: string): Loose => servers.make({ foo: () => text }, Greeter);
  const vats = new Vats({ servers, b: options(greeter) });
  return { vats, client: vats.a };
};

/** What `foo` says on capabilities that were restored. All of them are released. */
const said = async (vats: Vats, ...clients: Loose[]): Promise<string[]> => {
  const calls = clients.map((client) => client.castAs(Greeter));
  const answers = calls.map((client) => client.foo(1, true));
  await vats.settle();
  const texts = await Promise.all(
    answers.map((answer) =>
      Promise.resolve(answer).then(
        ({ x }) => x,
        ({ message }) => message.replace("remote exception: ", ""),
      ),
    ),
  );
  for (const client of [...clients, ...calls]) client.release();
  return texts;
};

describe("restoring", () => {
  it("asks an instance of SomeStruct.Restorer, with the object id as that struct", async () => {
    const peers: Loose[] = [];
    const { vats, client } = scene((greeter) => {
      class SimpleRestorer extends ObjectId.Restorer {
        restore(objectId: Loose, peer: Loose) {
          peers.push(peer);
          if (objectId.tag === "greeter") return greeter(`${objectId.tag} ${objectId.number}`);
          throw new Error("Unrecognized ref passed to restore");
        }
      }
      return { restorer: new SimpleRestorer() };
    });
    const id = ObjectId.newMessage({ tag: "greeter", number: 1 });
    const texts = await said(
      vats,
      client.restore(id),
      client.restore(id.asReader()),
      client.restore({ tag: "greeter", number: 2 }, ObjectId),
      client.restore({ tag: "greeter", number: 3 }, ObjectId, Greeter),
      client.restore(id, Greeter),
      client.restore({ tag: "else" }, ObjectId),
    );
    expect(texts).to.deep.equal([
      "greeter 1",
      "greeter 1",
      "greeter 2",
      "greeter 3",
      "greeter 1",
      "Unrecognized ref passed to restore",
    ]);
    expect(peers[0].address).to.equal("memory:a");
    await vats.expectEmpty();
  });

  it("asks a function, which reads the object id as what it must be", async () => {
    const { vats, client } = scene((greeter) => ({
      restorer: (objectId, peer) => {
        expect(peer.encrypted).to.equal(false);
        return greeter((objectId as Loose).as(ObjectId).tag);
      },
    }));
    expect(await said(vats, client.restore(ObjectId.newMessage({ tag: "x" })))).to.deep.equal(["x"]);
    await vats.expectEmpty();
  });

  it("by a name sends a text", async () => {
    const { vats, client } = scene((greeter) => ({
      restorer: (objectId) => {
        const name = objectId.as("Text") as string;
        return name === "calculator" ? greeter("by name") : null;
      },
    }));
    const typed = client.ezRestore("calculator", Greeter);
    expect(typed).to.be.instanceOf(Greeter.Client);
    const texts = await said(
      vats,
      client.ezRestore("calculator"),
      typed,
      client.restore("calculator"),
      client.ezRestore("x"),
    );
    expect(texts.slice(0, 3)).to.deep.equal(["by name", "by name", "by name"]);
    expect(texts[3]).to.equal("The restorer of this vat knows no capability by this object id.");
    const sent = vats.messages("bootstrap", "a")[0];
    expect(sent.deprecatedObjectId.as("Text")).to.equal("calculator");
    await vats.expectEmpty();
  });

  it("takes an AnyPointer, Data and null for an object id; null asks for the bootstrap capability", async () => {
    const { vats, client } = scene((greeter) => ({
      bootstrap: greeter("bootstrap"),
      restorer: (objectId) => greeter(`restored ${[...(objectId.as("Data") as Uint8Array)]}`),
    }));
    const message = rpc.Bootstrap.newMessage();
    message.deprecatedObjectId.set(new Uint8Array([1, 2, 3]));
    const texts = await said(
      vats,
      client.restore(message.deprecatedObjectId),
      client.restore(message.asReader().deprecatedObjectId),
      client.restore(new Uint8Array([4])),
      client.restore(null),
      client.restore(rpc.Bootstrap.newMessage().deprecatedObjectId),
      client.bootstrap(Greeter),
    );
    expect(texts).to.deep.equal([
      "restored 1,2,3",
      "restored 1,2,3",
      "restored 4",
      "bootstrap",
      "bootstrap",
      "bootstrap",
    ]);
    await vats.expectEmpty();
  });

  it("asks the restorer for the bootstrap capability, too, where there is no other", async () => {
    const { vats, client } = scene((greeter) => {
      class Restorer extends ObjectId.Restorer {
        restore({ tag, number }: Loose) {
          return greeter(`${tag}${number}`);
        }
      }
      return { restorer: new Restorer() };
    });
    expect(await said(vats, client.bootstrap(Greeter), client.restore(null))).to.deep.equal(["0", "0"]);
    await vats.expectEmpty();

    const other = scene((greeter) => ({ restorer: (objectId) => greeter(`${objectId.isNull}`) }));
    expect(await said(other.vats, other.client.bootstrap(Greeter))).to.deep.equal(["true"]);
    await other.vats.expectEmpty();
  });

  it("fails where there is no restorer, and says so", async () => {
    const { vats, client } = scene((greeter) => ({ bootstrap: greeter("bootstrap") }));
    const [text] = await said(vats, client.ezRestore("x"));
    expect(text).to.equal(
      "This vat restores no capabilities by object id, because it has no `restorer`: ask for the bootstrap capability.",
    );
    expect(await said(vats, client.bootstrap(Greeter))).to.deep.equal(["bootstrap"]);
    await vats.expectEmpty();
  });

  it("may take its time: calls are made on the promise, and pipelined on their results", async () => {
    let restore: (server: Loose) => void = () => undefined;
    const servers = new Servers();
    const sequence = servers.make({ next: () => 7 }, Sequence);
    const callee = servers.make({ foo: ({ i }: Loose) => ({ i, c: sequence }) }, Callee);
    const vats = new Vats({
      servers,
      b: {
        restorer: () =>
          new Promise((resolve) => {
            restore = resolve;
          }) as never,
      },
    });
    const client = (vats.a as Loose).ezRestore("callee", Callee);
    const call = client.foo(5, "t");
    const next = call.c.next();
    expect(vats.sent("a")).to.deep.equal(["bootstrap 0", "call 1 to answer 0[]", "call 2 to answer 1[1]"]);
    await vats.settle();
    restore(callee);
    await vats.settle();
    expect((await next).n).to.equal(7);
    for (const one of [call, client]) one[Symbol.dispose]();
    await vats.expectEmpty();
  });

  it("that rejects breaks the capability, and one that returns what is none fails", async () => {
    const { vats, client } = scene(() => ({
      restorer: (objectId) =>
        objectId.as("Text") === "rejects" ? (Promise.reject(new Error("not today")) as never) : (42 as never),
    }));
    const [rejected, wrong] = await said(vats, client.ezRestore("rejects"), client.ezRestore("wrong"));
    expect(rejected).to.equal("not today");
    expect(wrong).to.contain("A capability must be");
    await vats.expectEmpty();
  });

  it("says at once what cannot be an object id, and sends nothing", async () => {
    const { vats, client } = scene(() => ({}));
    expectError("CAPNP_TYPE", () => client.restore({ tag: "x" }), "type");
    expectError("CAPNP_NO_SUCH_FIELD", () => client.restore({ nope: 1 }, ObjectId), "nope");
    const greeter = vats.server({}, Greeter);
    const message = rpc.Bootstrap.newMessage();
    message.deprecatedObjectId.set(greeter);
    expectError("CAPNP_TYPE", () => client.restore(message.deprecatedObjectId), "object id", "capabilities");
    message.deprecatedObjectId.clear();
    expect(vats.sent("a")).to.deep.equal([]);
    await vats.expectEmpty();
  });

  it("by an object id that is larger than a message may be fails, and the connection goes on", async () => {
    const { vats, client } = scene((greeter) => ({ bootstrap: greeter("bootstrap"), restorer: () => greeter("x") }));
    const small = new Vats({ a: { limits: { maxMessageBytes: 1000 } }, b: {} });
    const restored = (small.a as Loose).ezRestore("x".repeat(1001), Greeter);
    expect((await rejection(restored.foo(1, true))).code).to.equal("CAPNP_FRAME_TOO_LARGE");
    restored.release();
    await small.expectEmpty();
    expect(await said(vats, client.bootstrap(Greeter))).to.deep.equal(["bootstrap"]);
    await vats.expectEmpty();
  });

  it("fails when the connection is over", async () => {
    const { vats, client } = scene((greeter) => ({ restorer: () => greeter("x") }));
    await Promise.all([vats.a.close(), vats.settle()]);
    const restored = client.ezRestore("x", Greeter);
    expect((await rejection(restored.foo(1, true))).kind).to.equal("disconnected");
    await vats.expectEmptyAfterClose();
  });

  it("by an object id that breaks the rules of messages fails that question only", async () => {
    const servers = new Servers();
    const peer = new ScriptedPeer({ restorer: (objectId) => servers.make(objectId.as(ObjectId) as Loose) }, servers);
    peer.send((message) => {
      const bootstrap = message.init("bootstrap");
      bootstrap.questionId = 3;
      bootstrap.deprecatedObjectId.set("a text, and no struct");
    });
    const [answer] = await peer.heard();
    expect([answer.which(), answer.return.answerId, answer.return.which()]).to.deep.equal(["return", 3, "exception"]);
    await peer.send({ finish: { questionId: 3 } }).expectEmpty();
  });
});

describe("the Restorer of a struct class", () => {
  it("is one class for each struct type, and named after it", () => {
    expect(ObjectId.Restorer).to.equal(ObjectId.Restorer);
    expect(ObjectId.Restorer).not.to.equal(Settings.Restorer);
    expect(ObjectId.Restorer.name).to.equal("ObjectId.Restorer");
  });

  it("restores nothing by itself", async () => {
    const { vats, client } = scene(() => ({ restorer: new ObjectId.Restorer() }));
    const [text] = await said(vats, client.restore({ tag: "x" }, ObjectId));
    expect(text).to.contain("restore");
    await turn();
    await vats.expectEmpty();
  });
});
