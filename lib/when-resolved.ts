import { Client } from "./rpc/capability/client.ts";
import { type ClientHook, innermost } from "./rpc/capability/client-hook.ts";

/** Waits until a hook is no promise any more; throws what it broke with. The result is borrowed. */
export const resolvedHook = async (hook: ClientHook): Promise<ClientHook> => {
  let inner = innermost(hook);
  while (inner.isPromise) {
    const promise = inner;
    await new Promise<void>((resolve) => {
      promise.onResolved(resolve);
    });
    inner = innermost(hook);
  }
  if (inner.brokenBy !== undefined && !inner.isNull) throw inner.brokenBy;
  return inner;
};

/**
 * Resolves when a client that is the promise of a capability has become one, as far as this vat will know; rejects with
 * what it broke with. There is no need to wait for it before calls are made.
 */
export const whenResolved = async (client: Client): Promise<void> => {
  const hook = Client.hook(client).addRef();
  try {
    await resolvedHook(hook);
  } finally {
    hook.release();
  }
};
