import { timingSafeEqual } from "node:crypto";
import type { Chat } from "./chat.capnp.ts";
import { Mailbox } from "./mailbox.ts";

/** How many events those who come later are told. */
const maxHistory = 50;
const maxPeople = 1_000;

/** How a member may go. */
export type Farewell = "left" | "lost";

/** Somebody in a room. */
export interface Member {
  readonly nick: string;
  readonly secret: Buffer;
  readonly mailbox: Mailbox;
}

/** Who is in a room, and what has happened there lately. */
export class Room {
  readonly name: string;
  /** By their nicks as `sameNick` has them. */
  readonly #members = new Map<string, Member>();
  readonly #history: Chat.Event.Init[] = [];
  readonly #log: (event: Chat.Event.Init) => void;
  #lastTime = 0;

  constructor(name: string, log: (event: Chat.Event.Init) => void) {
    this.name = name;
    this.#log = log;
  }

  get people(): string[] {
    return [...this.#members.values()].map(({ nick }) => nick);
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  /** @param takeListener Called when nothing stands in the way any more. */
  join(nick: string, secret: Buffer, takeListener: () => Chat.Listener.Client): Member {
    const former = this.#members.get(sameNick(nick));
    if (former !== undefined) {
      if (!isSameSecret(former.secret, secret)) {
        throw new Error(`the nick ${former.nick} is taken in the room ${this.name}: choose another one`);
      }
      this.remove(former, "lost");
    }
    if (this.#members.size === maxPeople) throw new Error(`the room ${this.name} is full: ${maxPeople} are in it`);
    const mailbox = new Mailbox(takeListener(), () => this.remove(member, "lost"));
    const member: Member = { nick, secret, mailbox };
    this.#tell({ nick, joined: null });
    this.#members.set(sameNick(nick), member);
    mailbox.post(...this.#history);
    return member;
  }

  say(member: Member, text: string): void {
    if (!this.#has(member)) throw new Error(`you are not in the room ${this.name} any more: join it again`);
    this.#tell({ nick: member.nick, said: text });
  }

  /** Has no effect where the member is out already. */
  remove(member: Member, farewell: Farewell): void {
    if (!this.#has(member)) return;
    this.#members.delete(sameNick(member.nick));
    member.mailbox.close();
    this.#tell(farewell === "left" ? { nick: member.nick, left: null } : { nick: member.nick, lost: null });
  }

  #has(member: Member): boolean {
    return this.#members.get(sameNick(member.nick)) === member;
  }

  #tell(what: Chat.Event.Init): void {
    this.#lastTime = Math.max(Date.now(), this.#lastTime + 1);
    const event = { ...what, time: this.#lastTime };
    this.#history.push(event);
    if (this.#history.length > maxHistory) this.#history.shift();
    this.#log(event);
    for (const { mailbox } of this.#members.values()) mailbox.post(event);
  }
}

/** Nicks that differ in nothing but case, or in how Unicode writes them, are one. */
const sameNick = (nick: string): string => nick.normalize("NFKC").toLowerCase();

const isSameSecret = (one: Buffer, other: Buffer): boolean =>
  one.length > 0 && one.length === other.length && timingSafeEqual(one, other);
