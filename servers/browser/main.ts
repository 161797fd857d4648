import { pino } from "pino";
import { servePage } from "./server.ts";

/** Serves the page until the process is told to stop, and prints where. */
export const serveBrowser = async (address: string): Promise<void> => {
  // Standard output is for the one line that says where the server listens; the log goes to standard error.
  const logger = pino({ level: process.env.LOG_LEVEL ?? "warn" }, pino.destination(2));
  const server = await servePage(address, { logger });
  console.log(`listening on ${server.url}`);
  const stop = (): void => {
    void server.close().then(() => process.exit(0));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
};
