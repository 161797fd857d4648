import * as capnp from "capstan";
import { pino } from "pino";
import { ensureCertificates } from "../certs/make.ts";

/**
 * Serves a capability until the process is told to stop, and prints where. `tls://` addresses use the development
 * certificates of the folder `certs`, which are made where there are none.
 */
export const serve = async (address: string, bootstrap: () => capnp.Server): Promise<void> => {
  // Standard output is for the one line that says where the server listens; the log goes to standard error.
  const logger = pino({ level: process.env.LOG_LEVEL ?? "warn" }, pino.destination(2));
  const tls = address.startsWith("tls://") ? await serverTls() : undefined;
  const server = await capnp.listen(address, { bootstrap, logger, ...(tls === undefined ? {} : { tls }) });
  console.log(`listening on ${server.address}`);
  const stop = (): void => {
    void server.close({ drain: 2_000 }).then(() => process.exit(0));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
};

const serverTls = async (): Promise<{ cert: string; key: string }> => {
  const { cert, key } = await ensureCertificates();
  return { cert, key };
};
