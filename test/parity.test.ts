import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { readSource } from "./support/module-graph.ts";
import { repositoryRoot } from "./support/repository.ts";

/**
 * The tables in test/parity/ say for each test of another implementation which tests of ours promise the same, or why that makes no
 * sense here. This test holds them to it.
 */
const folder = "test/parity";
const tables = readdirSync(join(repositoryRoot, folder)).filter((name) => name.endsWith(".md"));

interface Row {
  readonly table: string;
  readonly theirs: string;
  readonly ours: string;
}

/** The rows of a table, without those that begin it. A vertical bar in a cell is written `\|`. */
const rowsOf = (table: string): Row[] =>
  readSource(`${folder}/${table}`)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => {
      const [, theirs = "", ours = ""] = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
      return { table, theirs, ours };
    });

/** Tells whether a file has a test of a title. */
type HasTitle = (title: string) => boolean;

const files = new Map<string, HasTitle>();

const titlesOf = (path: string): HasTitle => {
  let has = files.get(path);
  if (has === undefined) {
    has = titlesIn(readSource(path));
    files.set(path, has);
  }
  return has;
};

/**
 * Titles as they stand in a source: in calls of `it`, with anything in the place of what a template inserts; and where such a call
 * takes its title from a variable, any text of the file.
 */
const titlesIn = (source: string): HasTitle => {
  const literal = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/.source;
  const calls = [...source.matchAll(new RegExp(`\\bit\\(\\s*(?:(${literal})|[\\w.]+,)`, "g"))];
  const inCalls = calls.flatMap(([, one]) => (one === undefined ? [] : [one]));
  const isTableDriven = calls.some(([, one]) => one === undefined);
  const others = isTableDriven ? [...source.matchAll(new RegExp(literal, "g"))].map(([one]) => one) : [];
  const texts = [...inCalls, ...others];
  const plain = new Set(texts.map(unquoted));
  const patterns = texts.filter((one) => one.startsWith("`") && one.includes("${")).map(patternOf);
  return (title) => plain.has(title) || patterns.some((pattern) => pattern.test(title));
};

const unquoted = (literal: string): string => literal.slice(1, -1).replace(/\\(.)/g, "$1");

const patternOf = (template: string): RegExp => {
  const parts = template.slice(1, -1).split(/\$\{[^}]*\}/);
  return new RegExp(`^${parts.map((part) => part.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&")).join(".+")}$`);
};

/** What is wrong with one of our tests that a row names. */
const problemOf = (named: string): string | undefined => {
  const [, path, title] = named.match(/^`([^`]+)`: (.+)$/) ?? [];
  if (path === undefined || title === undefined) return "is not `file`: title";
  if (!existsSync(join(repositoryRoot, path))) return "names a file that does not exist";
  return titlesOf(path)(title) ? undefined : "names a test that does not exist";
};

describe("the tables of parity", () => {
  const rows = tables.flatMap(rowsOf);

  it("begin with a sentence that says what they map, and have rows", () => {
    for (const table of tables) {
      expect(readSource(`${folder}/${table}`), table).to.match(/^[^|]+[.:]\n\n\| theirs +\| ours +\|\n\| *-+/);
      expect(rowsOf(table).length, table).to.be.greaterThan(0);
    }
  });

  it("name only tests that exist", () => {
    const wrong = rows
      .filter(({ ours }) => !ours.startsWith("does not apply: "))
      .flatMap(({ table, theirs, ours }) =>
        ours.split("<br>").flatMap((named) => {
          const problem = problemOf(named.trim());
          return problem === undefined ? [] : [`${table}: ${theirs}: ${named} ${problem}`];
        }),
      );
    expect(wrong).to.deep.equal([]);
  });

  it("have a counterpart or a reason in every row", () => {
    const wrong = rows.filter(({ theirs, ours }) => {
      const reason = ours.match(/^does not apply: (.*)$/)?.[1];
      return theirs === "" || ours === "" || (reason !== undefined && reason.length < 20);
    });
    expect(wrong).to.deep.equal([]);
  });

  it("name each test of theirs once", () => {
    const seen = new Set<string>();
    const twice = rows.flatMap(({ table, theirs }) => {
      const key = `${table}: ${theirs}`;
      if (seen.has(key)) return [key];
      seen.add(key);
      return [];
    });
    expect(twice).to.deep.equal([]);
  });

  it("are read as they are meant", () => {
    expect(problemOf("`test/parity.test.ts`: are read as they are meant")).to.equal(undefined);
    expect(problemOf("`test/parity.test.ts`: are read")).to.match(/a test that does not exist/);
    expect(problemOf("`test/nothing.test.ts`: x")).to.match(/a file that does not exist/);
    expect(problemOf("test/parity.test.ts: x")).to.match(/is not/);
    const inserted = ["$", "{x}"].join("");
    const has = titlesIn(`it("a", f);\nit(\`b ${inserted} c\`, f);\nconst other = "d";`);
    expect(["a", "b or c", "b c", "c", "d", "or"].map(has)).to.deep.equal([true, true, false, false, false, false]);
    expect(titlesIn('const rows = ["d"];\nfor (const row of rows) it(row, f);')("d")).to.equal(true);
  });
});
