import { embeddedNodes } from "../schema/embedded-nodes.ts";
import type { SchemaLoader } from "../schema/loader.ts";
import { sharedLoader } from "../schema/shared-loader.ts";

/**
 * What a schema file declares, loaded when it is first asked for: in the universe that all share, so that its types are
 * those of the generated module, and of schemas that import the file.
 */
export const lateModule = <Module>(fileId: bigint, nodes: string): (() => Module) => {
  let loader: SchemaLoader | undefined;
  let module: Module;
  return () => {
    const shared = sharedLoader();
    if (loader !== shared) {
      shared.loadAll(embeddedNodes(nodes));
      module = shared.declare(shared.get(fileId) as Parameters<SchemaLoader["declare"]>[0]) as Module;
      loader = shared;
    }
    return module;
  };
};
