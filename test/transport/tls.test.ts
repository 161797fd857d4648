import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { expect } from "chai";
import { type Certificates, ensureCertificates } from "../../certs/make.ts";
import { CapnpError } from "../../lib/errors.ts";
import { connectSocket } from "../../lib/transport/connect-socket.ts";
import { type ListenSocketOptions, listenSocket } from "../../lib/transport/listen-socket.ts";
import type { ServerTlsOptions } from "../../lib/transport/tls.ts";
import type { Transport } from "../../lib/transport/transport.ts";
import { Recorder, rejection, turn, words } from "./recorder.ts";

describe("TLS transport", () => {
  let folder: string;
  let certificates: Certificates;
  let others: Certificates;
  const cleanup: (() => unknown)[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "capstan-"));
    certificates = await ensureCertificates(folder);
    others = await ensureCertificates(join(folder, "others"));
  });
  after(() => rmSync(folder, { recursive: true }));
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  async function serve(tls: Partial<ServerTlsOptions> = {}, address = "tls://localhost:0") {
    const transports: Transport[] = [];
    const recorders: Recorder[] = [];
    const failures: CapnpError[] = [];
    let wake = (): void => undefined;
    const options: ListenSocketOptions = {
      tls: { key: certificates.key, cert: certificates.cert, ...tls },
      onConnectionError: (error) => {
        failures.push(error);
        wake();
      },
    };
    const server = await listenSocket(address, options, (transport) => {
      transports.push(transport);
      recorders.push(new Recorder(transport));
      wake();
    });
    cleanup.push(() => server.close());
    cleanup.push(() => {
      for (const transport of transports) transport.destroy();
    });
    const until = async (ready: () => boolean): Promise<void> => {
      while (!ready()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    return { server, transports, recorders, failures, until };
  }

  it("carries messages both ways and knows the server's certificate", async () => {
    const { server, transports, recorders, until } = await serve();
    expect(server.address).to.equal(`tls://localhost:${server.port}`);
    const client = await connectSocket(server.address, { tls: { ca: certificates.ca } });
    const atClient = new Recorder(client);
    const sizes = [1, 3000, 100_000, 2];
    for (const [i, size] of sizes.entries()) client.send([words(size, i)]);
    await until(() => recorders.length === 1);
    const messages = await recorders[0]!.received(sizes.length);
    for (const segments of messages) transports[0]!.send(segments);
    expect(await atClient.received(sizes.length)).to.deep.equal(sizes.map((size, i) => [words(size, i)]));

    const { peer } = client;
    expect(peer).to.include({ encrypted: true, authenticated: true });
    const expected = new X509Certificate(certificates.cert);
    expect(Buffer.from(peer.certificate!.raw).equals(expected.raw)).to.equal(true);
    expect(peer.certificate).to.include({ subject: "CN=localhost", issuer: expected.issuer });
    expect(peer.certificate!.subjectAltName).to.contain("DNS:localhost").and.to.contain("IP Address:127.0.0.1");
    expect(peer.certificate!.fingerprint256).to.equal(createHash("sha256").update(expected.raw).digest("hex"));
    expect(peer.certificate!.validTo.getTime()).to.equal(Date.parse(expected.validTo));
    expect(transports[0]!.peer).to.include({ encrypted: true, authenticated: false });
    expect(transports[0]!.peer.certificate).to.equal(undefined);

    await client.close();
    expect(await recorders[0]!.ended()).to.equal(undefined);
    expect(atClient.ends).to.deep.equal([undefined]);
    while (server.connections > 0) await turn();
  });

  it("encrypts host:port, too, where tls options are given", async () => {
    const { server } = await serve({}, "127.0.0.1:0");
    const client = await connectSocket(`127.0.0.1:${server.port}`, { tls: { ca: certificates.ca } });
    expect(client.peer).to.include({ encrypted: true, authenticated: true });
    await client.close();
  });

  it("trusts nobody without the authority's certificate, and says what to pass", async () => {
    const { server } = await serve();
    for (const tls of [{}, { ca: others.ca }]) {
      const error = await rejection(connectSocket(server.address, { tls }));
      expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
      expect(error.message).to.contain("tls: { ca:");
    }
    const unchecked = await connectSocket(server.address, { tls: { rejectUnauthorized: false } });
    expect(unchecked.peer).to.include({ encrypted: true, authenticated: false });
    expect(unchecked.peer.certificate?.subject).to.equal("CN=localhost");
    await unchecked.close();
  });

  it("checks the name of the host, or the servername that was asked for", async () => {
    const { server } = await serve();
    const ca = certificates.ca;
    const error = await rejection(connectSocket(server.address, { tls: { ca, servername: "example.com" } }));
    expect(error.code).to.equal("CAPNP_TLS");
    expect(error.message).to.contain("servername").and.to.contain("DNS:localhost");
    const byAddress = await connectSocket(`tls://127.0.0.1:${server.port}`, { tls: { ca, servername: "localhost" } });
    await byAddress.close();
  });

  it("sends the host name as SNI, and survives an SNICallback or checkServerIdentity that throws", async () => {
    const names: string[] = [];
    const { server, failures, until } = await serve({
      SNICallback: (name) => {
        names.push(name);
        throw new Error("no such tenant");
      },
    });
    await rejection(connectSocket(server.address, { tls: { ca: certificates.ca } }));
    await until(() => failures.length === 1);
    expect(names).to.deep.equal(["localhost"]);
    const good = await serve();
    const checkServerIdentity = (): Error | undefined => {
      throw new Error("thrown by the check");
    };
    const error = await rejection(
      connectSocket(good.server.address, { tls: { ca: certificates.ca, checkServerIdentity } }),
    );
    expect(error.message).to.contain("thrown by the check");
  });

  it("identifies clients by their certificates with requestCert", async () => {
    const { server, transports, recorders, until } = await serve({ requestCert: true, ca: others.ca });
    const { key, cert } = others;
    const client = await connectSocket(server.address, { tls: { ca: certificates.ca, key, cert } });
    await until(() => recorders.length === 1);
    expect(transports[0]!.peer).to.include({ encrypted: true, authenticated: true });
    expect(transports[0]!.peer.certificate?.issuer).to.equal(new X509Certificate(cert).issuer);
    await client.close();
  });

  it("turns clients without an accepted certificate away, and says why", async () => {
    const { server, transports, failures, until } = await serve({ requestCert: true, ca: others.ca });
    const { ca, key, cert } = certificates;
    // With TLS 1.3 the client's side stands before the server has looked at its certificate.
    const without = await connectSocket(server.address, { tls: { ca } });
    const error = await new Recorder(without).ended();
    expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
    expect(error?.message).to.match(/tls: \{ cert, key \}/);
    await until(() => failures.length === 1);
    expect(failures[0]?.message).to.contain("requestCert");
    // Node closes the stream of a client whose certificate it does not accept, without a word.
    await new Recorder(await connectSocket(server.address, { tls: { ca, key, cert } })).ended();
    await until(() => failures.length === 2);
    expect(failures[1]?.code).to.equal("CAPNP_TLS");
    // Bun says what is wrong with it.
    expect(failures[1]?.message).to.match(/certificate is not accepted|no trusted authority signed/);
    expect(transports).to.have.lengthOf(0);
  });

  it("lets clients without a certificate in, unauthenticated, with rejectUnauthorized: false", async () => {
    const { server, transports, until } = await serve({ requestCert: true, rejectUnauthorized: false, ca: others.ca });
    const { ca, key, cert } = certificates;
    for (const tls of [{ ca }, { ca, key, cert }]) {
      const seen = transports.length;
      const client = await connectSocket(server.address, { tls });
      await until(() => transports.length > seen);
      expect(transports[seen]!.peer.authenticated).to.equal(false);
      expect(transports[seen]!.peer.certificate !== undefined).to.equal("key" in tls);
      await client.close();
    }
  });

  it("goes on when plain bytes come to a TLS port", async () => {
    const { server, failures, until } = await serve();
    for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0"]) {
      const seen = failures.length;
      const socket = connectTcp({ port: server.port!, host: "localhost" });
      const closed = new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve));
      socket.resume().write(bytes);
      await until(() => failures.length > seen);
      expect(failures.at(-1)?.code).to.equal("CAPNP_TLS");
      await closed;
    }
    const client = await connectSocket(server.address, { tls: { ca: certificates.ca } });
    await client.close();
  });

  it("says that a plain port does not speak TLS", async () => {
    const ends: Promise<CapnpError | undefined>[] = [];
    const server = await listenSocket("localhost:0", {}, (transport) => ends.push(new Recorder(transport).ended()));
    cleanup.push(() => server.close());
    const error = await rejection(connectSocket(`tls://localhost:${server.port}`));
    expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
    expect((await ends[0])?.message).to.contain("TLS handshake");
  });

  it("drops a client that does not finish its handshake in handshakeTimeout", async () => {
    const { server, failures, until } = await serve({ handshakeTimeout: 30 });
    const socket = connectTcp({ port: server.port!, host: "localhost" });
    const closed = new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve));
    socket.resume().write(Uint8Array.of(0x16, 3, 1));
    await until(() => failures.length === 1);
    await closed;
    expect(failures[0]!.message).to.contain("handshake took too long");
    while (server.connections > 0) await turn();
  });

  it("speaks nothing older than TLS 1.2", async () => {
    // OpenSSL's own security level would refuse the old versions by itself.
    const { server } = await serve({ ciphers: "DEFAULT@SECLEVEL=0" });
    const options = {
      port: server.port!,
      host: "localhost",
      ca: certificates.ca,
      ciphers: "DEFAULT@SECLEVEL=0",
    } as const;
    const socket = connectTls({ ...options, minVersion: "TLSv1", maxVersion: "TLSv1.1" });
    await new Promise((resolve) => socket.once("error", resolve));
    socket.destroy();
    const newer = connectTls({ ...options, maxVersion: "TLSv1.2" });
    await new Promise((resolve, reject) => newer.once("secureConnect", resolve).once("error", reject));
    newer.destroy();
  });

  it("rejects keys and certificates that cannot be used, before it listens or connects", async () => {
    for (const tls of [{}, { key: "nonsense", cert: "nonsense" }, { key: others.key, cert: certificates.cert }]) {
      const error = await rejection(listenSocket("tls://localhost:0", { tls }, () => undefined));
      expect(error).to.be.instanceOf(CapnpError).that.includes({ code: "CAPNP_TLS", kind: "failed" });
      expect(error.message).to.match(/key/);
    }
    const error = await rejection(connectSocket("tls://localhost:1", { tls: { key: "nonsense", cert: "nonsense" } }));
    expect(error).to.include({ code: "CAPNP_TLS", kind: "failed" });
  });
});
