import { expectKept, rollingRestart } from "../chaos/rolling.ts";

describe("a client of 4 server processes under load, which are restarted one by one, twice over", () => {
  for (const end of ["drain", "kill"] as const) {
    for (const balance of ["round-robin", "pick-first"] as const) {
      for (const scheme of ["tls", "tcp"] as const) {
        it(`loses no idempotent call, and none is made twice (${end}, ${balance}, ${scheme})`, async function () {
          this.timeout(0);
          const restart = { scheme, balance, end, servers: 4, rounds: 2, load: 64, maxDelay: 500 };
          const outcome = await rollingRestart(restart);
          expectKept(restart, outcome);
          const { looked, added, addFailures, madeAdds } = outcome;
          const unanswered = [...addFailures.keys()].filter((call) => madeAdds.has(call)).length;
          console.log(
            `      ${looked + added.length} calls returned, ${addFailures.size} that are not idempotent were disconnected (${unanswered} of them had been made)`,
          );
        });
      }
    }
  }
});
