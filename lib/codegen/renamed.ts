import { CapnpError } from "../errors.ts";
import type { Annotation, CompiledSchema, Node } from "../schema/node.ts";
import { typescriptName } from "../schema/typescript-name.ts";

interface Named {
  readonly name: string;
  readonly annotations: readonly Annotation[];
}

/** A compiled schema whose fields and methods have the names that they have in TypeScript. */
export const renamed = (schema: CompiledSchema): CompiledSchema => ({
  ...schema,
  nodes: schema.nodes.map((node): Node => {
    const { body } = node;
    if (body.which === "struct") return { ...node, body: { ...body, fields: withNames(body.fields, node) } };
    if (body.which === "interface") return { ...node, body: { ...body, methods: withNames(body.methods, node) } };
    return node;
  }),
});

const withNames = <T extends Named>(members: readonly T[], node: Node): T[] => {
  const taken = new Set<string>();
  return members.map((member) => {
    const name = typescriptName(member.name, member.annotations);
    if (taken.has(name)) {
      throw new CapnpError(
        "CAPNP_SCHEMA",
        `${node.displayName} has two members that are called ${JSON.stringify(name)} in TypeScript: choose another $name for one of them.`,
      );
    }
    taken.add(name);
    return { ...member, name };
  });
};
