import { expect } from "chai";
import fc from "fast-check";
import { IdTable } from "../../../lib/rpc/connection/table.ts";

interface Row {
  readonly id: number;
}

describe("IdTable", () => {
  it("gives the lowest free id, whatever is added and deleted in between", () => {
    const step = fc.oneof(fc.constant("add" as const), fc.nat({ max: 30 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new IdTable<number, Row>();
        const model = new Map<number, Row>();
        for (const one of steps) {
          if (one === "add") {
            const row = table.add((id) => ({ id }));
            let lowest = 0;
            while (model.has(lowest)) lowest++;
            expect(row.id).to.equal(lowest);
            model.set(row.id, row);
          } else {
            table.delete(one);
            model.delete(one);
          }
          expect(table.size).to.equal(model.size);
        }
        for (let id = 0; id < 40; id++) expect(table.get(id)).to.equal(model.get(id));
        const rows = [...model.values()].sort((a, b) => a.id - b.id);
        expect(table.values()).to.deep.equal(rows);
        expect(table.clear()).to.deep.equal(rows);
        expect(table.size).to.equal(0);
        expect(table.add((id) => ({ id })).id).to.equal(0);
      }),
    );
  });

  it("has nothing under ids that no table has", () => {
    const table = new IdTable<number, Row>();
    table.add((id) => ({ id }));
    for (const id of [1, -1, 0.5, Number.NaN, 2 ** 31, 2 ** 32 - 1]) {
      expect(table.get(id)).to.equal(undefined);
      table.delete(id);
    }
    expect(table.size).to.equal(1);
  });
});
