/** What runs in each thread of the pool: a vat of its own, whose only peer is the pool. */
import { parentPort } from "node:worker_threads";
import * as capnp from "capstan";
import { ThreadImpl } from "./thread.ts";

if (parentPort === null) throw new Error("this module is for worker threads: the pool starts it");
new capnp.TwoPartyServer(capnp.messagePortTransport(parentPort), { bootstrap: new ThreadImpl() });
