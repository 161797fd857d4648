import type { CompiledSchema, Node } from "../schema/node.ts";
import { typescriptNames } from "../schema/typescript-name.ts";

/** A compiled schema whose fields and methods have the names that they have in TypeScript. */
export const renamed = (schema: CompiledSchema): CompiledSchema => ({
  ...schema,
  nodes: schema.nodes.map((node): Node => {
    const { body, displayName } = node;
    if (body.which === "struct") return { ...node, body: { ...body, fields: withNames(body.fields, displayName) } };
    if (body.which === "interface")
      return { ...node, body: { ...body, methods: withNames(body.methods, displayName) } };
    return node;
  }),
});

const withNames = <T extends Parameters<typeof typescriptNames>[0][number]>(
  members: readonly T[],
  where: string,
): T[] => {
  const names = typescriptNames(members, where);
  return members.map((member, i) => ({ ...member, name: names[i] ?? member.name }));
};
