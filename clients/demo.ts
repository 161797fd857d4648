import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { ensureCertificates } from "../certs/make.ts";
import { runCalculator } from "./calculator/main.ts";

/** `npm run demo`: a TLS server in a process of its own, and a client that calculates with it. */
const demo = async (): Promise<void> => {
  await ensureCertificates();
  const main = fileURLToPath(new URL("../servers/main.js", import.meta.url));
  const server = spawn(process.execPath, [...process.execArgv, main, "calculator", "tls://localhost:0"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { LOG_LEVEL: "warn", ...process.env },
  });
  try {
    const [line] = (await Promise.race([
      once(createInterface({ input: server.stdout }), "line"),
      once(server, "exit").then(([status]) => {
        throw new Error(`the server ended before it listened (status ${status})`);
      }),
    ])) as [string];
    console.log(`server: ${line}`);
    await runCalculator(line.replace("listening on ", ""));
  } finally {
    server.kill();
  }
};

await demo();
