import { X509Certificate } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { expect } from "chai";
import { connect } from "../lib/connect.ts";
import { CapnpError } from "../lib/errors.ts";
import { type ListenOptions, listen, type RpcServer } from "../lib/listen.ts";
import { type DevelopmentCertificates, ensureDevelopmentCertificates } from "../lib/cli/development-certificates.ts";
import { plainFingerprint, splitNames } from "../lib/transport/certificate-names.ts";
import type { PeerInfo } from "../lib/transport/transport.ts";
import type { TwoPartyClient } from "../lib/two-party-vat.ts";
import { type Loose, parseLoosely } from "./support/loose.ts";

const { Echo } = parseLoosely("interface Echo { echo @0 (text :Text) -> (text :Text); }");

class EchoImpl extends Echo.Server {
  async echo({ text }: Loose): Promise<string> {
    await new Promise((resolve) => setImmediate(resolve));
    return text;
  }
}

const fingerprintOf = (pem: string): string => plainFingerprint(new X509Certificate(pem).fingerprint256);
const rejection = (promise: PromiseLike<unknown>): Promise<CapnpError> =>
  Promise.resolve(promise).then(
    () => Promise.reject(new Error("not rejected")),
    (error) => error,
  );

describe("the certificates of a server", () => {
  let folder: string;
  let first: DevelopmentCertificates;
  let second: DevelopmentCertificates;
  let other: DevelopmentCertificates;
  const cleanup: (() => unknown)[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "capstan-"));
    const clients = ["alice", "bob"];
    first = await ensureDevelopmentCertificates(join(folder, "a"), { clients });
    second = await ensureDevelopmentCertificates(join(folder, "a"), { clients, renew: true });
    other = await ensureDevelopmentCertificates(join(folder, "b"), { clients });
  });
  after(() => rmSync(folder, { recursive: true }));
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  const start = async (options: ListenOptions): Promise<RpcServer> => {
    const server = await listen("tls://localhost:0", { bootstrap: EchoImpl as Loose, ...options });
    cleanup.push(() => server.close());
    return server;
  };

  const join_ = async (server: RpcServer, tls: object): Promise<TwoPartyClient & Loose> => {
    const client = await connect(server.address, { tls });
    cleanup.push(() => client.close());
    return client;
  };

  const shown = (client: TwoPartyClient): string | undefined => client.peer.certificate?.fingerprint256;

  it("are replaced under load without a connection dropped, a call lost or a handshake refused", async () => {
    const server = await start({ tls: first.server });
    const clients = await Promise.all(Array.from({ length: 8 }, () => join_(server, { ca: first.ca })));
    let calls = 0;
    let rotations = 0;
    const load = clients.map(async (client, i) => {
      const echo = client.bootstrap(Echo);
      for (let n = 0; rotations < 20; n++) {
        expect((await echo.echo(`${i} ${n}`)).text).to.equal(`${i} ${n}`);
        calls++;
      }
    });
    const arrivals = (async () => {
      while (rotations < 20) {
        const client = await connect(server.address, { tls: { ca: first.ca } });
        expect((await (client as Loose).bootstrap(Echo).echo("hello")).text).to.equal("hello");
        await client.close();
      }
    })();
    for (; rotations < 20; rotations++) {
      const before = calls;
      server.setSecureContext(rotations % 2 === 0 ? second.server : first.server);
      while (calls < before + 16) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all([...load, arrivals]);
    for (const client of clients) expect(shown(client)).to.equal(fingerprintOf(first.server.cert));
    expect(server.stats()).to.include({ broken: 0, handshakeFailures: 0, refused: 0, connections: 8 });
    server.setSecureContext(second.server);
    expect(shown(await join_(server, { ca: first.ca }))).to.equal(fingerprintOf(second.server.cert));
  });

  it("that do not fit together are refused, and the old ones stay", async () => {
    const server = await start({ tls: first.server });
    for (const wrong of [
      { key: first.server.key, cert: second.server.cert },
      { cert: "nonsense", key: "nonsense" },
      {},
    ]) {
      expect(() => server.setSecureContext(wrong))
        .to.throw(CapnpError)
        .with.property("code", "CAPNP_TLS");
    }
    expect(shown(await join_(server, { ca: first.ca }))).to.equal(fingerprintOf(first.server.cert));
    const plain = await listen("127.0.0.1:0", {});
    cleanup.push(() => plain.close());
    expect(() => plain.setSecureContext(first.server)).to.throw(CapnpError, "does not speak TLS");
  });

  it("are read anew from their files when these change, a half-written pair is passed over", async () => {
    const place = join(folder, "watched");
    mkdirSync(place);
    const files = { key: join(place, "server.key"), cert: join(place, "server.crt") };
    writeFileSync(files.key, first.server.key);
    writeFileSync(files.cert, first.server.cert);
    const lines: string[] = [];
    let wake = (): void => undefined;
    const log = (_: object, message: string): void => {
      lines.push(message);
      wake();
    };
    const heard = async (message: string): Promise<void> => {
      while (!lines.includes(message)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      lines.length = 0;
    };
    const silence = (): void => undefined;
    const logger = { trace: silence, debug: silence, info: log, warn: silence, error: log };
    const server = await start({ tls: { files, reloadInterval: 5 }, logger });
    const old = await join_(server, { ca: first.ca });
    expect(shown(old)).to.equal(fingerprintOf(first.server.cert));
    writeFileSync(files.key, second.server.key);
    await heard("new certificates cannot be used");
    expect(shown(await join_(server, { ca: first.ca }))).to.equal(fingerprintOf(first.server.cert));
    writeFileSync(files.cert, second.server.cert);
    await heard("new certificates are in use");
    expect(shown(await join_(server, { ca: first.ca }))).to.equal(fingerprintOf(second.server.cert));
    rmSync(files.cert);
    await heard("new certificates cannot be used");
    expect((await old.bootstrap(Echo).echo("still here")).text).to.equal("still here");
    expect(existsSync(files.cert)).to.equal(false);
    copyFileSync(join(folder, "a", "server.crt"), files.cert);
    await heard("new certificates are in use");
    const missing = await rejection(listen("tls://localhost:0", { tls: { files: { key: "none", cert: "none" } } }));
    expect(missing).to.be.instanceOf(CapnpError).and.include({ code: "CAPNP_TLS", kind: "failed" });
    expect(missing.message).to.include("none");
  });

  it("hold for who resumes a session, too: the peer keeps its identity, and loses it with its authority", async () => {
    const peers: PeerInfo[] = [];
    const server = await start({
      tls: { ...first.server, ca: [first.ca, other.ca], requestCert: true },
      authorize: (peer) => {
        peers.push(peer);
        return true;
      },
    });
    const identity = { ca: first.ca, ...other.clients.get("alice")!, port: server.port!, host: "localhost" };
    const visit = async (session?: Buffer): Promise<{ session: Buffer; reused: boolean; closed: Promise<unknown> }> => {
      const socket = connectTls({ ...identity, ...(session === undefined ? {} : { session }) });
      cleanup.push(() => socket.destroy());
      socket.on("error", () => undefined);
      const closed = once(socket, "close");
      const given = once(socket, "session");
      socket.resume();
      await once(socket, "secureConnect");
      const reused = socket.isSessionReused();
      // Who resumes a session is given no other.
      return { session: session ?? ((await given)[0] as Buffer), reused, closed };
    };
    const { session } = await visit();
    expect((await visit(session)).reused).to.equal(true);
    while (peers.length < 2) await new Promise((resolve) => setImmediate(resolve));
    for (const peer of peers) {
      expect(peer).to.include({ authenticated: true });
      expect(peer.certificate?.fingerprint256).to.equal(fingerprintOf(identity.cert));
    }
    server.setSecureContext({ ...first.server, ca: first.ca });
    const refused = await visit(session);
    expect(refused.reused).to.equal(false);
    await refused.closed;
    expect(peers).to.have.lengthOf(2);
  });

  it("refuse clients of an authority that they trusted before, while those inside stay", async () => {
    const server = await start({ tls: { ...first.server, ca: [first.ca, other.ca], requestCert: true } });
    const outsider = { ca: first.ca, ...other.clients.get("alice")! };
    const client = await join_(server, outsider);
    expect((await client.bootstrap(Echo).echo("in")).text).to.equal("in");
    server.setSecureContext({ ...first.server, ca: first.ca });
    const late = await join_(server, outsider);
    expect(await rejection(late.bootstrap(Echo).echo("out"))).to.include({ kind: "disconnected" });
    expect((await client.bootstrap(Echo).echo("still in")).text).to.equal("still in");
    const insider = await join_(server, { ca: first.ca, ...first.clients.get("alice")! });
    expect((await insider.bootstrap(Echo).echo("in")).text).to.equal("in");
  });

  describe("and those of its clients", () => {
    it("tell who calls: TLS version, subject, names and fingerprint, in bootstrap, authorize and _context.peer", async () => {
      const peers: PeerInfo[] = [];
      class Witness extends Echo.Server {
        echo(_: Loose, context: Loose) {
          peers.push(context.peer);
          return "";
        }
      }
      const server = await start({
        tls: { ...first.server, ca: first.ca, requestCert: true },
        bootstrap: ((peer: PeerInfo) => {
          peers.push(peer);
          return new Witness();
        }) as Loose,
        authorize: (peer) => {
          peers.push(peer);
          return true;
        },
      });
      const alice = first.clients.get("alice")!;
      const client = await join_(server, { ca: first.ca, ...alice });
      await client.bootstrap(Echo).echo("");
      expect(peers).to.have.lengthOf(3);
      for (const peer of peers) {
        expect(peer).to.include({ encrypted: true, authenticated: true, tlsProtocol: "TLSv1.3" });
        expect(peer.address).to.match(/^(127\.0\.0\.1|\[::1\]):\d+$/);
        expect(peer.certificate).to.include({ subject: "CN=alice", fingerprint256: fingerprintOf(alice.cert) });
        expect(peer.certificate!.alternativeNames).to.deep.equal(["DNS:alice"]);
      }
    });

    it("may be revoked by fingerprint: such a client is refused, while others come and those inside stay", async () => {
      const revoked = new Set<string>();
      const server = await start({
        tls: { ...first.server, ca: first.ca, requestCert: true },
        authorize: ({ certificate }) => certificate !== undefined && !revoked.has(certificate.fingerprint256),
      });
      const [alice, bob] = ["alice", "bob"].map((name) => ({ ca: first.ca, ...first.clients.get(name)! }));
      const inside = await join_(server, alice!);
      expect((await inside.bootstrap(Echo).echo("in")).text).to.equal("in");
      revoked.add(fingerprintOf(alice!.cert));
      const refused = await join_(server, alice!);
      const error = await rejection(refused.bootstrap(Echo).echo("out"));
      expect(error.message).to.include("does not let this peer in");
      expect((await (await join_(server, bob!)).bootstrap(Echo).echo("in")).text).to.equal("in");
      expect((await inside.bootstrap(Echo).echo("still in")).text).to.equal("still in");
      // And hang up on who is inside already, where that is wanted.
      for (const connection of server.connections) {
        const { certificate } = connection.peer;
        if (revoked.has(certificate!.fingerprint256)) {
          connection.abort(new CapnpError("CAPNP_REFUSED", "Your certificate was revoked."));
        }
      }
      expect((await inside.closed).message).to.include("revoked");
      expect(server.stats().refused).to.equal(1);
    });
  });
});

describe("the names in a certificate", () => {
  it("are told apart even where one holds what separates them", () => {
    expect(splitNames("")).to.deep.equal([]);
    expect(splitNames("DNS:a.example, DNS:*.b.example, IP Address:127.0.0.1, email:a@b.example")).to.deep.equal([
      "DNS:a.example",
      "DNS:*.b.example",
      "IP Address:127.0.0.1",
      "email:a@b.example",
    ]);
    expect(splitNames('URI:"https://a.example/?x=1, DNS:victim.example", IP Address:0:0:0:0:0:0:0:1')).to.deep.equal([
      "URI:https://a.example/?x=1, DNS:victim.example",
      "IP Address:0:0:0:0:0:0:0:1",
    ]);
    expect(splitNames('DNS:"a\\"b, c", DNS:d')).to.deep.equal(['DNS:a"b, c', "DNS:d"]);
  });
});
