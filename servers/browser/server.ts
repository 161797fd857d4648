import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import * as capnp from "capstan";
import { ensureCertificates } from "../../certs/make.ts";
import { LobbyImpl } from "./lobby.ts";
import { pageFiles, serveFiles } from "./page-files.ts";

/** Where the page connects to. */
export const rpcPath = "/rpc";

export interface PageServer {
  /** What to open in a browser. */
  readonly url: string;
  readonly rpc: capnp.RpcServer;
  close(): Promise<void>;
}

/**
 * Serves the page at `host:port`, `http://host:port` or `https://host:port`, and its WebSockets at the path `/rpc` of the same server. With
 * https it uses the development certificates of the folder `certs`, which a browser believes when it is told to trust `certs/ca.crt`.
 */
export const servePage = async (
  address: string,
  options: Pick<capnp.ListenOptions, "logger"> = {},
): Promise<PageServer> => {
  const { isSecure, host, port } = readAddress(address);
  const files = serveFiles(await pageFiles());
  const server = isSecure ? createSecureServer(await keyAndCert(), files) : createServer(files);
  const rpc = await capnp.listen(
    { server, path: rpcPath },
    {
      bootstrap: new LobbyImpl(),
      ...options,
    },
  );
  try {
    server.listen(port, host === "*" ? undefined : host);
    await once(server, "listening");
  } catch (error) {
    await rpc.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new capnp.CapnpError("CAPNP_LISTEN", `cannot listen on ${address}: ${why}`, { cause: error });
  }
  const name = host === "*" ? "localhost" : host.includes(":") ? `[${host}]` : host;
  return {
    url: `${isSecure ? "https" : "http"}://${name}:${rpc.port}/`,
    rpc,
    close: async () => {
      await rpc.close({ drain: 1_000 });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

const readAddress = (address: string): { isSecure: boolean; host: string; port: number } => {
  const parts = /^(?:(https?):\/\/)?(\*|\[[\da-fA-F:.]+\]|[^:/[\]]+):(\d{1,5})\/?$/.exec(address);
  const port = Number(parts?.[3]);
  if (parts === null || port > 65_535) {
    const text = `"${address}" is no address for the page: host:port, *:port, http://host:port or https://host:port`;
    throw new capnp.CapnpError("CAPNP_ADDRESS", text);
  }
  return { isSecure: parts[1] === "https", host: parts[2]!.replace(/^\[|\]$/g, ""), port };
};

const keyAndCert = async (): Promise<{ key: string; cert: string }> => {
  const { key, cert } = await ensureCertificates();
  return { key, cert };
};
