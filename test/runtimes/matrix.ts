import { readFileSync, writeFileSync } from "node:fs";
import { notPortable } from "./exceptions.ts";
import type { RuntimeRun } from "./run.ts";

const begin = "<!-- written by npm run test:runtimes -->";
const end = "<!-- end of what npm run test:runtimes wrote -->";

interface LeftOut {
  readonly reason: string;
  readonly tests: { readonly file: string; readonly title: string }[];
}

interface Row {
  readonly title: string;
  readonly version: string;
  readonly passed: number;
  readonly failed: number;
  /** Tests that skipped themselves since they compare with C++ or Rust. */
  readonly comparing: number;
  /** Left out by name. */
  readonly excepted: number;
}

function rowOf({ runtime, version, events }: RuntimeRun): Row {
  const count = (name: string): number => events.filter(({ event }) => event === name).length;
  return {
    title: runtime.title,
    version,
    passed: count("passed"),
    failed: count("failed"),
    comparing: count("skipped"),
    excepted: count("excepted"),
  };
}

/** The table that the run prints and the document shows. */
export function table(runs: readonly RuntimeRun[]): string {
  const cells = [
    ["Runtime", "Version", "Passed", "Failed", "Left out", "Compare with C++"],
    ...runs.map((run) => {
      const { title, version, passed, failed, excepted, comparing } = rowOf(run);
      return [title, version, ...[passed, failed, excepted, comparing].map(String)];
    }),
  ];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(" | ")} |`;
  const rule = `| ${widths.map((width, i) => (i < 2 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
  return [line(cells[0]!), rule, ...cells.slice(1).map(line)].join("\n");
}

function leftOut({ events }: RuntimeRun): LeftOut[] {
  const byReason = new Map<string, LeftOut>();
  for (const event of events) {
    if (event.event !== "excepted") continue;
    const { reason, file, title } = event;
    if (!byReason.has(reason)) byReason.set(reason, { reason, tests: [] });
    byReason.get(reason)!.tests.push({ file, title });
  }
  return [...byReason.values()];
}

const exceptions = (runs: readonly RuntimeRun[]): string[] =>
  runs.flatMap((run) => {
    const reasons = leftOut(run);
    if (reasons.length === 0) return [];
    const items = reasons.flatMap(({ reason, tests }) => [
      `- ${reason}`,
      ...tests.map(({ file, title }) => `  - \`${file}\`: ${title}`),
    ]);
    return [`### What ${run.runtime.title} leaves out\n\n${items.join("\n")}`];
  });

/** Puts the results of a whole run into the document, in place of those of the last. */
export function writeMatrix(path: string, runs: readonly RuntimeRun[]): void {
  const text = readFileSync(path, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} needs the lines "${begin}" and "${end}"`);
  const portable = notPortable.map(
    ({ files, reason }) => `- ${files.map((file) => `\`${file}\``).join(", ")}: ${reason}`,
  );
  const parts = [
    begin,
    table(runs),
    ...exceptions(runs),
    `### Not in the portable part\n\n${portable.join("\n")}`,
    end,
  ];
  writeFileSync(path, `${text.slice(0, from)}${parts.join("\n\n")}${text.slice(to + end.length)}`);
}
