import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Limit } from "../../lib/limit.ts";
import { connectionLimits } from "../../lib/rpc/limits.ts";
import {
  listenLimits,
  remoteLimits,
  strangerLimits,
  streamLimits,
  webSocketLimits,
} from "../../lib/transport/limits.ts";
import { repositoryRoot } from "../support/repository.ts";

const bytes = (value: number): string => (value % 2 ** 20 === 0 ? `${value / 2 ** 20} MiB` : `${value / 2 ** 10} KiB`);

/** A value of a limit as the page writes it. */
const written = (name: string, value: number): string => {
  if (value === Number.POSITIVE_INFINITY) return "no limit";
  if (/timeout$/i.test(name)) return value === 0 ? "off" : `${value / 1000} s`;
  return name.endsWith("Bytes") ? bytes(value) : value.toLocaleString("en-US");
};

const defaults = (limits: Readonly<Record<string, Limit>>): string[] =>
  Object.entries(limits).map(([name, limit]) => `${name}: ${written(name, limit.default)}`);

describe("docs/limits.md", () => {
  /** By heading: `name: value` of each row that begins with a name. */
  const rows = new Map<string, string[]>();

  before(async () => {
    const page = await readFile(join(repositoryRoot, "docs/limits.md"), "utf8");
    for (const section of page.split(/^## /m).slice(1)) {
      const found = [...section.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\| [^|]+\|/gm)];
      rows.set(
        section.slice(0, section.indexOf("\n")),
        found.map(([, name, value]) => `${name}: ${value}`),
      );
    }
  });

  it("has a row with the default for each limit of a connection, and no other", () => {
    expect(rows.get("What one connection may hold and do")).to.deep.equal(defaults(connectionLimits));
  });

  it("has a row with the default for each limit of a byte stream, and no other", () => {
    expect(rows.get("What is sent and received")).to.deep.equal(defaults(streamLimits));
  });

  it("has a row with the default for each limit of a WebSocket, and no other", () => {
    expect(rows.get("What a WebSocket may do")).to.deep.equal(defaults(webSocketLimits));
  });

  it("has a row for each limit of listen, and for each that listen sets otherwise", () => {
    const otherwise = Object.entries({ ...strangerLimits, ...remoteLimits });
    expect(rows.get("What strangers may do")).to.deep.equal([
      ...defaults(listenLimits),
      ...otherwise.map(([name, value]) => `${name}: ${written(name, value)}`),
    ]);
  });
});
