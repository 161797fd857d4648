import { existsSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { compile } from "../../../lib/compiler/compiler.ts";
import { SchemaLoader } from "../../../lib/schema/loader.ts";
import type { Node } from "../../../lib/schema/node.ts";
import type { StructSchema } from "../../../lib/schema/schema.ts";
import { randomSchema } from "../random-schema/random-schema.ts";
import { type SourceTree, textOf } from "../random-schema/statement.ts";
import { repositoryRoot } from "../repository.ts";

/** A random schema that is loaded. */
export interface RandomUniverse {
  readonly nodes: readonly Node[];
  /** Every struct that is no group. */
  readonly structs: readonly StructSchema[];
}

const standardFolder = relative(".", join(repositoryRoot, "lib/std")) || ".";

/** Undefined where the schema has a layout that no compiler takes. */
export const randomUniverse = (seed: number): RandomUniverse | undefined => {
  const tree = randomSchema(seed, "random");
  const { schema, diagnostics } = compileTree(tree);
  if (diagnostics.length > 0) return undefined;
  const loader = new SchemaLoader();
  loader.loadAll(schema.nodes);
  const structs = schema.nodes
    .filter(({ body }) => body.which === "struct" && !body.isGroup)
    .map(({ id }) => loader.getStruct(id));
  return { nodes: schema.nodes, structs };
};

const compileTree = ({ files, embedded, requested }: SourceTree): ReturnType<typeof compile> => {
  const sources = new Map<string, Uint8Array | string>(Object.entries(embedded));
  for (const file of files) sources.set(file.path, textOf(file));
  const readSource = (path: string): Uint8Array | string | undefined => {
    const source = sources.get(path);
    if (source !== undefined) return source;
    const absolute = resolve(path);
    return existsSync(absolute) ? readFileSync(absolute) : undefined;
  };
  return compile(requested, { readSource, importPath: [standardFolder, "lib"] });
};
