import type { CapTable } from "../../serialization/cap-table.ts";
import { Client } from "./client.ts";
import type { ClientHook } from "./client-hook.ts";
import type { Payload } from "./payload.ts";

interface Capabilities {
  readonly hasCapTable: boolean;
  readonly capTable: CapTable;
}

/**
 * A client that was read from the params of a call and is in its results was handed on: `echo({ cap }) { return cap; }`. The
 * results have a reference of their own, and the client's is given back with the return. Otherwise the peer's capability
 * would be held until the client is collected, and nobody knows when that is.
 *
 * Rejected: to release every client of the params when the method returns. A method that keeps one (a subscriber, say) would
 * find it released later, and would have to know to ask for a reference of its own; in C++ and Python, whoever reads a
 * capability has it for as long as they like.
 */
export const handOn = (params: Payload | undefined, results: Capabilities | undefined): void => {
  if (params === undefined || results === undefined) return;
  const { arena } = params.segment;
  if (!arena.hasCapTable || !results.hasCapTable) return;
  const { taken } = arena.capTable;
  if (taken.length === 0) return;
  const returned = new Set(results.capTable.entries() as readonly (ClientHook | null)[]);
  for (const client of taken) if (client instanceof Client) Client.handOn(client, returned);
};
