import { once } from "node:events";
import { createServer, type AddressInfo, connect as connectSocket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import * as capnp from "capstan";
import { expect } from "chai";
import { type Certificates, ensureCertificates } from "../../certs/make.ts";
import { cppProgram } from "../support/interop.ts";
import { Processes } from "../support/processes.ts";
import { repositoryRoot } from "../support/repository.ts";
import { rustPeer } from "../support/rust-peer.ts";
import { emptyTables, tablesOf } from "../support/vats.ts";
import { checks, runCheck } from "./torture/checks.ts";
import { Counters, TortureImpl } from "./torture/peer.ts";
import { Torture } from "./torture/torture.capnp.ts";

const certificate = (name: string) => join(repositoryRoot, "certs", name);

/** The other end: a program with the roles `serve [--tls CERT KEY] HOST:PORT` and `check [--tls CA] HOST:PORT`. */
interface Language {
  readonly name: string;
  readonly build: (context: Mocha.Context) => Promise<string>;
  /** Whether the program speaks TLS; otherwise it is spoken in front of it. */
  readonly hasTls: boolean;
  readonly options: { readonly tailCalls?: boolean };
  /** What it does not do. */
  readonly lacks: readonly string[];
  /** Questions that it never answers. */
  readonly unanswered: number;
}

const languages: readonly Language[] = [
  {
    name: "C++",
    build: (context) => cppProgram.call(context, "torture-peer"),
    hasTls: true,
    options: {},
    lacks: [],
    unanswered: 0,
  },
  {
    name: "Rust",
    build: (context) => rustPeer.call(context),
    hasTls: false,
    // It takes a call with `sendResultsTo.yourself`, and does not carry it out until it is asked for the results.
    options: { tailCalls: false },
    lacks: ["an object restored by its name"],
    // It sends no Return for a call that it gave up.
    unanswered: 1,
  },
];

/** Something on a port of this machine, until it is stopped. */
interface Port {
  readonly port: number;
  stop(): Promise<void>;
}

/** What speaks TLS to clients and plain bytes to the server behind it, or the other way round. */
const bridge = async (direction: "to plain" | "to TLS", port: number, certificates: Certificates): Promise<Port> => {
  const { ca, key, cert } = certificates;
  const listener = direction === "to plain" ? createTlsServer({ key, cert }) : createServer();
  listener.on(direction === "to plain" ? "secureConnection" : "connection", (near) => {
    const far =
      direction === "to plain"
        ? connectSocket(port, "127.0.0.1")
        : connectTls({ port, host: "localhost", servername: "localhost", ca });
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      socket.on("error", () => {
        near.destroy();
        far.destroy();
      });
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as AddressInfo).port,
    stop: async () => {
      listener.close();
      await once(listener, "close");
    },
  };
};

for (const { name, build, hasTls, options, lacks, unanswered } of languages) {
  for (const security of ["TCP", "TLS"] as const) {
    describe(`torture over ${security}`, function () {
      this.timeout(60_000);
      const processes = new Processes();
      const stops: (() => Promise<void>)[] = [];
      let program: string;
      let certificates: Certificates;
      const isTls = security === "TLS";

      before(async function () {
        program = await build(this);
        certificates = await ensureCertificates();
      });

      afterEach(async () => {
        await processes.stop();
        for (const stop of stops.splice(0)) await stop();
      });

      it(`of a ${name} server holds in every check, and leaves nothing on either side`, async () => {
        const files = isTls && hasTls ? ["--tls", certificate("server.crt"), certificate("server.key")] : [];
        const server = processes.start(program, ["serve", ...files, "127.0.0.1:0"]);
        let port = Number((await server.line(/^listening on \S+:(\d+)$/))[1]);
        if (isTls && !hasTls) {
          const front = await bridge("to plain", port, certificates);
          stops.push(front.stop);
          port = front.port;
        }
        const vat = await capnp.connect(isTls ? `tls://localhost:${port}` : `127.0.0.1:${port}`, {
          ...options,
          ...(isTls ? { tls: { ca: certificates.ca } } : {}),
        });
        const peer = vat.bootstrap(Torture);
        const own = new Counters();
        for (const [title, check] of Object.entries(checks)) {
          await runCheck(check, { peer, vat, own }).catch((error: unknown) => {
            throw new Error(title, { cause: error });
          });
        }
        peer.release();
        expect(tablesOf(vat.stats())).to.deep.equal({ ...emptyTables, questions: unanswered });
        expect(vat.check()).to.deep.equal([]);
        await vat.close();
      });

      it(`by a ${name} client holds in every check, and leaves nothing on either side`, async () => {
        const counters: Counters[] = [];
        const server = await capnp.listen(isTls ? "tls://127.0.0.1:0" : "127.0.0.1:0", {
          ...options,
          bootstrap: () => {
            const own = new Counters();
            counters.push(own);
            return new TortureImpl(own);
          },
          restorer: (id) => (id.as("Text") === "torture" ? new TortureImpl() : null),
          ...(isTls ? { tls: { key: certificates.key, cert: certificates.cert } } : {}),
        });
        stops.push(() => server.close());
        let { port } = server;
        if (isTls && !hasTls) {
          const back = await bridge("to TLS", port!, certificates);
          stops.push(back.stop);
          port = back.port;
        }
        const files = isTls && hasTls ? ["--tls", certificate("ca.crt")] : [];
        const { status, stdout, stderr } = await processes.run(program, ["check", ...files, `localhost:${port}`]);
        expect(stderr).to.equal("");
        const expected = Object.keys(checks).filter((title) => !lacks.includes(title));
        expect(stdout.trimEnd().split("\n")).to.deep.equal(expected.map((title) => `ok ${title}`));
        expect(status).to.equal(0);
        expect(counters.map(({ alive }) => alive)).to.deep.equal([0]);
      });
    });
  }
}
