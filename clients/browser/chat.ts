import { CapnpError, type Session } from "capstan/browser";
import { Lobby } from "../../servers/browser/lobby.capnp.ts";
import { Chat } from "../../servers/chat/chat.capnp.ts";
import { appendFollowing, element, made, reasonOf } from "./elements.ts";

const mostEvents = 500;

/** What the server calls when something happens in the room. */
class Ears extends Chat.Listener.Server {
  readonly #heard: (events: Iterable<Chat.Event.Reader>, missed: number) => void;

  constructor(heard: (events: Iterable<Chat.Event.Reader>, missed: number) => void) {
    super();
    this.#heard = heard;
  }

  override heard({ events, missed }: Chat.Listener.HeardParams.Reader) {
    this.#heard(events, missed);
  }
}

const hueOf = (name: string): number => [...name].reduce((hue, char) => (hue * 31 + char.charCodeAt(0)) % 360, 7);

const animals = ["otter", "heron", "lynx", "wren", "newt", "fox", "seal", "owl"];

/** A person's place in a room, which is taken again on every connection. */
export class ChatRoom {
  readonly #join = element("join", HTMLFormElement);
  readonly #nick = element("nick", HTMLInputElement);
  readonly #room = element("room", HTMLInputElement);
  readonly #joinButton = element("join-go", HTMLButtonElement);
  readonly #leaveButton = element("leave", HTMLButtonElement);
  readonly #problem = element("chat-error", HTMLElement);
  readonly #people = element("people", HTMLElement);
  readonly #peopleCount = element("people-count", HTMLElement);
  readonly #talk = element("talk", HTMLElement);
  readonly #text = element("text", HTMLInputElement);
  readonly #sayButton = element("say-go", HTMLButtonElement);
  /** Proves that who comes back is who was there. */
  readonly #secret = crypto.getRandomValues(new Uint8Array(16));
  /** Who this page wants to be, and where, whether it is connected or not. */
  #wanted: { readonly nick: string; readonly room: string } | undefined;
  #membership: { readonly client: Chat.Membership.Client; readonly session: Session } | undefined;
  #session: Session | undefined;
  #latest = 0n;

  constructor() {
    const [random = 0] = crypto.getRandomValues(new Uint16Array(1));
    this.#nick.value = `${animals[random % animals.length]}-${random % 100}`;
    this.#join.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#wanted = { nick: this.#nick.value.trim(), room: this.#room.value.trim() };
      this.#latest = 0n;
      this.#talk.replaceChildren();
      if (this.#session === undefined) this.#complain("there is no server at the moment: you join when it is back");
      else void this.#enter(this.#session);
    });
    this.#leaveButton.addEventListener("click", () => void this.#leave());
    element("say", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#say();
    });
  }

  /** A new connection stands: what was joined is joined again. */
  readonly begin = async (session: Session): Promise<void> => {
    this.#session = session;
    session.signal.addEventListener("abort", () => {
      if (this.#session === session) this.#session = undefined;
      if (this.#membership?.session !== session) return;
      this.#membership = undefined;
      this.#show();
      this.#event("the connection is lost; you join again when the server is back");
    });
    if (this.#wanted !== undefined) await this.#enter(session);
  };

  async #enter(session: Session): Promise<void> {
    const wanted = this.#wanted!;
    this.#complain("");
    const ears = new Ears((events, missed) => {
      if (this.#wanted === wanted && this.#session === session) this.#heard(events, missed);
    });
    const lobby = session.bootstrap(Lobby);
    const { chat } = lobby.chat();
    try {
      const { membership } = await chat.join({ ...wanted, listener: ears, secret: this.#secret });
      if (membership === null) throw new Error("the server has given no membership");
      if (this.#wanted !== wanted) {
        membership.release();
        return;
      }
      this.#membership = { client: membership, session };
      this.#show();
      await this.#count();
      this.#text.focus({ preventScroll: true });
    } catch (error) {
      if (error instanceof CapnpError && error.kind === "disconnected") return;
      if (this.#wanted === wanted) this.#wanted = undefined;
      this.#complain(reasonOf(error));
      this.#show();
    } finally {
      for (const client of [chat, lobby]) client.release();
    }
  }

  async #leave(): Promise<void> {
    const membership = this.#membership?.client;
    this.#wanted = undefined;
    this.#membership = undefined;
    this.#show();
    this.#event("you have left");
    try {
      await membership?.leave();
    } catch (error) {
      // Who is not connected any more has left, too.
      if (!(error instanceof CapnpError && error.kind === "disconnected")) this.#complain(reasonOf(error));
    } finally {
      membership?.release();
    }
  }

  async #say(): Promise<void> {
    const text = this.#text.value;
    if (text.trim() === "" || this.#membership === undefined) return;
    this.#text.value = "";
    this.#complain("");
    try {
      await this.#membership.client.say({ text });
    } catch (error) {
      if (this.#text.value === "") this.#text.value = text;
      this.#complain(`not sent: ${reasonOf(error)}`);
    }
  }

  #heard(events: Iterable<Chat.Event.Reader>, missed: number): void {
    if (missed > 0) this.#event(`${missed} ${missed === 1 ? "event is" : "events are"} missing here`);
    for (const event of events) {
      // After a reconnection the server tells again what has been heard already.
      if (event.time <= this.#latest) continue;
      this.#latest = event.time;
      if (event.$which === "said") this.#said(event.nick, event.said, Number(event.time));
      else
        this.#event(
          `${event.nick} ${event.$which === "joined" ? "is here" : event.$which === "left" ? "has left" : "is gone"}`,
        );
    }
    void this.#count();
  }

  #said(nick: string, text: string, time: number): void {
    const who = made("span", "who", nick);
    who.style.setProperty("--hue", String(hueOf(nick)));
    const when = made("time", "", new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    when.dateTime = new Date(time).toISOString();
    who.append(when);
    const item = made("li", nick === this.#wanted?.nick ? "said mine" : "said", who, text);
    appendFollowing(this.#talk, item, mostEvents);
  }

  #event(text: string): void {
    appendFollowing(this.#talk, made("li", "event", text), mostEvents);
  }

  async #count(): Promise<void> {
    const membership = this.#membership;
    if (membership === undefined) return;
    let names: string[];
    try {
      names = [...(await membership.client.people()).people];
    } catch (error) {
      if (membership === this.#membership) this.#complain(reasonOf(error));
      return;
    }
    if (membership !== this.#membership) return;
    this.#peopleCount.textContent = names.length === 1 ? "You are alone here:" : `${names.length} are here:`;
    this.#people.replaceChildren(...names.sort().map((name) => made("li", "", name)));
  }

  #show(): void {
    const isIn = this.#membership !== undefined;
    const wants = this.#wanted !== undefined;
    this.#text.disabled = !isIn;
    this.#sayButton.disabled = !isIn;
    this.#text.placeholder = isIn ? "Say something" : wants ? "Waits for the server" : "Join to say something";
    this.#joinButton.hidden = wants;
    this.#leaveButton.hidden = !wants;
    this.#nick.disabled = wants;
    this.#room.disabled = wants;
    if (isIn) return;
    this.#peopleCount.textContent = wants ? "Nobody can be seen from here" : "You are not in a room";
    this.#people.replaceChildren();
  }

  #complain(text: string): void {
    this.#problem.hidden = text === "";
    this.#problem.textContent = text;
  }
}
