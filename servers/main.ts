import { availableParallelism } from "node:os";
import { CapnpError, type PeerInfo } from "capstan";
import { serve } from "./serve.ts";

const usage = `usage: npm run server NAME -- [ADDRESS] [ARGUMENT]

calculator            adds, multiplies, and takes functions
thread                makes long calls, and tells news
chat                  has rooms in which people talk
filestore    [FOLDER] stores the files of a folder (default: files)
workerpool   [SIZE]   computes in as many threads as there are processors
browser               serves a page that calculates and chats: host:port or https://host:port, default 127.0.0.1:8080

ADDRESS  tls://host:port, host:port, *:port or unix:path; port 0 takes a free one. Default: tls://localhost:60000
`;

const [name, address = "tls://localhost:60000", argument] = process.argv.slice(2);
try {
  switch (name) {
    case "calculator": {
      const { CalculatorImpl } = await import("./calculator/server.ts");
      await serve(address, () => ({ bootstrap: () => new CalculatorImpl() }));
      break;
    }
    case "browser": {
      const { serveBrowser } = await import("./browser/main.ts");
      await serveBrowser(process.argv[3]);
      break;
    }
    case "thread": {
      const { ExampleImpl } = await import("./thread/server.ts");
      await serve(address, () => ({ bootstrap: () => new ExampleImpl() }));
      break;
    }
    case "chat": {
      const { ChatImpl } = await import("./chat/server.ts");
      await serve(address, (logger) => ({ bootstrap: new ChatImpl(logger) }));
      break;
    }
    case "filestore": {
      const { FileStore } = await import("./filestore/server.ts");
      const store = await FileStore.at(argument ?? "files");
      // Whoever may open a Unix socket is known by the system already.
      const isOwner = (peer: PeerInfo) => peer.authenticated || address.startsWith("unix:");
      await serve(address, () => ({ bootstrap: (peer) => store.serve(isOwner(peer)), asksForCertificates: true }));
      break;
    }
    case "workerpool": {
      const { PoolImpl } = await import("./workerpool/server.ts");
      const size = argument === undefined ? availableParallelism() : Number(argument);
      await serve(address, (logger) => {
        const pool = new PoolImpl({ size, logger });
        return { bootstrap: pool, close: () => pool.close() };
      });
      break;
    }
    default:
      throw new CapnpError("CAPNP_ADDRESS", name === undefined ? usage : `There is no server ${name}.\n\n${usage}`);
  }
} catch (error) {
  if (!(error instanceof CapnpError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
