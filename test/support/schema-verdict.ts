import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { CapnpError } from "../../lib/errors.ts";
import { SchemaLoader } from "../../lib/schema/loader.ts";
import type { Node } from "../../lib/schema/node.ts";
import { encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { cppProgram } from "./interop.ts";
import { repositoryRoot } from "./repository.ts";

/** Nodes that are loaded, and nodes that are loaded over them. */
export interface VersionPair {
  readonly first: readonly Node[];
  readonly second: readonly Node[];
}

/**
 * What a loader thinks of a pair: whether the nodes of the first are taken and whether those of the second are, and if so,
 * the ids of the nodes of which the second's version is kept.
 */
export type Verdict =
  | { readonly which: "first" | "refused"; readonly id: bigint; readonly reason: string }
  | { readonly which: "loaded"; readonly kept: readonly bigint[] };

/** Nodes of the second version are told from those of the first by the beginning of their display names. */
const marked = (nodes: readonly Node[], mark: string): Node[] =>
  nodes.map((node) => ({
    ...node,
    displayName: mark + node.displayName,
    displayNamePrefixLength: node.displayNamePrefixLength + mark.length,
  }));

/** The verdict of this library's loader. Anything but a CapnpError is thrown on. */
export const ourVerdict = ({ first, second }: VersionPair): Verdict => {
  const loader = new SchemaLoader();
  for (const which of ["first", "refused"] as const) {
    for (const node of which === "first" ? marked(first, "1") : marked(second, "2")) {
      try {
        loader.loadAll([node]);
      } catch (error) {
        if (!(error instanceof CapnpError)) throw error;
        return { which, id: node.id, reason: error.message };
      }
    }
  }
  const kept = second.map(({ id }) => id).filter((id) => loader.get(id).node.displayName.startsWith("2"));
  return { which: "loaded", kept };
};

export type Judge = (pairs: readonly VersionPair[]) => Verdict[];

/** The verdicts of C++'s SchemaLoader. */
const judge: Judge = (pairs) => {
  const input = Buffer.concat(
    pairs.flatMap(({ first, second }) =>
      [marked(first, "1"), marked(second, "2")].map((nodes) =>
        encodeCompiledSchema({ nodes, sourceInfo: [], requestedFiles: [] }),
      ),
    ),
  );
  const program = join(repositoryRoot, "test/interop/cpp/build/schema-verdict");
  const { status, stdout, stderr } = spawnSync(program, { input, maxBuffer: 1 << 28, encoding: "utf8" });
  const lines = stdout.trimEnd().split("\n");
  if (status !== 0 || lines.length !== pairs.length) {
    throw new Error(`schema-verdict ended with ${status} after ${lines.length} of ${pairs.length} pairs\n${stderr}`);
  }
  return lines.map((line) => {
    const [which, ...words] = line.split(" ");
    if (which === "loaded") return { which, kept: words.map((id) => BigInt(`0x${id}`)) };
    return { which: which as "first" | "refused", id: BigInt(`0x${words[0]}`), reason: words.slice(1).join(" ") };
  });
};

/**
 * C++'s SchemaLoader, built where it is not. Call it in a test or in a `before` hook: `judge = await schemaJudge.call(this)`.
 * Where the tools are missing the tests are skipped, or fail where CAPSTAN_REQUIRE_INTEROP is 1.
 */
export async function schemaJudge(this: Mocha.Context): Promise<Judge> {
  await cppProgram.call(this, "schema-verdict");
  return judge;
}
