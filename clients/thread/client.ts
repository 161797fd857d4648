import * as capnp from "capstan";
import { Example } from "../../servers/thread/thread.capnp.ts";

/** Hears of the server, and makes long calls one after the other: the server may be restarted as often as it likes. */
export const followThread = async (
  address: string,
  options: capnp.ConnectOptions,
  calls: number,
  say: (line: string) => void,
): Promise<void> => {
  class Subscriber extends Example.StatusSubscriber.Server {
    override status({ value }: Example.StatusSubscriber.StatusParams.Reader) {
      say(`status: ${value}`);
    }
  }
  await using client = await capnp.connect(address, {
    ...options,
    reconnect: { maxDelay: 1_000 },
    onSession: async (session) => {
      await session.bootstrap(Example).subscribeStatus({ subscriber: new Subscriber() });
      say(`session ${session.number}`);
    },
  });
  const example = client.bootstrap(Example);
  for (let call = 1; call <= calls; call++) say(`call ${call}: ${(await example.longRunning()).value}`);
};
