import * as capnp from "capstan";
import type { Logger } from "pino";
import { ensureCertificates } from "../certs/make.ts";
import { makeLogger } from "./log.ts";

/** What an example serves. */
export interface Service {
  readonly bootstrap: capnp.BootstrapSource;
  /** Whether clients are asked who they are. Those that show no certificate come in all the same: see `peer.authenticated`. */
  readonly asksForCertificates?: boolean;
  /** Called when the last connection is closed. */
  close?(): void | Promise<void>;
}

/** How long calls that are at work may go on when the server is told to stop, in milliseconds. */
const drain = 2_000;

/**
 * Serves until the process is told to stop, and prints where. `tls://` addresses use the development certificates of the folder
 * `certs`, which are made where there are none.
 */
export const serve = async (address: string, make: (logger: Logger) => Service | Promise<Service>): Promise<void> => {
  const logger = makeLogger();
  const service = await make(logger);
  const server = await listen(address, service, logger).catch(async (error: unknown) => {
    await service.close?.();
    throw error;
  });
  // Once: whoever presses Ctrl-C again does not want to wait.
  const stop = async (signal: string): Promise<void> => {
    logger.info({ signal }, "stopping");
    await server.close({ drain });
    await service.close?.();
    process.exit(0);
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  console.log(`listening on ${server.address}`);
};

const listen = async (address: string, service: Service, logger: Logger): Promise<capnp.RpcServer> => {
  const tls = address.startsWith("tls://") ? { tls: await serverTls(service) } : {};
  return capnp.listen(address, { bootstrap: service.bootstrap, logger, ...tls });
};

const serverTls = async ({ asksForCertificates = false }: Service): Promise<capnp.ServerTlsOptions> => {
  const { ca, cert, key } = await ensureCertificates();
  return asksForCertificates ? { cert, key, ca, requestCert: true, rejectUnauthorized: false } : { cert, key };
};
