import { expect } from "chai";
import * as capnp from "../../lib/index.ts";
import { Chat } from "../../servers/chat/chat.capnp.ts";
import { Mailbox } from "../../servers/chat/mailbox.ts";
import { ChatImpl } from "../../servers/chat/server.ts";

import { Processes } from "../support/processes.ts";
import { rejection } from "../support/vats.ts";
import { startClient, startServer } from "./programs.ts";

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
  it("waits for nobody: a listener that hangs misses what is too much for it, and the others hear all", async () => {
    let wake = (): void => undefined;
    const busy = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const alice = await join("alice");
    const slow = await join("slow", { listener: new Ear(busy) });
    for (let i = 0; i < 300; i++) await alice.membership.say(`${i}`);
    await alice.ear.until((lines) => lines.at(-1) === "alice : 299");
    expect(alice.ear.heardLines).to.have.length(302);
    expect(alice.ear.missed).to.equal(0);
    expect(slow.ear.calls).to.equal(1);
    wake();
    await slow.ear.until((lines) => lines.at(-1) === "alice : 299");
    expect(slow.ear.calls).to.equal(2);
    expect(slow.ear.missed).to.equal(100);
    expect(slow.ear.heardLines.slice(2)[0]).to.equal("alice : 100");
  });

  it("tells who takes the nick of somebody else, however it is written, and whose name is none", async () => {
    const alice = await join("alice");
    for (const nick of ["alice", "Alice", "\u{ff41}lice"]) {
      expect((await rejection(join(nick))).message).to.include("the nick alice is taken in the room lobby");
    }
    for (const nick of ["", " ", "a b", "a\u0000", "x".repeat(33), "x".repeat(100_000), "<b>"]) {
      expect((await rejection(join(nick))).message).to.include("is no nick");
    }
    expect((await rejection(join("bob", { room: "../lobby" }))).message).to.include("is no room");
    expect((await rejection(join("bob", { secret: new Uint8Array(65) }))).message).to.include("65 bytes");
    const unheard = alice.chat.join({ room: "lobby", nick: "bob", listener: null, secret: nobody });
    expect((await rejection(unheard)).message).to.include("there is no listener");
    expect((await rejection(alice.membership.say(" "))).message).to.include("nothing in this text");
    expect((await rejection(alice.membership.say("x".repeat(2001)))).message).to.include("2001 characters");
    expect([...(await alice.membership.people()).people]).to.deep.equal(["alice"]);
  });

  it("lets who knows the secret take the place of a connection that is not known to be lost", async () => {
    const secret = new Uint8Array([1, 2, 3]);
    const bob = await join("bob");
    const before = await join("alice", { secret });
    expect((await rejection(join("alice", { secret: new Uint8Array([1, 2, 4]) }))).message).to.include("taken");
    const after = await join("alice", { secret });
    expect((await rejection(before.membership.say("hello"))).message).to.include("not in the room lobby any more");
    await before.client.close();
    await after.membership.say("again");
    await bob.ear.until((lines) => lines.includes("alice : again"));
    expect(bob.ear.heardLines).to.deep.equal([
      "bob joined",
      "alice joined",
      "alice lost",
      "alice joined",
      "alice : again",
    ]);
  });

  it("parts with a listener that fails", async () => {
    const alice = await join("alice");
    class Deaf extends Ear {
      override heard(): Promise<void> {
        throw new Error("what?");
      }
    }
    const deaf = await join("deaf", { listener: new Deaf() });
    await alice.ear.until((lines) => lines.includes("deaf lost"));
    expect((await rejection(deaf.membership.say("hello"))).message).to.include("not in the room");
  });

  it("parts with a listener that does not return, and tells it nothing more", async () => {
    const ear = new Ear(new Promise(() => undefined));
    const mailbox = await new Promise<Mailbox>((resolve) => {
      const mailbox = new Mailbox(new Chat.Listener.Client(ear), () => resolve(mailbox), 20);
      mailbox.post({ nick: "alice", said: "hello" });
      mailbox.post({ nick: "alice", said: "are you there?" });
    });
    mailbox.close();
    mailbox.post({ nick: "alice", said: "bye" });
    expect(ear.heardLines).to.deep.equal(["alice : hello"]);
  });

  it("forgets rooms that are empty when there are too many, and refuses more where all are in use", async () => {
    const { chat } = await connect();
    const enter = (room: string) => chat.join({ room, nick: "alice", listener: new Ear(), secret: nobody });
    const memberships = [];
    for (let i = 0; i < 100; i++) memberships.push((await enter(`room-${i}`)).membership);
    expect((await rejection(enter("one-more"))).message).to.include("there are 100 rooms");
    await memberships[7]?.leave();
    await enter("one-more");
    expect((await chat.rooms()).rooms.map(({ name }) => name))
      .to.include("one-more")
      .and.not.to.include("room-7");
  });
});

describe("the chat example", () => {
  const processes = new Processes();
  afterEach(() => processes.stop());

  it("lets people talk, notices who is gone, and comes back when the server does, with TLS", async function () {
    this.timeout(60_000);
    const { server, address } = await startServer(processes, "chat");
    const alice = startClient(processes, "chat", address, "alice");
    await alice.line(/\(you are alice in lobby/);
    const bob = startClient(processes, "chat", address, "bob");
    await alice.line(/bob has joined/);
    alice.write("hello\n");
    await bob.line(/^\d\d:\d\d alice: hello$/);
    alice.write("/people\n");
    await alice.line(/^\(alice, bob\)$/);
    await bob.kill();
    await alice.line(/bob is gone/);

    await server.kill();
    await alice.line(/the connection is lost/);
    const again = await startServer(processes, "chat", address);
    const carol = startClient(processes, "chat", address, "carol");
    await carol.line(/you are carol/);
    carol.write("welcome back\n");
    await alice.line(/carol: welcome back/);
    alice.write("/quit\n");
    await carol.line(/alice has left/);
    expect((await alice.finished()).status).to.equal(0);
    await carol.stop();
    await again.server.stop();
  });

  it("says in one line why it does not come in", async function () {
    this.timeout(60_000);
    const { server, address } = await startServer(processes, "chat");
    const alice = startClient(processes, "chat", address, "alice");
    await alice.line(/you are alice/);
    const taken = await startClient(processes, "chat", address, "alice").finished();
    expect(taken.status).to.equal(1);
    expect(taken.stderr).to.equal("remote exception: the nick alice is taken in the room lobby: choose another one\n");
    await alice.stop();
    await server.stop();
    const nobody = await startClient(processes, "chat", address, "alice").finished();
    expect(nobody.status).to.equal(1);
    expect(nobody.stderr).to.match(/^cannot connect to .* nothing listens there .* is the server running.*\n$/);
  });
});
