import { makeLogger } from "../log.ts";
import { servePage } from "./server.ts";

/** Serves the page until the process is told to stop, and prints where. */
export const serveBrowser = async (address = "127.0.0.1:8080"): Promise<void> => {
  const logger = makeLogger();
  const server = await servePage(address, { logger });
  // Once: whoever presses Ctrl-C again does not want to wait.
  const stop = async (signal: string): Promise<void> => {
    logger.info({ signal }, "stopping");
    await server.close();
    process.exit(0);
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  console.log(`listening on ${server.url}`);
};
