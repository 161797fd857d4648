import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { compileIn, schemaFolder, schemasIn, standardFolder, wrongSchemaFolder } from "../compiler/golden.ts";
import { repositoryRoot } from "../support/repository.ts";
import type { TargetName } from "./targets.ts";

/** What codec and loader read is the same. */
const folderOf = (target: TargetName): string =>
  join(repositoryRoot, "test/fuzz/corpus", target === "compiler" ? "schemas" : "requests");

/** The inputs that earlier runs found worth keeping. */
export function savedCorpus(target: TargetName): Uint8Array[] {
  const folder = folderOf(target);
  return existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name))) : [];
}

/** What a run begins with: the saved corpus, and the schemas of the fixtures. */
export function seeds(target: TargetName): Uint8Array[] {
  const folders = target === "compiler" ? [schemaFolder, wrongSchemaFolder, standardFolder] : [schemaFolder];
  const files = folders.flatMap((folder) => schemasIn(folder).map((file) => ({ folder, file })));
  const fixtures = files.map(({ folder, file }) =>
    target === "compiler" ? readFileSync(join(folder, file)) : encodeCompiledSchema(compileIn(folder, file).schema),
  );
  return [...savedCorpus(target), ...fixtures];
}

const maxFiles = 95;
const maxBytes = 140 * 1024;

/** Replaces the saved corpus by the smallest of these inputs. */
export function keepCorpus(target: TargetName, corpus: readonly Uint8Array[]): void {
  const folder = folderOf(target);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  let bytes = 0;
  for (const input of [...corpus].sort((a, b) => a.length - b.length).slice(0, maxFiles)) {
    bytes += input.length;
    if (bytes > maxBytes) return;
    const name = createHash("sha1").update(input).digest("hex").slice(0, 12);
    writeFileSync(join(folder, name), input);
  }
}
