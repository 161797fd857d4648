import type { Arena } from "../../serialization/arena.ts";
import { type ClientHook, innermost } from "./client-hook.ts";

/** A reference that was collected instead of released. It was released by that, but nobody could know when. */
export interface Leak {
  /** A client, or a message with capabilities that nobody read out of it. */
  readonly what: "client" | "message";
  /** The interface of the client, such as `Calculator.Value`; empty where it is not known. */
  readonly type: string;
  /** Where the client was made, or the call whose results the message is; a stack, a line each. */
  readonly stack: string;
}

interface Watched {
  readonly hook: ClientHook;
  readonly type: string;
  readonly stack: string;
}

/** Remembers where references were made, and tells of those that are collected without having been released. */
class LeakWatch {
  readonly #report: (leak: Leak) => void;
  readonly #clients: FinalizationRegistry<Watched>;
  readonly #calls = new WeakMap<object, string>();

  constructor(report: (leak: Leak) => void) {
    this.#report = report;
    this.#clients = new FinalizationRegistry(({ hook, type, stack }) => {
      // Of a connection that is over, there is nothing left to hold.
      if (innermost(hook).brokenBy === undefined) this.#tell({ what: "client", type, stack });
    });
  }

  /** A client was made. */
  made(client: object, hook: ClientHook): void {
    const { $schema: schema } = client as { readonly $schema?: { readonly path: string } };
    this.#clients.register(client, { hook, type: schema?.path ?? "", stack: here() }, client);
  }

  /** A client was released, or is one that nobody has to release. */
  released(client: object): void {
    this.#clients.unregister(client);
  }

  /** A call was made. */
  called(promise: object): void {
    this.#calls.set(promise, here());
  }

  /** The caller was given the results of a call: it is to release what it does not read. */
  gave(promise: object, arena: Arena): void {
    const stack = this.#calls.get(promise) ?? "";
    arena.capTable.onForgotten = () => this.#tell({ what: "message", type: "", stack });
    arena.watchCapTable();
  }

  #tell(leak: Leak): void {
    if (leakWatch.current === this) this.#report(leak);
  }
}

/** The lines of the stack from the caller's caller's caller on: those before are of this file and of whom it serves. */
const here = (): string => (new Error("made here").stack ?? "").split("\n").slice(4).join("\n");

function warn({ what, type, stack }: Leak): void {
  const text = `A ${what}${type === "" ? "" : ` of ${type}`} was collected without having been released. It came from:\n${stack}`;
  globalThis.process.emitWarning(text, "CapstanLeak");
}

/** A browser has no environment, and Deno throws where it is not allowed to be read: nobody asks for warnings by it then. */
function asksForWarnings(): boolean {
  try {
    return globalThis.process?.env?.CAPSTAN_LEAKS === "1";
  } catch {
    return false;
  }
}

/** Whether leaks are watched for. Those who make references look here first, so that it costs nothing else where they are not. */
export const leakWatch: { current: LeakWatch | undefined } = {
  current: asksForWarnings() ? new LeakWatch(warn) : undefined,
};

/**
 * For development: from now on, `report` hears of every client and of every result that is garbage collected without having been
 * released, with the stack of where it came from. Undefined ends it. Clients that are only passed by (`call.value.read()`) and
 * clients of connections that are over are no leaks. It makes every client and call cost a stack trace.
 *
 * With the environment variable CAPSTAN_LEAKS=1, leaks are printed as warnings of the process, from the start.
 */
export const reportLeaks = (report: ((leak: Leak) => void) | undefined): void => {
  leakWatch.current = report === undefined ? undefined : new LeakWatch(report);
};
