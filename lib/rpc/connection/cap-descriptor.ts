import { CapnpError } from "../../errors.ts";
import { CapTable } from "../../serialization/cap-table.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { type CapDescriptor, protocolError, readCapTable } from "../wire.ts";
import type { Struct } from "../../serialization/struct.ts";
import type { ConnectionState } from "./connection-state.ts";
import { reflect } from "./export.ts";
import type { AnswerId, ImportId } from "./ids.ts";
import { ImportClient, type ImportRow } from "./import-client.ts";
import { PromiseClient } from "./promise-client.ts";

/** A capability as the peer described it; the reference is the receiver's. */
export interface Received {
  readonly hook: ClientHook | null;
  /** True where it is one of ours that came back. */
  readonly reflected: boolean;
}

export const receive = (state: ConnectionState, descriptor: CapDescriptor): Received => {
  switch (descriptor.which) {
    case "none":
      return { hook: null, reflected: false };
    case "senderHosted":
      return { hook: importHosted(state, descriptor.id as ImportId), reflected: false };
    case "thirdPartyHosted":
      // The vine is an ordinary capability at the introducer, through which calls to the third party go.
      return { hook: importHosted(state, descriptor.vineId as ImportId), reflected: false };
    case "senderPromise":
      return { hook: importPromise(state, descriptor.id as ImportId), reflected: false };
    case "receiverHosted": {
      const row = state.exports.get(descriptor.id);
      if (row === undefined) return broken(`invalid receiverHosted ${descriptor.id}`);
      return { hook: reflect(state, row), reflected: true };
    }
    case "receiverAnswer": {
      const answer = state.answers.get(descriptor.questionId as AnswerId);
      if (answer === undefined) return broken(`invalid receiverAnswer ${descriptor.questionId}`);
      return { hook: answer.pipelined(descriptor.path), reflected: true };
    }
  }
};

const broken = (what: string): Received => ({ hook: new BrokenClient(protocolError(what)), reflected: false });

const importRow = (state: ConnectionState, id: ImportId): { row: ImportRow; isNew: boolean } => {
  const known = state.imports.get(id);
  if (known !== undefined) {
    known.received++;
    return { row: known, isNew: false };
  }
  if (state.imports.size >= state.limits.maxImports) {
    throw new CapnpError("CAPNP_LIMIT", `The peer has sent ${state.limits.maxImports} capabilities (maxImports).`);
  }
  const row: ImportRow = { client: new ImportClient(state, id), received: 1, promise: undefined, promised: "no" };
  state.imports.set(id, row);
  return { row, isNew: true };
};

const importHosted = (state: ConnectionState, id: ImportId): ClientHook => {
  const { row, isNew } = importRow(state, id);
  return isNew ? row.client : (row.promise ?? row.client).addRef();
};

const importPromise = (state: ConnectionState, id: ImportId): ClientHook => {
  // A promise that has resolved has no row any more, but whoever holds it holds all that it became on the way.
  if (state.promises >= state.limits.maxImports) {
    throw new CapnpError("CAPNP_LIMIT", `${state.promises} promises of the peer's are held here (maxImports).`);
  }
  const { row, isNew } = importRow(state, id);
  if (row.promise !== undefined) return row.promise.addRef();
  const initial = isNew ? row.client : row.client.addRef();
  state.promises++;
  const promise = new PromiseClient(state, initial, () => {
    state.promises--;
    row.promise = undefined;
  });
  row.promise = promise;
  row.promised = "pending";
  return promise;
};

/** The capabilities of one payload from the peer. */
export class ReceivedCapTable extends CapTable {
  readonly #hooks: (ClientHook | null)[];
  readonly #reflected: ReadonlySet<ClientHook>;

  constructor(entries: (ClientHook | null)[] = [], reflected: ReadonlySet<ClientHook> = new Set()) {
    super(entries);
    this.#hooks = entries;
    this.#reflected = reflected;
  }

  /** Puts an embargo in front of a capability: who takes it out of the results must not overtake calls made before. */
  embargo(hook: ClientHook, promise: ClientHook): void {
    for (const [i, entry] of this.#hooks.entries()) {
      if (entry !== hook) continue;
      this.#hooks[i] = promise.addRef();
      hook.release();
    }
  }

  isReflected(hook: ClientHook): boolean {
    return this.#reflected.has(hook);
  }
}

const noCapabilities = new ReceivedCapTable();

/** Receives every capability of a payload, used or not: each was counted by the peer and must be released. */
export const receiveCapTable = (state: ConnectionState, payload: Struct): ReceivedCapTable => {
  const descriptors = readCapTable(payload, state.limits.maxCapabilitiesPerMessage, state.limits.maxTransformOps);
  if (descriptors.length === 0) return noCapabilities;
  const reflectedHooks = new Set<ClientHook>();
  const entries: (ClientHook | null)[] = [];
  try {
    for (const descriptor of descriptors) {
      const { hook, reflected } = receive(state, descriptor);
      if (hook !== null && reflected) reflectedHooks.add(hook);
      entries.push(hook);
    }
  } catch (error) {
    for (const hook of entries) hook?.release();
    throw error;
  }
  return new ReceivedCapTable(entries, reflectedHooks);
};
