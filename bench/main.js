#!/usr/bin/env node
// `npm run bench [-- --json FILE] [-- WORK ...]`: measures every work, or those named, each beside its peers in one run.
// Figures of one run compare; those of different runs or machines do not.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/**
 * @typedef {{ work: string, unit: string, capstan: number, peers: Record<string, number>, target?: string }} Result
 * `ms`, `ns` and `bytes` are better when lower, `calls/s` and `MB/s` when higher.
 */

const { values, positionals } = parseArgs({ options: { json: { type: "string" } }, allowPositionals: true });

const here = fileURLToPath(new URL(".", import.meta.url));
if (!existsSync(`${here}node_modules`)) {
  console.log("installing the peers into bench/node_modules");
  execFileSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: here, stdio: "inherit" });
}
const { schemaWorks } = await import("./schema.js");
const { messageWorks } = await import("./messages.js");
const { packedWorks } = await import("./packed.js");
const { rpcWorks } = await import("./rpc.js");
const { memoryWorks } = await import("./memory.js");
const { bundleWorks } = await import("./bundle.js");

/** One file for each family of works. @type {Record<string, () => Promise<Result>>} */
const works = { ...schemaWorks, ...messageWorks, ...packedWorks, ...rpcWorks, ...memoryWorks, ...bundleWorks };
const chosen = positionals.length > 0 ? positionals : Object.keys(works);
const unknown = chosen.filter((name) => works[name] === undefined);
if (unknown.length > 0) {
  console.error(`no such work: ${unknown.join(", ")}; there are ${Object.keys(works).join(", ")}`);
  process.exit(2);
}

/** @type {Result[]} */
const results = [];
for (const name of chosen) {
  const result = await works[name]();
  results.push(result);
  const peers = Object.entries(result.peers).map(([peer, figure]) => `${peer} ${round(figure)}`);
  const target = result.target === undefined ? "" : `  (target: ${result.target})`;
  console.log(`${result.work}: capstan ${round(result.capstan)} ${result.unit}${target}`);
  if (peers.length > 0) console.log(`  beside: ${peers.join(", ")}`);
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ results }, null, 2)}\n`);

function round(figure) {
  return figure >= 100 ? Math.round(figure) : Number(figure.toPrecision(3));
}
