import { expect } from "chai";
import { type Limit, readLimits } from "../lib/limit.ts";
import { expectError } from "./support/errors.ts";

const declared = {
  things: { kind: "count", default: 7 },
  patience: { kind: "time", default: 0 },
  pace: { kind: "rate", default: 2.5 },
} as const satisfies Record<string, Limit>;

describe("a limit", () => {
  it("is its default where nothing is said, or undefined", () => {
    expect(readLimits<keyof typeof declared>(declared)).to.deep.equal({ things: 7, patience: 0, pace: 2.5 });
    expect(readLimits<keyof typeof declared>(declared, { things: undefined, pace: 0 })).to.include({
      things: 7,
      pace: 0,
    });
  });

  it("may be Infinity, whatever it counts", () => {
    const all = { things: Infinity, patience: Infinity, pace: Infinity };
    expect(readLimits<keyof typeof declared>(declared, all)).to.deep.equal(all);
  });

  it("that is no number, or none of its kind, is refused by name", () => {
    for (const things of [0, -1, 1.5, Number.NaN]) {
      expectError(
        "CAPNP_RANGE",
        () => readLimits<keyof typeof declared>(declared, { things }),
        "things",
        String(things),
      );
    }
    for (const name of ["patience", "pace"] as const) {
      for (const value of [-1, Number.NaN, Number.NEGATIVE_INFINITY]) {
        expectError("CAPNP_RANGE", () => readLimits<keyof typeof declared>(declared, { [name]: value }), name);
      }
    }
    for (const things of ["64", null, 5n, true]) {
      const given = { things } as unknown as { things: number };
      expectError("CAPNP_TYPE", () => readLimits<keyof typeof declared>(declared, given), "things", typeof things);
    }
  });

  it("that nobody declared is refused by name where nothing else may be given", () => {
    const given = { things: 3, thinks: 4 };
    expect(readLimits<keyof typeof declared>(declared, given).things).to.equal(3);
    expectError(
      "CAPNP_TYPE",
      () => readLimits<keyof typeof declared>(declared, given, { of: "a thinker", besides: ["name"] }),
      "thinks is no limit of a thinker",
      "things, patience, pace, name",
    );
    const named = { things: 3, name: "Rodin" };
    expect(readLimits<keyof typeof declared>(declared, named, { of: "a thinker", besides: ["name"] }).things).to.equal(
      3,
    );
  });
});
