import { readFileSync } from "node:fs";

interface Place {
  /** The path of the test's file below test/, without its ending. */
  readonly file: string;
  readonly title: string;
}

/** What a run of the tests tells. */
export type SuiteEvent =
  | (Place & { readonly event: "began" | "passed" })
  /** Left out by name. */
  | (Place & { readonly event: "excepted"; readonly reason: string })
  /** An exception that no test has. */
  | (Place & { readonly event: "stale"; readonly reason: string })
  /** The test skipped itself. */
  | (Place & { readonly event: "skipped"; readonly reason: string | undefined })
  | (Place & { readonly event: "failed"; readonly error: string })
  | { readonly event: "ended"; readonly failures: number };

/** What a run wrote. A line that it was killed in is left out. */
export function readEvents(path: string): readonly SuiteEvent[] {
  return readFileSync(path, "utf8")
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line) as SuiteEvent);
}
