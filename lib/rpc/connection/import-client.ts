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
 *
 * It is released by the last of those who hold its client, or when that is collected because somebody forgot to. So the table
 * does not hold the client, and each of those who do needs no watching.
 */
export class ImportRow {
  /** How often the peer has sent us this id: what one Release gives back. */
  received = 1;
  /** Where the peer said that this is a promise: what stands for it here, while somebody holds that. Borrowed. */
  promise: PromiseClient | undefined;
  /** Where the peer said that it is one: it sends one Resolve, whether the promise is still held or not. */
  promised: "no" | "pending" | "resolved" = "no";
  #client: WeakRef<ImportClient>;

  constructor(client: ImportClient) {
    this.#client = new WeakRef(client);
  }

  /** Undefined where it was collected, which has not been told yet. */
  get client(): ImportClient | undefined {
    return this.#client.deref();
  }

  /** Another one in place of the one that was collected. */
  set client(client: ImportClient) {
    this.#client = new WeakRef(client);
  }
}

interface Forgotten {
  readonly state: ConnectionState;
  readonly id: ImportId;
  readonly row: ImportRow;
}

const forgotten = new FinalizationRegistry<Forgotten>(({ state, id, row }) => {
  if (row.client === undefined) release(state, id, row);
});

const release = (state: ConnectionState, id: ImportId, row: ImportRow): void => {
  // After a disconnect the table is empty; after a Release the id may be another's.
  if (state.imports.get(id) !== row) return;
  state.imports.delete(id);
  sendRelease(state, id, row.received);
};

/** A capability, or the promise of one, in the peer's export table. */
export class ImportClient extends RemoteClient {
  readonly id: ImportId;
  readonly row: ImportRow;

  /** @param row Where it takes the place of a client that was collected. */
  constructor(state: ConnectionState, id: ImportId, row?: ImportRow) {
    super(state);
    this.id = id;
    this.row = row ?? new ImportRow(this);
    if (row !== undefined) row.client = this;
    forgotten.register(this, { state, id, row: this.row }, this);
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

  override get releasesItself(): boolean {
    return true;
  }

  protected override destroyed(): void {
    forgotten.unregister(this);
    release(this.state, this.id, this.row);
  }
}

/** The client of a row, with a reference for the caller. */
export const heldClient = (state: ConnectionState, id: ImportId, row: ImportRow): ImportClient =>
  row.client?.addRef() ?? new ImportClient(state, id, row);
