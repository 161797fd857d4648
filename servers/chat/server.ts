import type { Logger } from "capstan";
import { Chat } from "./chat.capnp.ts";
import { type Member, Room } from "./room.ts";

const maxRooms = 100;
const maxText = 2_000;
const maxSecret = 64;

/** All rooms. One object serves everybody: `bootstrap: new ChatImpl()`. */
export class ChatImpl extends Chat.Server {
  readonly #rooms = new Map<string, Room>();
  readonly #logger: Pick<Logger, "info"> | undefined;

  /** @param logger Told who comes and goes, and not what is said. */
  constructor(logger?: Pick<Logger, "info">) {
    super();
    this.#logger = logger;
  }

  override join(params: Chat.JoinParams.Reader) {
    const room = this.#room(checkName("room", params.room));
    const nick = checkName("nick", params.nick);
    const secret = Buffer.from(params.secret);
    if (secret.length > maxSecret) throw new Error(`the secret has ${secret.length} bytes; ${maxSecret} are enough`);
    const member = room.join(nick, secret, () => {
      const { listener } = params;
      if (listener === null) throw new Error("there is no listener: nobody would hear what is said");
      return listener;
    });
    return { membership: new MembershipImpl(room, member) };
  }

  override rooms() {
    const rooms = [...this.#rooms.values()].filter(({ isEmpty }) => !isEmpty);
    return { rooms: rooms.map(({ name, people }) => ({ name, people })) };
  }

  #room(name: string): Room {
    let room = this.#rooms.get(name);
    if (room === undefined) {
      this.#makeRoom();
      room = new Room(name, (event) => this.#log(name, event));
      this.#rooms.set(name, room);
    }
    return room;
  }

  /** A room stays when all have left it, with what was said there, until there are too many. */
  #makeRoom(): void {
    if (this.#rooms.size < maxRooms) return;
    for (const [name, { isEmpty }] of this.#rooms) {
      if (isEmpty) {
        this.#rooms.delete(name);
        return;
      }
    }
    throw new Error(`there are ${maxRooms} rooms with people in them already: join one of those`);
  }

  #log(room: string, { nick, ...event }: Chat.Event.Init): void {
    if ("said" in event) return;
    const what = "joined" in event ? "joined" : "left" in event ? "left" : "lost";
    this.#logger?.info({ room, nick, people: this.#rooms.get(room)?.people.length }, what);
  }
}

/** Its life is the member's presence: it is disposed when the client releases it, or is not connected any more. */
class MembershipImpl extends Chat.Membership.Server {
  readonly #room: Room;
  readonly #member: Member;

  constructor(room: Room, member: Member) {
    super();
    this.#room = room;
    this.#member = member;
  }

  override say({ text }: Chat.Membership.SayParams.Reader) {
    if (text.trim() === "") throw new Error("there is nothing in this text");
    if (text.length > maxText)
      throw new Error(`this text has ${text.length} characters; ${maxText} may be said at once`);
    this.#room.say(this.#member, text);
  }

  override people() {
    return { people: this.#room.people };
  }

  override leave() {
    this.#room.remove(this.#member, "left");
  }

  [Symbol.dispose]() {
    this.#room.remove(this.#member, "lost");
  }
}

const checkName = (what: string, name: string): string => {
  if (!/^[\p{L}\p{N}._-]{1,32}$/u.test(name)) {
    throw new Error(
      `${JSON.stringify(name.slice(0, 100))} is no ${what}: it has 1 to 32 letters, digits, ".", "_" and "-"`,
    );
  }
  return name;
};
