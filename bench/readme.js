#!/usr/bin/env node
// `node bench/readme.js FILE`: writes what `npm run bench -- --json FILE` measured into the README's table.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What the works are called in the table, in its order; a work that is not named here is not in it. */
const names = {
  "read-all": "read a book of 1,000 people, every field",
  "read-one": "read one field of it, from bytes",
  "build-fields": "build it, field by field",
  "build-object": "build it from objects",
  pack: "pack",
  unpack: "unpack",
  "rpc-1": "calls over TCP, one after the other",
  "rpc-128": "calls over TCP, 128 at once",
  "rpc-128-tls": "calls over TLS, 128 at once",
  "pipeline-10": "chains of 10 pipelined calls, one after the other",
  "echo-64k": "64 KiB each way in a call",
  "memory-idle-connection": "memory of an idle connection",
  "memory-idle-connection-tls": "memory of an idle TLS connection",
  import: 'import of "capstan"',
  "load-100": "load a schema of 100 lines",
  "compile-10k": "compile a schema of 10,000 lines",
  "browser-bundle": "a browser's client, minified and gzipped",
};

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error("node bench/readme.js FILE: FILE is what `npm run bench -- --json FILE` has written");
  process.exit(2);
}
/** @type {{ results: { work: string, unit: string, capstan: number, peers: Record<string, number> }[] }} */
const { results } = JSON.parse(readFileSync(file, "utf8"));

const cells = Object.entries(names).flatMap(([work, name]) => {
  const result = results.find((one) => one.work === work);
  if (result === undefined) return [];
  const unit = work === "pipeline-10" ? "chains/s" : result.unit;
  const peers = Object.entries(result.peers).map(([peer, amount]) => `${peer} ${figure(amount, unit)}`);
  return [[name, `**${figure(result.capstan, unit)}**`, peers.join(", ")]];
});
if (cells.length === 0) throw new Error(`${file} has no work that the table names`);

const rows = [["work", "Capstan", "beside it"], ...cells];
const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length)));
const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
const table = [line(rows[0]), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");

const path = fileURLToPath(new URL("../README.md", import.meta.url));
const readme = readFileSync(path, "utf8");
const place = /(<!-- bench -->\n)[\s\S]*?(<!-- \/bench -->)/;
if (!place.test(readme)) throw new Error(`${path} has no <!-- bench --> ... <!-- /bench -->`);
writeFileSync(
  path,
  readme.replace(place, (_, begin, end) => `${begin}\n${table}\n\n${end}`),
);
console.log(`${path}: ${cells.length} rows`);

/** Three digits, in the unit that needs no powers of ten. */
function figure(amount, unit) {
  const scales = {
    ns: [
      [1e6, "ms"],
      [1e3, "µs"],
      [1, "ns"],
    ],
    ms: [
      [1, "ms"],
      [1e-3, "µs"],
    ],
    bytes: [
      [1024, "KiB"],
      [1, "bytes"],
    ],
  };
  const [size, name] = (scales[unit] ?? []).find(([least]) => amount >= least) ?? [1, unit];
  const scaled = Number((amount / size).toPrecision(3));
  return `${scaled.toLocaleString("en", { maximumSignificantDigits: 3 })} ${name}`;
}
