import { type BootstrapSource, listen } from "../../lib/index.ts";
import type { RpcServer } from "../../lib/rpc-server.ts";
import { type Loose, parseLoosely } from "./loose.ts";

/** A service whose calls have numbers, so that it is seen which of them were made, and how often. */
export const { Ledger, Entry, Watcher } = parseLoosely(`
using Capstan = import "/capstan/rpc.capnp";

interface Ledger {
  add @0 (call :UInt32) -> (made :UInt32);
  look @1 (call :UInt32) -> (made :UInt32) $Capstan.idempotent;
  watch @2 (watcher :Watcher);
  entry @3 (call :UInt32) -> (entry :Entry) $Capstan.idempotent;
  hang @4 (call :UInt32);
}

interface Entry {
  read @0 () -> (call :UInt32);
}

interface Watcher {
  made @0 (call :UInt32);
}
`);

/** What outlives the servers of a ledger: which calls they made. */
export class Book {
  /** By number of the call: how often its method ran. */
  readonly made = new Map<number, number>();
  /** Those who are told of each call: one for each connection that asked for it. */
  readonly watchers = new Set<Loose>();

  count(call: number): number {
    return this.made.get(call) ?? 0;
  }

  /** Calls that ran more than once. */
  get repeated(): number[] {
    return [...this.made].filter(([, count]) => count > 1).map(([call]) => call);
  }

  note(call: number): number {
    const count = this.count(call) + 1;
    this.made.set(call, count);
    for (const watcher of this.watchers) {
      void watcher.made({ call }).catch(() => this.watchers.delete(watcher));
    }
    return count;
  }

  /** A new object that serves this book. */
  serve(): Loose {
    const book = this;
    return new (class extends Ledger.Server {
      add({ call }: Loose) {
        return { made: book.note(call) };
      }
      look({ call }: Loose) {
        return { made: book.note(call) };
      }
      entry({ call }: Loose) {
        book.note(call);
        return {
          entry: new (class extends Entry.Server {
            read() {
              return { call };
            }
          })(),
        };
      }
      watch({ watcher }: Loose) {
        book.watchers.add(watcher);
      }
      hang({ call }: Loose) {
        book.note(call);
        return new Promise(() => undefined);
      }
    })();
  }

  listen(address = "127.0.0.1:0"): Promise<RpcServer> {
    // Over a network that swallows everything, nobody says goodbye.
    return listen(address, { closeTimeout: 50, bootstrap: (() => this.serve()) as unknown as BootstrapSource });
  }
}
