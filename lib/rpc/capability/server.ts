import type { CallContext } from "./call-context.ts";
import type { ClientHook } from "./client-hook.ts";
import { LocalClient } from "./local-client.ts";
import type { StreamRun } from "./stream-run.ts";

/**
 * The base of every `Interface.Server`. A subclass has a method for each method of the interface; see api `Serving`.
 *
 * When the last reference to a server object is gone, its `[Symbol.dispose]()` runs, or its `close()` where it has no
 * such method and the interface does not have a method of that name either. What these throw is reported by `onDisposeError`.
 */
export abstract class Server {
  /** Runs a method by its ids. Made from the schema by the class builder. @internal */
  abstract $dispatch(interfaceId: bigint, methodId: number, context: CallContext): void | PromiseLike<void> | StreamRun;

  /** True where `close` is a method of the interface, for callers and not for us. @internal */
  get $closeIsMethod(): boolean {
    return false;
  }
}

const hooks = new WeakMap<Server, LocalClient>();
const servers = new WeakMap<ClientHook, Server>();

let reportDisposeError = (error: unknown): void => {
  // With nobody to tell, it is an error like any other that nobody handles.
  throw error;
};

/** Later: a report that throws must not stop what is being released together with the object. */
const disposeFailed = (error: unknown): void => queueMicrotask(() => reportDisposeError(error));

/** Sets what happens to an error thrown by a server object's dispose or close. Default: an uncaught exception. */
export const onDisposeError = (report: (error: unknown) => void): void => {
  reportDisposeError = report;
};

interface Disposable {
  [Symbol.dispose]?: () => void;
  close?: () => unknown;
}

const dispose = (server: Server): void => {
  const { [Symbol.dispose]: disposer, close } = server as Server & Disposable;
  try {
    if (typeof disposer === "function") disposer.call(server);
    else if (typeof close === "function" && !server.$closeIsMethod) {
      const closing = close.call(server);
      if (closing instanceof Promise) closing.catch(disposeFailed);
    }
  } catch (error) {
    disposeFailed(error);
  }
};

/**
 * A reference to a server object, for the caller to own. All references to one object share one hook, so that it is one
 * export however often it is passed.
 */
export const serverHook = (server: Server): ClientHook => {
  const known = hooks.get(server);
  if (known !== undefined) return known.addRef();
  const hook = new LocalClient({
    dispatch: (interfaceId, methodId, context) => server.$dispatch(interfaceId, methodId, context),
    released: () => {
      hooks.delete(server);
      dispose(server);
    },
  });
  hooks.set(server, hook);
  servers.set(hook, server);
  return hook;
};

/** The server object that a hook stands for; undefined where it stands for something else. */
export const serverOf = (hook: ClientHook): Server | undefined => servers.get(hook);
