import { CapnpError } from "../../errors.ts";
import { type ClientHook, innermost } from "../capability/client-hook.ts";
import type { CapDescriptor } from "../wire.ts";
import { protocolError } from "../wire.ts";
import type { ConnectionState } from "./connection-state.ts";
import type { ExportId } from "./ids.ts";
import { sendResolve } from "./outgoing.ts";
import { PromiseClient } from "./promise-client.ts";
import { ReflectedClient } from "./reflected-client.ts";
import { RemoteClient } from "./remote-client.ts";

/**
 * A row of the export table. State: held by the peer (`references` times) -> released (row deleted).
 *
 * A promise resolves at most once: Resolve is sent, and from then on calls that still arrive for the promise go to exactly
 * what that Resolve described, even if that resolves further (the Tribble 4-way race; rpc.capnp, Disembargo).
 */
export interface ExportRow {
  readonly id: ExportId;
  references: number;
  /** Where calls for this id go. Owned. */
  hook: ClientHook;
  /** Stops waiting for a promise to resolve. */
  stopWaiting: (() => void) | undefined;
  /** Of a promise: what the peer's descriptions of this export are to those who receive them here. Borrowed. */
  reflected: ReflectedClient | undefined;
}

/** What must be sent right after the message that carries a descriptor. */
export type AfterSend = (() => void)[];

/**
 * A description that was written into a message, and what exactly it described (borrowed): for a promise at the peer the
 * place where calls on it go now, whatever it resolves to here.
 */
export interface Described {
  readonly descriptor: CapDescriptor;
  readonly hook: ClientHook | null;
}

const none: CapDescriptor = { which: "none" };

/** Describes a capability for a message to the peer, counting a reference where it is hosted or promised here. */
const describe = (state: ConnectionState, hook: ClientHook | null, after: AfterSend): Described => {
  if (hook === null) return { descriptor: none, hook: null };
  const inner = innermost(hook);
  if (inner.connection === state) {
    if (inner instanceof RemoteClient) return { descriptor: inner.descriptor, hook: inner };
    if (inner instanceof PromiseClient) {
      // The peer may now send calls of its own through it: when it resolves, what is on the way must be waited for.
      inner.markUsed();
      return { descriptor: inner.initial.descriptor, hook: inner.initial };
    }
  }
  const known = state.exportsByHook.get(inner);
  if (known !== undefined) {
    known.references++;
    return { descriptor: descriptorOf(known), hook: inner };
  }
  if (state.exports.size >= state.limits.maxExports) {
    state.overloaded++;
    throw new CapnpError(
      "CAPNP_LIMIT",
      `The peer holds ${state.exports.size} capabilities (maxExports): it must release some before it can be sent another.`,
    );
  }
  const row = state.exports.add((id) => ({
    id,
    references: 1,
    hook: inner.addRef(),
    stopWaiting: undefined,
    reflected: undefined,
  }));
  if (!breaks(inner)) state.exportsByHook.set(inner, row);
  if (inner.isPromise) row.stopWaiting = inner.onResolved(() => promiseResolved(state, row));
  else if (breaks(inner)) {
    // There is no descriptor for what is broken: it is a promise that breaks at once. Its id is not used again, because a
    // promise must not be sent after its Resolve.
    const error = inner.brokenBy as Error;
    after.push(() => {
      if (state.exports.get(row.id) === row) sendResolve(state, row.id, error);
    });
  }
  return { descriptor: descriptorOf(row), hook: inner };
};

/** What is not sent, because too much waits for the peer already. */
export const crowded = (state: ConnectionState): CapnpError =>
  new CapnpError(
    "CAPNP_LIMIT",
    `${state.queued} bytes wait for the peer to read; beyond ${state.limits.maxOutboundBytes} (maxOutboundBytes) no call or result is added. Try again later.`,
  );

/** Describes all capabilities of a message, or none of them: then it says which limit they break. */
export const describeAll = (
  state: ConnectionState,
  hooks: readonly (ClientHook | null)[],
  after: AfterSend,
): Described[] | CapnpError => {
  // Of the size that it will have: an array that is pushed to takes a multiple for one capability.
  const described = new Array<Described>(hooks.length);
  let done = 0;
  try {
    for (const hook of hooks) described[done++] = describe(state, hook, after);
  } catch (error) {
    if (!(error instanceof CapnpError)) throw error;
    const taken = described.slice(0, done - 1).map((d) => d.descriptor);
    for (const id of exportIds(taken)) releaseExport(state, id, 1);
    return error;
  }
  return described;
};

/** A null capability is a thing that can be sent, and stays null; any other broken one arrives as a broken promise. */
const breaks = (hook: ClientHook): boolean => hook.brokenBy !== undefined && !hook.isNull;

/** What resolves right now is a promise for as long as its Resolve has not been sent. */
const descriptorOf = (row: ExportRow): CapDescriptor => ({
  which: row.stopWaiting !== undefined || breaks(row.hook) ? "senderPromise" : "senderHosted",
  id: row.id,
});

const promiseResolved = (state: ConnectionState, row: ExportRow): void => {
  row.stopWaiting = undefined;
  if (state.closedBy !== undefined || state.exports.get(row.id) !== row) return;
  const promise = row.hook;
  const inner = innermost(promise);
  if (state.exportsByHook.get(promise) === row) state.exportsByHook.delete(promise);
  const becomes = (hook: ClientHook): void => {
    row.hook = hook.addRef();
    promise.release();
  };
  if (inner.isPromise && inner.connection !== state && !state.exportsByHook.has(inner)) {
    // Another promise of ours that the peer does not know: it takes over this row, and the peer need not hear of it.
    state.exportsByHook.set(inner, row);
    row.stopWaiting = inner.onResolved(() => promiseResolved(state, row));
    becomes(inner);
    return;
  }
  // This row is not the one to describe what the promise became: that gets a row, or has one, of its own.
  if (breaks(inner)) {
    sendResolve(state, row.id, inner.brokenBy as Error);
    becomes(inner);
    settleReflected(state, row);
    return;
  }
  const after: AfterSend = [];
  try {
    const { descriptor, hook } = describe(state, inner, after);
    sendResolve(state, row.id, descriptor);
    for (const send of after) send();
    becomes(hook as ClientHook);
  } catch (error) {
    // There is no room for what it became. To the peer it is broken.
    sendResolve(state, row.id, error as Error);
    becomes(inner);
  }
  settleReflected(state, row);
};

/** The capability of an export, described by the peer to us; the reference is the caller's. */
export const reflect = (state: ConnectionState, row: ExportRow): ClientHook => {
  if (row.stopWaiting === undefined) return row.hook.addRef();
  if (row.reflected !== undefined) return row.reflected.addRef();
  const reflected = new ReflectedClient(
    () => row.hook,
    () => forget(),
  );
  const forget = (): void => {
    if (row.reflected === reflected) row.reflected = undefined;
    if (state.exportsByHook.get(reflected) === row) state.exportsByHook.delete(reflected);
  };
  row.reflected = reflected;
  state.exportsByHook.set(reflected, row);
  return reflected;
};

/** The promise of an export has become what its hook is now, or nobody describes it any more. */
export const settleReflected = (state: ConnectionState, row: ExportRow): void => {
  const { reflected } = row;
  if (reflected === undefined) return;
  row.reflected = undefined;
  state.exportsByHook.delete(reflected);
  reflected.resolve(row.hook.addRef());
};

/** Takes references back, as a Release says or as the peer's giving up of results implies. */
export const releaseExport = (state: ConnectionState, id: number, count: number): void => {
  const row = state.exports.get(id);
  if (row === undefined) throw protocolError(`Release of unknown export ${id}`);
  if (count > row.references) {
    throw protocolError(`Release of ${count} references to export ${id}, which has ${row.references}`);
  }
  row.references -= count;
  if (row.references > 0) return;
  state.exports.delete(row.id);
  if (state.exportsByHook.get(row.hook) === row) state.exportsByHook.delete(row.hook);
  row.stopWaiting?.();
  // From here on others may hear of it, and describe what it was.
  settleReflected(state, row);
  row.hook.release();
};

const noIds: readonly number[] = [];

/** The ids that descriptors made us count, for giving them back together. */
export const exportIds = (descriptors: readonly CapDescriptor[]): readonly number[] => {
  let ids: number[] | undefined;
  for (const d of descriptors) {
    if (d.which !== "senderHosted" && d.which !== "senderPromise") continue;
    if (ids === undefined) ids = [d.id];
    else ids.push(d.id);
  }
  return ids ?? noIds;
};
