import { join } from "node:path";
import { expect } from "chai";
import { ensureCertificates } from "../../certs/make.ts";
import { type CppPeers, cppPeers } from "../support/interop.ts";
import { type Finished, Processes } from "../support/processes.ts";
import { repositoryRoot } from "../support/repository.ts";

type Language = "C++" | "TypeScript";
type Security = "TCP" | "TLS";

const languages: readonly Language[] = ["C++", "TypeScript"];
const securities: readonly Security[] = ["TCP", "TLS"];

const authority = join(repositoryRoot, "certs/ca.crt");
const certificate = join(repositoryRoot, "certs/server.crt");
const key = join(repositoryRoot, "certs/server.key");
const ourServer = join(repositoryRoot, "dist/servers/main.js");
const ourClient = join(repositoryRoot, "dist/clients/main.js");

const cppResults = [
  "literal 123 = 123",
  "123 + 45 - 67 = 101",
  "4 * 6 + 3 = 27",
  "4 * 6 + 5 = 29",
  "f(12, 34) = 1234",
  "g(21) = 4244",
  "pow(2, 4 + 5) = 512",
];

const cppFailures = [
  "a call that lacks a parameter: failed",
  "a parameter outside a function: failed",
  "an operator that nobody knows: failed",
  "a client's function that fails: failed",
  "literal 123 = 123",
];

const lines = (text: string) => text.trimEnd().split("\n");

describe("the calculator, between processes", function () {
  this.timeout(60_000);
  const processes = new Processes();
  let cpp: CppPeers;

  before(async function () {
    cpp = await cppPeers.call(this);
    await ensureCertificates();
  });

  afterEach(() => processes.stop());

  /** Starts a server on a port that the system chooses; resolves with the port. */
  async function serve(language: Language, security: Security): Promise<string> {
    const address = "127.0.0.1:0";
    const server =
      language === "C++"
        ? processes.start(cpp.server, security === "TLS" ? ["--tls", certificate, key, address] : [address])
        : processes.start(process.execPath, [
            ourServer,
            "calculator",
            security === "TLS" ? `tls://${address}` : address,
          ]);
    const [, port] = await server.line(/^listening on \S+:(\d+)$/);
    return port!;
  }

  function cppClient(security: Security, port: string, ...options: string[]): Promise<Finished> {
    const tls = security === "TLS" ? ["--tls", authority] : [];
    return processes.run(cpp.client, [...options, ...tls, `127.0.0.1:${port}`]);
  }

  function typescriptClient(security: Security, port: string): Promise<Finished> {
    const address = security === "TLS" ? `tls://localhost:${port}` : `127.0.0.1:${port}`;
    return processes.run(process.execPath, [ourClient, "calculator", address]);
  }

  async function calculate(client: Language, security: Security, port: string): Promise<void> {
    const finished = await (client === "C++" ? cppClient(security, port) : typescriptClient(security, port));
    expect(finished.status, finished.stderr + finished.stdout).to.equal(0);
    if (client === "C++") {
      expect(lines(finished.stdout)).to.deep.equal(cppResults);
    } else {
      expect(finished.stdout).to.match(/\b123\b.*\b101\b.*\b27\b.*\b29\b.*\b1234\b.*\b4244\b.*\b512\b/s);
    }
  }

  async function failAsAsked(security: Security, port: string): Promise<void> {
    const finished = await cppClient(security, port, "--expect-error");
    expect(finished.status, finished.stderr + finished.stdout).to.equal(0);
    expect(lines(finished.stdout)).to.deep.equal(cppFailures);
  }

  for (const security of securities) {
    describe(`over ${security}`, () => {
      for (const server of languages) {
        for (const client of languages) {
          it(`a ${server} server answers a ${client} client`, async () => {
            await calculate(client, security, await serve(server, security));
          });
        }

        it(`a ${server} server answers mistakes with exceptions, and the connection goes on`, async () => {
          await failAsAsked(security, await serve(server, security));
        });

        it(`a ${server} server answers clients of both languages at once`, async () => {
          const port = await serve(server, security);
          await Promise.all([
            calculate("C++", security, port),
            calculate("TypeScript", security, port),
            calculate("C++", security, port),
            failAsAsked(security, port),
          ]);
        });
      }
    });
  }

  it("a C++ client that trusts another authority refuses our server, which goes on serving", async () => {
    const port = await serve("TypeScript", "TLS");
    const refused = await processes.run(cpp.client, ["--tls", certificate, `127.0.0.1:${port}`]);
    expect(refused.status).to.equal(1);
    expect(refused.stderr).to.include("TLS peer's certificate is not trusted");
    expect(refused.stdout).to.equal("");
    await calculate("C++", "TLS", port);
  });

  it("a C++ client without TLS is turned away by our TLS server, which goes on serving", async () => {
    const port = await serve("TypeScript", "TLS");
    const refused = await cppClient("TCP", port);
    expect(refused.status).to.equal(1);
    expect(refused.stdout).to.equal("");
    await calculate("C++", "TLS", port);
  });

  it("our client without TLS fails against a C++ TLS server instead of waiting for ever", async () => {
    const port = await serve("C++", "TLS");
    const refused = await typescriptClient("TCP", port);
    expect(refused.status).to.be.greaterThan(0);
    await calculate("TypeScript", "TLS", port);
  });
});
