import { CapnpError } from "../../errors.ts";
import { CapTable } from "../../serialization/cap-table.ts";
import { BrokenClient } from "../capability/broken-client.ts";
import type { ClientHook } from "../capability/client-hook.ts";
import { QueuedClient } from "../capability/queued-client.ts";
import { type CapDescriptor, protocolError, readCapTable } from "../wire.ts";
import { isNull } from "../../serialization/pointer-builder.ts";
import { pointerPosition, type Struct } from "../../serialization/struct.ts";
import { closedPipeline } from "./closed-pipeline.ts";
import type { ConnectionState } from "./connection-state.ts";
import { reflect } from "./export.ts";
import type { AnswerId, ImportId } from "./ids.ts";
import { heldClient, ImportClient } from "./import-client.ts";
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
      if (row === undefined) {
        return { hook: new BrokenClient(protocolError(`invalid receiverHosted ${descriptor.id}`)), reflected: false };
      }
      return { hook: reflect(state, row), reflected: true };
    }
    case "receiverAnswer": {
      const answer = state.answers.get(descriptor.questionId as AnswerId);
      // The peer may have written this before it knew that results without capabilities are not kept.
      if (answer === undefined) return { hook: new BrokenClient(closedPipeline()), reflected: false };
      return { hook: answer.pipelined(descriptor.path), reflected: true };
    }
  }
};

const newImport = (state: ConnectionState, id: ImportId): ImportClient => {
  if (state.imports.size >= state.limits.maxImports) {
    throw new CapnpError("CAPNP_LIMIT", `The peer has sent ${state.limits.maxImports} capabilities (maxImports).`);
  }
  const client = new ImportClient(state, id);
  state.imports.set(id, client.row);
  return client;
};

const importHosted = (state: ConnectionState, id: ImportId): ClientHook => {
  const row = state.imports.get(id);
  if (row === undefined) return newImport(state, id);
  row.received++;
  return row.promise?.addRef() ?? heldClient(state, id, row);
};

const importPromise = (state: ConnectionState, id: ImportId): ClientHook => {
  // A promise that has resolved has no row any more, but whoever holds it holds all that it became on the way.
  if (state.promises >= state.limits.maxImports) {
    throw new CapnpError("CAPNP_LIMIT", `${state.promises} promises of the peer's are held here (maxImports).`);
  }
  const known = state.imports.get(id);
  if (known !== undefined) known.received++;
  if (known?.promise !== undefined) return known.promise.addRef();
  const initial = known === undefined ? newImport(state, id) : heldClient(state, id, known);
  const { row } = initial;
  state.promises++;
  const promise = new PromiseClient(state, initial, false, () => {
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
  readonly #reflected: readonly ClientHook[];
  readonly #releasesItself: boolean;

  /** @param releasesItself True where that holds for each entry, and nothing will be added but what an embargo puts there. */
  constructor(
    entries: (ClientHook | null)[] = [],
    reflected: readonly ClientHook[] = [],
    releasesItself: boolean = false,
  ) {
    super(entries);
    this.#hooks = entries;
    this.#reflected = reflected;
    this.#releasesItself = releasesItself;
  }

  override get releasesItself(): boolean {
    return this.#releasesItself;
  }

  /** Puts an embargo in front of a capability, by a promise that releases itself: who takes it out of the results must not overtake calls made before. */
  embargo(index: number, promise: ClientHook): void {
    const hook = this.#hooks[index];
    this.#hooks[index] = promise.addRef();
    hook?.release();
  }

  isReflected(hook: ClientHook): boolean {
    return this.#reflected.includes(hook);
  }
}

const nothingReflected: readonly ClientHook[] = [];
const noCapabilities = new ReceivedCapTable();

const isReflected = ({ which }: CapDescriptor): boolean => which === "receiverHosted" || which === "receiverAnswer";

/**
 * Which of the capabilities are ours and came back. One of them may have become, by now, the very capability of the peer's that
 * lies beside it: calls that were sent to the one take a detour through us, those to the other do not, and only the first are
 * to be waited for. So they are made two.
 */
const tellApart = (descriptors: readonly CapDescriptor[], entries: (ClientHook | null)[]): ClientHook[] => {
  const plain = new Set(entries.filter((_, i) => !isReflected(descriptors[i] as CapDescriptor)));
  const reflected: ClientHook[] = [];
  for (const [i, hook] of entries.entries()) {
    if (hook === null || !isReflected(descriptors[i] as CapDescriptor)) continue;
    let one = hook;
    if (plain.has(hook)) {
      const returned = new QueuedClient();
      returned.resolve(hook);
      entries[i] = one = returned;
    }
    reflected.push(one);
  }
  return reflected;
};

/** Receives every capability of a payload, used or not: each was counted by the peer and must be released. */
export const receiveCapTable = (state: ConnectionState, payload: Struct): ReceivedCapTable => {
  if (payload.$pointerCount < 2 || isNull(payload.$segment, pointerPosition(payload, 1))) return noCapabilities;
  const descriptors = readCapTable(payload, state.limits.maxCapabilitiesPerMessage, state.limits.maxTransformOps);
  if (descriptors.length === 0) return noCapabilities;
  let isAnyReflected = false;
  let releasesItself = true;
  // Of the size that it will have: an array that is pushed to takes a multiple for one capability.
  const entries = new Array<ClientHook | null>(descriptors.length);
  let received = 0;
  try {
    for (const descriptor of descriptors) {
      const { hook, reflected } = receive(state, descriptor);
      isAnyReflected ||= reflected;
      releasesItself &&= hook === null || hook.releasesItself;
      entries[received++] = hook;
    }
  } catch (error) {
    for (let i = 0; i < received; i++) entries[i]?.release();
    throw error;
  }
  if (isAnyReflected) return new ReceivedCapTable(entries, tellApart(descriptors, entries));
  return new ReceivedCapTable(entries, nothingReflected, releasesItself);
};
