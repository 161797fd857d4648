import { expect } from "chai";
import * as capnp from "../../lib/index.ts";
import { Chat } from "../../servers/chat/chat.capnp.ts";
import { ChatImpl } from "../../servers/chat/server.ts";

/** Hears, and says so in words. */
class Ear extends Chat.Listener.Server {
  readonly heardLines: string[] = [];
  missed = 0;
  calls = 0;
  readonly #busy: Promise<unknown> | undefined;
  #changed = (): void => undefined;

  constructor(busy?: Promise<unknown>) {
    super();
    this.#busy = busy;
  }

  override async heard({ events, missed }: Chat.Listener.HeardParams.Reader) {
    this.calls++;
    this.missed += missed;
    for (const event of events) {
      this.heardLines.push(`${event.nick} ${event.is("said") ? `: ${event.said}` : event.$which}`);
    }
    this.#changed();
    await this.#busy;
  }

  async until(isSo: (lines: readonly string[]) => boolean): Promise<void> {
    while (!isSo(this.heardLines)) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve;
      });
    }
  }
}

describe("the chat example's server", () => {
  let server: capnp.RpcServer;
  let clients: capnp.TwoPartyClient[];

  beforeEach(async () => {
    clients = [];
    server = await capnp.listen("127.0.0.1:0", { bootstrap: new ChatImpl() });
  });

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await server.close();
  });

  const connect = async () => {
    const client = await capnp.connect(server.address);
    clients.push(client);
    return { client, chat: client.bootstrap(Chat) };
  };
  const nobody = new Uint8Array();

  const join = async (nick: string, { secret = nobody, listener = new Ear(), room = "lobby" } = {}) => {
    const { client, chat } = await connect();
    const { membership } = await chat.join({ room, nick, listener, secret });
    return { client, chat, membership, ear: listener };
  };

  it("tells everybody in the room what is said, in one order, and those who come later what was said", async () => {
    const alice = await join("alice");
    const bob = await join("bob");
    const elsewhere = await join("carol", { room: "attic" });
    await alice.membership.say("hello");
    await bob.membership.say("hi");
    const later = await join("dave");
    const all = ["alice joined", "bob joined", "alice : hello", "bob : hi", "dave joined"];
    for (const { ear } of [alice, bob, later]) {
      await ear.until((lines) => lines.includes("dave joined"));
      expect(ear.heardLines).to.deep.equal(all);
    }
    expect(elsewhere.ear.heardLines).to.deep.equal(["carol joined"]);
    const { rooms } = await alice.chat.rooms();
    expect(rooms.map((room) => capnp.toObject(room))).to.deep.equal([
      { name: "lobby", people: ["alice", "bob", "dave"] },
      { name: "attic", people: ["carol"] },
    ]);
  });

  it("tells a goodbye from a lost connection and from a released membership", async () => {
    const { ear, membership } = await join("alice");
    const bob = await join("bob");
    await bob.membership.leave();
    const carol = await join("carol");
    await carol.client.close();
    const dave = await join("dave");
    dave.membership.release();
    await ear.until((lines) => lines.includes("dave lost"));
    expect(ear.heardLines.filter((line) => /left|lost/.test(line))).to.deep.equal([
      "bob left",
      "carol lost",
      "dave lost",
    ]);
    expect([...(await membership.people()).people]).to.deep.equal(["alice"]);
  });
});
