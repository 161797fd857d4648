/**
 * Fuzzes what reads schemas: `npm run fuzz -- --seconds 600 [--target compiler|loader|codec] [--seed N] [--keep]`. What it
 * finds goes to dist/fuzz-findings, made as small as it gets; `--keep` renews test/fuzz/corpus. Exits 1 for any finding.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../support/repository.ts";
import { keepCorpus, seeds } from "./corpus.ts";
import { Fuzzer } from "./fuzzer.ts";
import { type TargetName, targets } from "./targets.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    target: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    keep: { type: "boolean", default: false },
  },
});
const names = Object.keys(targets).filter(
  (name) => values.target === undefined || name === values.target,
) as TargetName[];
if (names.length === 0) throw new Error(`--target is one of ${Object.keys(targets).join(", ")}`);

const folder = join(repositoryRoot, "dist/fuzz-findings");
let count = 0;
for (const target of names) {
  const seconds = Number(values.seconds) / names.length;
  const fuzzer = new Fuzzer(target, seeds(target), Number(values.seed));
  const { runs, blocks, corpus, findings, peakMiB } = await fuzzer.run(seconds);
  for (const { kind, message, input } of findings) {
    const name = `${target}-${kind}-${createHash("sha1").update(input).digest("hex").slice(0, 8)}`;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), input);
    console.log(`FOUND ${join("dist/fuzz-findings", name)} (${input.length} bytes): ${message}`);
  }
  count += findings.length;
  console.log(
    `${target}: ${runs} inputs in ${seconds} s from --seed ${values.seed}, ${blocks} blocks reached, ` +
      `memory grew by ${peakMiB} MiB at most, ${findings.length} findings`,
  );
  if (values.keep) keepCorpus(target, corpus);
}
process.exit(count === 0 ? 0 : 1);
