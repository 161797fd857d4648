import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { clientLimits, keepaliveLimits, reconnectLimits, retryLimits } from "../../lib/client/limits.ts";
import type { Limit } from "../../lib/limit.ts";
import { repositoryRoot } from "../support/repository.ts";

const written = ({ kind, default: value }: Limit): string => {
  if (value === Number.POSITIVE_INFINITY) return "no limit";
  if (kind !== "time") return value.toLocaleString("en-US");
  return value === 0 ? "off" : `${value / 1000} s`;
};

describe("docs/limits.md", () => {
  it("has a row with the default for each limit of a client that connects, and no other", async () => {
    const page = await readFile(join(repositoryRoot, "docs/limits.md"), "utf8");
    const section = /^## What a client waits for$([\s\S]*?)^## /m.exec(page)?.[1] ?? "";
    const rows = [...section.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\|/gm)].map(([, name, value]) => `${name}: ${value}`);
    const all: Record<string, Limit> = { ...clientLimits, ...reconnectLimits, ...keepaliveLimits, ...retryLimits };
    expect(rows).to.deep.equal(Object.entries(all).map(([name, limit]) => `${name}: ${written(limit)}`));
  });
});
