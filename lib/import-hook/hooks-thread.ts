import type { MessagePort } from "node:worker_threads";
import { type LoadedModule, schemaModuleLoader } from "./load-hook.ts";

/** The hooks that `module.register` runs in a thread of their own, where Node has no `registerHooks`. */

let port: MessagePort | undefined;

export function initialize(data: { readonly port: MessagePort }): void {
  port = data.port;
}

const loadSchema = schemaModuleLoader((paths) => port?.postMessage(paths));

export async function load(
  url: string,
  context: unknown,
  nextLoad: (url: string, context: unknown) => Promise<unknown>,
): Promise<LoadedModule | unknown> {
  return loadSchema(url) ?? nextLoad(url, context);
}
