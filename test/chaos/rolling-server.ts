import { appendFileSync } from "node:fs";
import { ensureCertificates } from "../../certs/make.ts";
import { type BootstrapSource, listen } from "../../lib/index.ts";
import { Ledger } from "../support/ledger.ts";
import type { Loose } from "../support/loose.ts";

// A ledger in a process of its own, which writes down each call that it makes before it makes it: `rolling-server.js ADDRESS FILE`.
// SIGTERM makes it drain and end.
const [address, file] = process.argv.slice(2) as [string, string];

/** Calls take a while, so that there are some at work whenever the server is told to end. */
const made = async (method: string, call: number): Promise<{ made: number }> => {
  appendFileSync(file, `${method} ${call}\n`);
  await new Promise((resolve) => setTimeout(resolve, 8 + (call % 16)));
  return { made: 1 };
};

class LedgerImpl extends Ledger.Server {
  add({ call }: Loose): Promise<{ made: number }> {
    return made("add", call);
  }
  look({ call }: Loose): Promise<{ made: number }> {
    return made("look", call);
  }
}

const { cert, key } = await ensureCertificates();
const server = await listen(address, {
  bootstrap: (() => new LedgerImpl()) as unknown as BootstrapSource,
  ...(address.startsWith("tls:") ? { tls: { cert, key } } : {}),
});
process.once("SIGTERM", () => void server.close({ drain: 10_000 }));
console.log(`listening on ${server.address}`);
