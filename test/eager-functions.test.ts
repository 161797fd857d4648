import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect } from "chai";

interface EagerFunctions {
  readonly methodsModule: { readonly name: string; readonly contents: string };
  readonly compileEagerly: (code: string) => string;
}

const { compileEagerly, methodsModule } = (await import(
  new URL("../../eager-functions.js", import.meta.url).href
)) as EagerFunctions;

/** What a module's function `seen` returns once it is rewritten. */
const seenBy = async (code: string): Promise<unknown> => {
  const folder = await mkdtemp(join(tmpdir(), "capstan-eager-"));
  try {
    await writeFile(join(folder, "methods.mjs"), methodsModule.contents);
    const rewritten = compileEagerly(code).replace(JSON.stringify(methodsModule.name), `"./methods.mjs"`);
    await writeFile(join(folder, "module.mjs"), rewritten);
    const { seen } = (await import(pathToFileURL(join(folder, "module.mjs")).href)) as { seen: () => unknown };
    return await seen();
  } finally {
    await rm(folder, { recursive: true });
  }
};

const classes = `
export class Base {
  #count = 1;
  constructor(step) { this.step = step; }
  next() { return this.#add(this.step); }
  #add(n) { this.#count += n; return this.#count; }
  get count() { return this.#count; }
  static of(step) { return new Base(step); }
  *each() { yield this.#add(0); }
  async later() { return this.#add(0); }
  apply(f) { return [1, 2].map((n) => f(n) + this.#add(n)); }
}
export class Derived extends Base {
  #add(n) { return -n; }
  next() { return [super.next(), this.#add(7), this?.#add(8)]; }
  count2() { return this.count; }
}
export class Asks {
  #mark() { return "marked"; }
  static is(value) { return #mark in value; }
  read() { return this.#mark(); }
}
export class Counted {
  static all = [new Counted().id()];
  id() { return 5; }
}
`;

describe("functions that the bundle compiles eagerly", () => {
  it("are in parentheses, which V8 compiles at once", () => {
    const code = compileEagerly(
      "export function f(a) { return (b) => a + b; }\nconst g = (a) => ({ a });\nclass C { m() {} #p() {} }",
    );
    expect(code)
      .to.contain("const f = (function (a)")
      .and.to.contain("(function (b)")
      .and.to.contain("{ m: (function ()");
    expect(code).to.contain("const g = (function (a)").and.to.contain("{ $C_p: (function ()");
    expect(code).not.to.contain("=>");
  });

  it("stay on their lines", () => {
    const rewritten = compileEagerly(classes).split("\n");
    expect(rewritten).to.have.length(classes.split("\n").length);
    expect(rewritten.findIndex((line) => line.includes("return -n"))).to.equal(
      classes.split("\n").findIndex((line) => line.includes("return -n")),
    );
  });

  it("are methods as before: by name, not enumerable, with private members of their own class", async () => {
    const seen = await seenBy(`${classes}
      export const seen = async () => {
        const base = new Base(2);
        const derived = new Derived(1);
        return [
          [base.next(), base.count, await base.later(), ...base.each(), base.apply((n) => n * 10)],
          [derived.next(), derived.count2()],
          [base.next.name, Object.keys(Base.prototype)],
        ];
      };`);
    expect(seen).to.deep.equal([
      [3, 3, 3, 3, [14, 26]],
      [[2, -7, -8], 2],
      ["next", []],
    ]);
  });

  it("leave classes alone that ask for a private method, or whose static members may call one", async () => {
    const seen = await seenBy(`${classes}
      export const seen = () => [Asks.is(new Asks()), Asks.is({}), new Asks().read(), Counted.all];`);
    expect(seen).to.deep.equal([true, false, "marked", [5]]);
  });

  it("are there for those that are called, or kept, while the module is evaluated", async () => {
    const seen = await seenBy(`
      const early = first(2);
      const table = { second };
      function first(n) { return n + 1; }
      function second(n) { return third(n) * 2; }
      function third(n) { return n === 0 ? 1 : third(n - 1) + 1; }
      const nested = ((n) => (m) => { return n + m; })(1);
      const self = { value: 4, get() { return [1].map((n) => n + this.value); } };
      const of = (...args) => ({ args });
      const rest = function () { return (() => arguments.length)(); };
      export const seen = () => [early, table.second(2), nested(2), self.get(), of(1, 2), rest(1, 2, 3)];`);
    expect(seen).to.deep.equal([3, 6, 3, [5], { args: [1, 2] }, 3]);
  });

  it("refuses two private methods that would become one", () => {
    const twice = "{ const A = class A { #m() {} }; }\n{ const A = class A { #m() {} }; }";
    expect(() => compileEagerly(twice)).to.throw("Two private methods would be called $A_m.");
  });
});
