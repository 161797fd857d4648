import { randomBytes } from "node:crypto";
import * as capnp from "capstan";
import { Chat } from "../../servers/chat/chat.capnp.ts";

/** A place in a room, which is kept when the connection is lost, or the server restarted. */
export interface Place {
  readonly membership: Chat.Membership.Client;
  /** Says goodbye and disconnects. */
  leave(): Promise<void>;
}

/** @param print Called with each line that there is to read. */
export const enterRoom = async (
  address: string,
  options: capnp.ConnectOptions,
  { room, nick }: { readonly room: string; readonly nick: string },
  print: (line: string) => void,
): Promise<Place> => {
  const secret = randomBytes(16);
  const memberships = new WeakMap<capnp.Session, Chat.Membership.Client>();
  let lastHeard = 0n;

  class Listener extends Chat.Listener.Server {
    #isHistory = true;

    override heard({ events, missed }: Chat.Listener.HeardParams.Reader) {
      if (missed > 0) print(`(${missed} lines are missing)`);
      for (const event of events) {
        // After a reconnection the history has what was heard before.
        if (this.#isHistory && event.time <= lastHeard) continue;
        lastHeard = event.time;
        print(describe(event));
      }
      this.#isHistory = false;
    }
  }

  const client = await capnp.connect(address, {
    connectTimeout: 3_000,
    ...options,
    reconnect: { maxDelay: 2_000 },
    onSession: async (session) => {
      const joining = session.bootstrap(Chat).join({ room, nick, secret, listener: new Listener() });
      memberships.set(session, (await joining).membership);
    },
  });
  let isLeaving = false;
  client.state$.subscribe((state) => {
    if (state === "disconnected" && !isLeaving) print("(the connection is lost; trying to come back)");
  });

  const membership = client.stable((session) => memberships.get(session)!, Chat.Membership);
  return {
    membership,
    leave: async () => {
      isLeaving = true;
      // A server that cannot be told notices by itself.
      if (client.session !== undefined) await membership.leave({}, { timeout: 1_000 }).catch(() => undefined);
      await client.close();
    },
  };
};

const describe = (event: Chat.Event.Reader): string => {
  const time = new Date(Number(event.time)).toTimeString().slice(0, 5);
  const nick = printable(event.nick);
  switch (event.$which) {
    case "said":
      return `${time} ${nick}: ${printable(event.said)}`;
    case "joined":
      return `${time} * ${nick} has joined`;
    case "left":
      return `${time} * ${nick} has left`;
    case "lost":
      return `${time} * ${nick} is gone`;
    default:
      // A newer server may tell of more.
      return `${time} * ${nick} did something that this program does not know`;
  }
};

/** What strangers write must not command the terminal. */
const printable = (text: string): string => text.replace(/\p{Cc}/gu, "\u{fffd}");
