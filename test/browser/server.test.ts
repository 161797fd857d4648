import { get } from "node:https";
import { expect } from "chai";
import { ensureCertificates } from "../../certs/make.ts";
import * as capnp from "../../lib/index.ts";
import { Lobby } from "../../servers/browser/lobby.capnp.ts";
import { type PageServer, rpcPath, servePage } from "../../servers/browser/server.ts";
import { rejection } from "../transport/recorder.ts";

describe("the server of the page", () => {
  let server: PageServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });

  it("serves the page, its program and its style, and nothing else", async () => {
    server = await servePage("127.0.0.1:0");
    const answers = async (path: string, method = "GET") => {
      const { status, headers } = await fetch(new URL(path, server!.url), { method });
      return `${status} ${headers.get("content-type")}`;
    };
    expect(await answers("/")).to.equal("200 text/html; charset=utf-8");
    expect(await answers("/?again")).to.equal("200 text/html; charset=utf-8");
    expect(await answers("/page.js")).to.equal("200 text/javascript; charset=utf-8");
    expect(await answers("/page.css", "HEAD")).to.equal("200 text/css; charset=utf-8");
    expect(await answers("/icon.svg")).to.equal("200 image/svg+xml");
    expect(await answers("/main.ts")).to.equal("404 text/plain");
    expect(await answers("/%2e%2e/package.json")).to.equal("404 text/plain");
    expect(await answers("/", "POST")).to.equal("405 null");
  });

  it("gives who connects the calculator and the chat, over TLS too", async () => {
    server = await servePage("https://localhost:0");
    const { ca } = await ensureCertificates();
    const client = await capnp.connect(`${server.url.replace("https", "wss").replace(/\/$/, "")}${rpcPath}`, {
      tls: { ca },
    });
    try {
      const lobby = client.bootstrap(Lobby);
      const { value } = lobby.calculator().calculator.evaluate({ expression: { literal: 5 } });
      expect((await value.read()).value).to.equal(5);
      expect([...(await lobby.chat().chat.rooms()).rooms]).to.deep.equal([]);
    } finally {
      await client.close();
    }
    const status = await new Promise((resolve, reject) => {
      get(server!.url, { ca }, (response) => resolve(response.resume().statusCode)).on("error", reject);
    });
    expect(status).to.equal(200);
  });

  it("says what is wrong with an address", async () => {
    for (const address of ["nowhere", "ftp://localhost:1", "localhost:99999", "http://a:1/b"]) {
      expect(await rejection(servePage(address)), address).to.include({ code: "CAPNP_ADDRESS" });
    }
    server = await servePage("127.0.0.1:0");
    const failure = await rejection(servePage(new URL(server.url).host));
    expect(failure).to.include({ code: "CAPNP_LISTEN" });
    expect(failure.message).to.include("EADDRINUSE");
  });
});
