import { trust } from "../trust.ts";
import { followThread } from "./client.ts";

/** Three long calls, with the news that come in the meantime. */
export const runThread = async (address: string): Promise<void> => {
  await followThread(address, await trust(address), 3, (line) => console.log(line));
};
