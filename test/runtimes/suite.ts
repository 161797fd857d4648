/**
 * Runs the portable part of the tests in the runtime that executes it: `<runtime> suite.js NAME FILE [PATH...]`. Writes to FILE
 * what happens, a line of JSON each; `readEvents` gives it back. PATHs choose test files by how their paths below test/ begin.
 */
import { appendFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, sep } from "node:path";
import { config } from "chai";
import Mocha from "mocha";
import { needsPeers } from "../support/interop.ts";
import { exceptionsOf, notPortable, type Exception } from "./exceptions.ts";
import type { RuntimeName } from "./runtimes.ts";
import type { SuiteEvent } from "./suite-events.ts";

/** Machines that run several suites at once are slow: a test fails because something is wrong, or hangs. */
const timeout = 60_000;

// What differs is to be seen whole.
config.truncateThreshold = 0;

const [name, out, ...chosen] = process.argv.slice(2) as [RuntimeName, string, ...string[]];
const tests = join(import.meta.dirname, "..");
writeFileSync(out, "");
const report = (event: SuiteEvent): void => appendFileSync(out, `${JSON.stringify(event)}\n`);

const pathOf = (file: string): string => file.split(sep).join("/").replace(/\.js$/, "");
const files = readdirSync(tests, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".test.js"))
  .filter((file) => !notPortable.some(({ files }) => files.some((path) => pathOf(file).startsWith(path))))
  .filter((file) => chosen.length === 0 || chosen.some((path) => pathOf(file).startsWith(path)))
  .sort();

const place = (test: Mocha.Test): { readonly file: string; readonly title: string } => ({
  file: pathOf((test.file ?? "").slice(tests.length + 1)),
  title: test.fullTitle(),
});

const exceptions = exceptionsOf(name);
const used = new Set<Exception>();

/** Takes the exceptions out of a suite, so that not even their hooks run. */
function takeOut(suite: Mocha.Suite): void {
  suite.tests = suite.tests.filter((test) => {
    const { file, title } = place(test);
    const exception = exceptions.find((one) => file.startsWith(one.file) && title.includes(one.title ?? ""));
    if (exception === undefined) {
      if (test.timeout() < timeout) test.timeout(timeout);
      return true;
    }
    used.add(exception);
    report({ event: "excepted", file, title, reason: exception.reason });
    return false;
  });
  for (const inner of suite.suites) takeOut(inner);
}

/** Why a test skipped itself. */
function ownReason(test: Mocha.Test): string | undefined {
  for (let one: Mocha.Runnable | Mocha.Suite | undefined = test; one !== undefined; one = one.parent) {
    if (needsPeers.has(one)) return "compares with C++ or Rust";
  }
  return undefined;
}

class Reporter extends Mocha.reporters.Base {
  constructor(runner: Mocha.Runner) {
    super(runner);
    runner.on("test", (test) => report({ event: "began", ...place(test) }));
    runner.on("pass", (test) => report({ event: "passed", ...place(test) }));
    runner.on("pending", (test) => report({ event: "skipped", ...place(test), reason: ownReason(test) }));
    runner.on("fail", (test, error: unknown) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      report({ event: "failed", ...place(test), error: text });
    });
  }
}

const mocha = new Mocha({ timeout, forbidOnly: true, reporter: Reporter });
for (const file of files) mocha.addFile(join(tests, file));
await mocha.loadFilesAsync();
takeOut(mocha.suite);
if (chosen.length === 0) {
  for (const { file, title, reason } of exceptions.filter((one) => !used.has(one))) {
    report({ event: "stale", file, title: title ?? "", reason });
  }
}
mocha.run((failures) => {
  report({ event: "ended", failures });
  // Whatever a test has left open does not keep the runtime alive.
  process.exit(failures === 0 ? 0 : 1);
});
