import type { CompiledSchema, Node } from "../schema/node.ts";
import { visitReferences } from "../schema/references.ts";

/** Nodes of one file, as generated code embeds them, and the files whose nodes they need besides. */
export interface OwnNodes {
  readonly nodes: readonly Node[];
  readonly neededFiles: readonly bigint[];
}

export const ownNodes = (schema: CompiledSchema, file: Node): OwnNodes => {
  const byId = new Map(schema.nodes.map((node) => [node.id, node]));
  const own = new Map<bigint, Node>();
  const pending = [file.id];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    const node = byId.get(id);
    if (node === undefined || own.has(id)) continue;
    own.set(id, withoutFolder(node));
    for (const inner of innerIds(node, byId)) pending.push(inner);
  }
  const needed = new Set<bigint>();
  for (const node of own.values()) {
    visitReferences(node, (id) => {
      if (!own.has(id)) needed.add(fileOf(id, byId));
    });
  }
  addConstantTypes(file, own, byId);
  return {
    // In an order that does not depend on what else was compiled.
    nodes: [...own.values()],
    neededFiles: [...needed].filter((id) => byId.has(id)),
  };
};

/**
 * Constants of a file get their values while its module is evaluated: where modules import each other in a circle, before
 * those that declare their types. So these come along.
 */
const addConstantTypes = (file: Node, own: Map<bigint, Node>, byId: ReadonlyMap<bigint, Node>): void => {
  const mentioned = new Set<bigint>();
  const mention = (node: Node): void => visitReferences(node, (id) => mentioned.add(id));
  for (const { id } of file.nestedNodes) {
    const node = own.get(id);
    if (node?.body.which === "const") mention(node);
  }
  for (const id of mentioned) {
    const node = byId.get(id);
    if (node === undefined) continue;
    mention(node);
    if (!own.has(id)) own.set(id, withoutFolder(node));
  }
};

/** What lies within a node: declarations, groups, params and results that have no name of their own. */
const innerIds = (node: Node, byId: ReadonlyMap<bigint, Node>): bigint[] => {
  const { body, nestedNodes } = node;
  const ids = nestedNodes.map(({ id }) => id);
  if (body.which === "struct") {
    for (const { body: place } of body.fields) if (place.which === "group") ids.push(place.typeId);
  } else if (body.which === "interface") {
    const structs = body.methods.flatMap((method) => [method.paramStructType, method.resultStructType]);
    for (const id of structs) if (byId.get(id)?.scopeId === 0n) ids.push(id);
  }
  return ids;
};

const fileOf = (id: bigint, byId: ReadonlyMap<bigint, Node>): bigint => {
  const seen = new Set<bigint>();
  let node = byId.get(id);
  while (node !== undefined && node.scopeId !== 0n && !seen.has(node.id)) {
    seen.add(node.id);
    node = byId.get(node.scopeId);
  }
  return node?.id ?? id;
};

/** Display names begin with the path that the compiler was given, which says something of the machine and nothing of the type. */
const withoutFolder = (node: Node): Node => {
  const { displayName, displayNamePrefixLength } = node;
  const colon = displayName.indexOf(":");
  const folder = displayName.lastIndexOf("/", colon < 0 ? undefined : colon) + 1;
  return {
    ...node,
    displayName: displayName.slice(folder),
    displayNamePrefixLength: Math.max(0, displayNamePrefixLength - folder),
  };
};
