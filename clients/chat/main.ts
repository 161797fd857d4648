import { createInterface, type Interface } from "node:readline";
import { trust } from "../trust.ts";
import { enterRoom } from "./client.ts";

/** Prints what is said in a room, and says what is typed, until there is no more of it. */
export const runChat = async (
  address: string,
  nick = `guest-${Math.floor(Math.random() * 10_000)}`,
  room = "lobby",
): Promise<void> => {
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  let typed: Interface | undefined;
  const print = (line: string): void => {
    if (isTerminal) process.stdout.write("\r\u001b[K");
    console.log(line);
    if (isTerminal) typed?.prompt(true);
  };
  const place = await enterRoom(address, await trust(address), { room, nick }, print);
  try {
    typed = createInterface({ input: process.stdin, ...(isTerminal ? { output: process.stdout } : {}) });
    const close = () => typed?.close();
    // Ctrl-C, where it is not readline that hears of it.
    process.once("SIGINT", close);
    process.once("SIGTERM", close);
    print(`(you are ${nick} in ${room}; /people lists who is here, /quit leaves)`);
    for await (const line of typed) {
      if (line === "/quit") break;
      try {
        if (line === "/people") print(`(${[...(await place.membership.people()).people].join(", ")})`);
        else if (line.trim() !== "") await place.membership.say(line);
      } catch (error) {
        print(`(not said: ${error instanceof Error ? error.message : String(error)})`);
      }
    }
  } finally {
    typed?.close();
    await place.leave();
  }
};
