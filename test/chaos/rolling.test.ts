import { expectKept, type RollingRestart, rollingRestart } from "./rolling.ts";

const ends = {
  drain:
    "loses no idempotent call, and no call that a server had begun, while 4 servers that drain are restarted one by one",
  kill: "loses no idempotent call, and makes none twice, while servers are killed one by one",
} as const;

describe("a client of several server processes under load", function () {
  this.timeout(60_000);

  const restarts: readonly RollingRestart[] = [
    { scheme: "tls", balance: "round-robin", end: "drain", servers: 4, rounds: 1, load: 24, maxDelay: 50 },
    { scheme: "tcp", balance: "round-robin", end: "kill", servers: 2, rounds: 1, load: 24, maxDelay: 50 },
  ];
  for (const restart of restarts) {
    it(`${ends[restart.end]} (${restart.scheme})`, async () => {
      expectKept(restart, await rollingRestart(restart));
    });
  }
});
