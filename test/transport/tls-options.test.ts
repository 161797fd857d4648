import { X509Certificate } from "node:crypto";
import { expect } from "chai";
import { generate } from "selfsigned";
import { type Certificates, ensureCertificates } from "../../certs/make.ts";
import type { CapnpError } from "../../lib/errors.ts";
import { type ConnectSocketOptions, connectSocket } from "../../lib/transport/connect-socket.ts";
import { listenSocket } from "../../lib/transport/listen-socket.ts";
import type { ClientTlsOptions, ServerTlsOptions } from "../../lib/transport/tls.ts";
import type { PeerInfo, Transport } from "../../lib/transport/transport.ts";
import { Recorder, rejection, turn, words } from "./recorder.ts";

const day = 24 * 60 * 60 * 1000;

const pinOf = (cert: string): string => new X509Certificate(cert).fingerprint256;

/** A certificate that nobody signed, for a name that nobody has. */
const selfSigned = async (from: number, to: number) => {
  const options = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;
  const dates = { notBeforeDate: new Date(Date.now() + from * day), notAfterDate: new Date(Date.now() + to * day) };
  const { cert, private: key } = await generate([{ name: "commonName", value: "alone" }], { ...options, ...dates });
  return { cert, key };
};

describe("TLS options", () => {
  let certificates: Certificates;
  let alone: { readonly cert: string; readonly key: string };
  let expired: { readonly cert: string; readonly key: string };
  const cleanup: (() => unknown)[] = [];

  before(async () => {
    certificates = await ensureCertificates();
    alone = await selfSigned(-1, 10);
    expired = await selfSigned(-10, -1);
  });
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo();
  });

  async function serve(tls: Partial<ServerTlsOptions> = {}) {
    const transports: Transport[] = [];
    const failures: CapnpError[] = [];
    const options = {
      tls: { key: certificates.key, cert: certificates.cert, ...tls },
      onConnectionError: (error: CapnpError) => void failures.push(error),
    };
    const server = await listenSocket("tls://localhost:0", options, (transport) => {
      transports.push(transport);
      new Recorder(transport);
      // Tickets of TLS 1.3 come with the first bytes.
      transport.send([words(1)]);
    });
    cleanup.push(() => server.close());
    cleanup.push(() => transports.forEach((transport) => void transport.destroy()));
    return { address: server.address, transports, failures };
  }

  /** Connects, waits for the server's greeting, and hangs up; says what each side knew of the other. */
  async function visit(
    { address, transports }: Awaited<ReturnType<typeof serve>>,
    tls: ClientTlsOptions,
    options: ConnectSocketOptions = {},
  ): Promise<{ readonly server: PeerInfo; readonly client: PeerInfo }> {
    const before = transports.length;
    const transport = await connectSocket(address, { ...options, tls });
    cleanup.push(() => transport.destroy());
    await new Recorder(transport).received(1);
    await transport.close();
    return { server: transport.peer, client: transports[before]!.peer };
  }

  describe("fingerprint256 of a client", () => {
    it("lets a server in that shows the certificate, whoever signed it, for any name, and expired too", async () => {
      for (const own of [alone, expired]) {
        const server = await serve(own);
        for (const pin of [pinOf(own.cert), pinOf(own.cert).replaceAll(":", "").toLowerCase()]) {
          const { server: peer } = await visit(server, { fingerprint256: pin });
          expect(peer).to.include({ encrypted: true, authenticated: true });
        }
        await visit(server, { fingerprint256: [pinOf(certificates.cert), pinOf(own.cert)] });
      }
    });

    it("keeps any other out and names both fingerprints, also where its authority is trusted", async () => {
      const server = await serve();
      const pin = pinOf(alone.cert);
      for (const tls of [{ fingerprint256: pin }, { fingerprint256: pin, ca: certificates.ca }]) {
        const error = await rejection(connectSocket(server.address, { tls }));
        expect(error).to.include({ code: "CAPNP_TLS", kind: "disconnected" });
        const plain = (text: string) => text.replaceAll(":", "").toLowerCase();
        expect(error.message)
          .to.include(plain(pin))
          .and.to.include(plain(pinOf(certificates.cert)));
      }
    });

    it("asks for all of it where ca is given, too", async () => {
      const error = await rejection(
        connectSocket((await serve(alone)).address, {
          tls: { ca: certificates.ca, fingerprint256: pinOf(alone.cert) },
        }),
      );
      expect(error).to.include({ code: "CAPNP_TLS" });
      const server = await serve();
      await visit(server, { ca: certificates.ca, fingerprint256: pinOf(certificates.cert) });
    });

    it("is refused where it is none, before anything is connected", async () => {
      for (const fingerprint256 of ["", "ab:cd", "g".repeat(64), []]) {
        const error = await rejection(connectSocket("tls://localhost:1", { tls: { fingerprint256 } }));
        expect(error).to.include({ code: "CAPNP_TLS", kind: "failed" });
        const tls = { key: certificates.key, cert: certificates.cert, fingerprint256 };
        const listening = await rejection(listenSocket("tls://localhost:0", { tls }, () => undefined));
        expect(listening).to.include({ code: "CAPNP_TLS", kind: "failed" });
      }
    });
  });

  describe("fingerprint256 of a server", () => {
    it("lets in clients that show the certificate, and nobody else", async () => {
      const server = await serve({ fingerprint256: [pinOf(alone.cert)] });
      const { client } = await visit(server, { ca: certificates.ca, ...alone });
      expect(client).to.include({ encrypted: true, authenticated: true });
      expect(client.certificate!.subject).to.equal("CN=alone");
      for (const [tls, why] of [
        [{}, "sent no certificate"],
        [{ cert: certificates.clientCert, key: certificates.clientKey }, "fingerprint of its certificate is"],
      ] as const) {
        const before = server.failures.length;
        const atClient = await connectSocket(server.address, { tls: { ca: certificates.ca, ...tls } }).then(
          (transport) => new Recorder(transport).ended(),
          (error: CapnpError) => error,
        );
        expect(atClient === undefined || atClient.kind === "disconnected").to.equal(true);
        while (server.failures.length === before) await turn();
        expect(server.failures.at(-1)).to.include({ code: "CAPNP_TLS" });
        expect(server.failures.at(-1)!.message).to.include(why);
      }
      expect(server.transports).to.have.lengthOf(1);
    });
  });

  it("say that a certificate has expired, or is not valid yet", async () => {
    const past = await rejection(connectSocket((await serve(expired)).address, { tls: { ca: expired.cert } }));
    expect(past).to.include({ code: "CAPNP_TLS" });
    expect(past.message).to.include("expired");
    const later = await selfSigned(1, 2);
    const future = await rejection(connectSocket((await serve(later)).address, { tls: { ca: later.cert } }));
    expect(future.message).to.include("not valid yet");
  });

  describe("ALPN", () => {
    it("agrees on a protocol that both name", async () => {
      const server = await serve({ ALPNProtocols: ["capnp/2", "capnp/1"] });
      const both = await visit(server, { ca: certificates.ca, ALPNProtocols: ["capnp/1"] });
      expect([both.server.alpnProtocol, both.client.alpnProtocol]).to.deep.equal(["capnp/1", "capnp/1"]);
      const none = await visit(server, { ca: certificates.ca });
      expect([none.server.alpnProtocol, none.client.alpnProtocol]).to.deep.equal([undefined, undefined]);
    });

    it("ends the handshake where there is none, and says so on both sides", async () => {
      const server = await serve({ ALPNProtocols: ["capnp/2"] });
      const tls = { ca: certificates.ca, ALPNProtocols: ["http/1.1"] };
      const error = await rejection(connectSocket(server.address, { tls }));
      expect(error).to.include({ code: "CAPNP_TLS" });
      expect(error.message).to.include("ALPNProtocols");
      while (server.failures.length === 0) await turn();
      expect(server.failures[0]).to.include({ code: "CAPNP_TLS" });
    });

    it("survives an ALPNCallback that throws", async () => {
      const server = await serve({
        ALPNCallback: () => {
          throw new Error("thrown by the user");
        },
      });
      const tls = { ca: certificates.ca, ALPNProtocols: ["capnp/1"] };
      expect(await rejection(connectSocket(server.address, { tls }))).to.include({ code: "CAPNP_TLS" });
      await visit(server, { ca: certificates.ca });
    });
  });

  describe("a session", () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      it(`is taken up again by the second connection, which knows its peers as the first did (${version})`, async () => {
        const resumed: boolean[] = [];
        const server = await serve({
          ca: certificates.ca,
          requestCert: true,
          maxVersion: version,
          // Asked for each handshake: the certificate of a resumed session is not.
          fingerprint256: pinOf(certificates.clientCert),
        });
        const tls: ClientTlsOptions = {
          ca: certificates.ca,
          cert: certificates.clientCert,
          key: certificates.clientKey,
          checkServerIdentity: () => {
            checks++;
            return undefined;
          },
        };
        let checks = 0;
        const visits = [];
        for (let i = 0; i < 3; i++) {
          const before = checks;
          visits.push(await visit(server, tls));
          resumed.push(checks === before);
        }
        expect(resumed, "a server is identified once for each session").to.deep.equal([false, true, true]);
        for (const { server: atClient, client: atServer } of visits) {
          expect(atClient).to.include({ encrypted: true, authenticated: true, tlsProtocol: version });
          expect(atClient.certificate!.fingerprint256).to.equal(visits[0]!.server.certificate!.fingerprint256);
          expect(atServer).to.include({ encrypted: true, authenticated: true });
          expect(atServer.certificate!.subject).to.equal("CN=client");
        }
      });
    }

    it("is not taken up with other options, to another server, or with resume: false", async () => {
      const server = await serve();
      let checks = 0;
      const options = (): ClientTlsOptions => ({
        ca: certificates.ca,
        checkServerIdentity: () => void checks++,
      });
      await visit(server, options());
      await visit(server, options());
      const same = options();
      await visit(server, same);
      await visit(await serve(), same);
      const fresh = { ...options(), resume: false };
      await visit(server, fresh);
      await visit(server, fresh);
      expect(checks).to.equal(6);
    });

    it("is not taken up with a server that has another certificate now, if that is pinned", async () => {
      const tls = { fingerprint256: pinOf(alone.cert) };
      const first = await serve(alone);
      await visit(first, tls);
      const { port } = new URL(first.address);
      for (const undo of cleanup.splice(0).reverse()) await undo();
      const options = { tls: { key: certificates.key, cert: certificates.cert } };
      const second = await listenSocket(`tls://localhost:${port}`, options, () => undefined);
      cleanup.push(() => second.close());
      expect(await rejection(connectSocket(second.address, { tls }))).to.include({ code: "CAPNP_TLS" });
    });
  });

  it("speak TLS 1.2 and 1.3, and say which", async () => {
    const server = await serve();
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const { server: peer } = await visit(server, { ca: certificates.ca, maxVersion: version });
      expect(peer.tlsProtocol).to.equal(version);
    }
  });
});

describe("TCP options", () => {
  it("tcpKeepAlive is refused where it is no time", async () => {
    for (const tcpKeepAlive of [-1, Number.NaN]) {
      expect(await rejection(connectSocket("127.0.0.1:1", { tcpKeepAlive }))).to.include({ code: "CAPNP_RANGE" });
      const listening = await rejection(listenSocket("127.0.0.1:0", { tcpKeepAlive }, () => undefined));
      expect(listening).to.include({ code: "CAPNP_RANGE" });
    }
  });

  it("a host with several addresses is reached at the first that answers, of either family", async () => {
    for (const host of ["127.0.0.1", "[::1]"]) {
      const server = await listenSocket(`${host}:0`, {}, (transport) => new Recorder(transport));
      const asked: string[] = [];
      const transport = await connectSocket(`several.example:${server.port}`, {
        lookup: (name, _options, found) => {
          asked.push(name);
          // 127.0.0.2 refuses; the server listens at one of the others.
          found(null, [
            { address: "127.0.0.2", family: 4 },
            { address: "::1", family: 6 },
            { address: "127.0.0.1", family: 4 },
          ]);
        },
      });
      expect(asked).to.deep.equal(["several.example"]);
      expect(transport.peer.address).to.equal(`${host}:${server.port}`);
      await transport.close();
      await server.close();
    }
  });
});
