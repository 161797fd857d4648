import { expect } from "chai";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { clientLimits, keepaliveLimits, reconnectLimits, retryLimits } from "../../lib/client/limits.ts";
import { type ConnectOptions, connect } from "../../lib/connect.ts";
import type { Limit } from "../../lib/limit.ts";
import { repositoryRoot } from "../support/repository.ts";
import { rejection } from "../transport/recorder.ts";

const written = ({ kind, default: value }: Limit): string => {
  if (value === Number.POSITIVE_INFINITY) return "no limit";
  if (kind !== "time") return value.toLocaleString("en-US");
  return value === 0 ? "off" : `${value / 1000} s`;
};

describe("an option of a client that was mistyped", () => {
  it("is refused by name, before anything connects", async () => {
    const mistyped: [object, string][] = [
      [{ reconnect: { maxDelays: 1 } }, "maxDelays is no limit of reconnect"],
      [{ reconnect: true, keepalive: { idel: 1 } }, "idel is no limit of keepalive"],
      [{ keepalive: { idel: 1 } }, "idel is no limit of keepalive"],
      [{ retry: { attempt: 1 } }, "attempt is no limit of retry"],
    ];
    for (const [options, name] of mistyped) {
      const error = await rejection(connect("127.0.0.1:1", options as ConnectOptions));
      expect(error).to.include({ code: "CAPNP_TYPE" });
      expect(error.message).to.include(name);
    }
  });
});

describe("docs/limits.md", () => {
  it("has a row with the default for each limit of a client that connects, and no other", async () => {
    const page = await readFile(join(repositoryRoot, "docs/limits.md"), "utf8");
    const section = /^## What a client waits for$([\s\S]*?)^## /m.exec(page)?.[1] ?? "";
    const rows = [...section.matchAll(/^\| `(\w+)` +\| ([^|]+?) +\|/gm)].map(([, name, value]) => `${name}: ${value}`);
    const all: Record<string, Limit> = { ...clientLimits, ...reconnectLimits, ...keepaliveLimits, ...retryLimits };
    expect(rows).to.deep.equal(Object.entries(all).map(([name, limit]) => `${name}: ${written(limit)}`));
  });
});
