import type { Struct } from "../../serialization/struct.ts";
import { type CapDescriptor, type MessageTarget, setU32 } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { ImportId } from "./ids.ts";
import { sendRelease } from "./outgoing.ts";
import type { PromiseClient } from "./promise-client.ts";
import { RemoteClient } from "./remote-client.ts";

/**
 * A row of the import table. State: held (the peer counts `received` references that we have) -> released (row deleted,
 * Release sent with the count). When the same id arrives after that, it is a new row. While it is held, what the peer called
 * a promise goes from pending to resolved by one Resolve; a second one breaks the protocol, because the first may have been
 * acted upon. A Resolve for a row that is gone is no mistake: it and the Release have crossed.
 */
export interface ImportRow {
  readonly client: ImportClient;
  /** How often the peer has sent us this id: what one Release gives back. */
  received: number;
  /** Where the peer said that this is a promise: what stands for it here, while somebody holds that. Borrowed. */
  promise: PromiseClient | undefined;
  /** Where the peer said that it is one: it sends one Resolve, whether the promise is still held or not. */
  promised: "no" | "pending" | "resolved";
}

/** A capability, or the promise of one, in the peer's export table. */
export class ImportClient extends RemoteClient {
  readonly id: ImportId;

  constructor(state: ConnectionState, id: ImportId) {
    super(state);
    this.id = id;
  }

  override get target(): MessageTarget {
    return { which: "importedCap", id: this.id };
  }

  /** What most calls go to: nothing is made to say so. */
  override writeTarget(to: Struct): void {
    setU32(to, 0, this.id);
  }

  override get descriptor(): CapDescriptor {
    return { which: "receiverHosted", id: this.id };
  }

  override get brokenBy(): Error | undefined {
    return this.state.closedBy;
  }

  protected override destroyed(): void {
    const { state, id } = this;
    const row = state.imports.get(id);
    // After a disconnect the table is empty, or holds nothing of ours.
    if (row?.client !== this) return;
    state.imports.delete(id);
    sendRelease(state, id, row.received);
  }
}
