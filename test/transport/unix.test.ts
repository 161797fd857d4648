import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { connectSocket } from "../../lib/transport/connect-socket.ts";
import { listenSocket } from "../../lib/transport/listen-socket.ts";
import { Recorder, rejection, words } from "./recorder.ts";

describe("Unix socket transport", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "capstan-"));
    path = join(folder, "vat.sock");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("carries messages, names the path at both ends, and removes the file at close", async () => {
    const recorder = new Recorder();
    const peers: string[] = [];
    const server = await listenSocket(`unix:${path}`, {}, (transport) => {
      peers.push(transport.peer.address);
      transport.start(recorder);
    });
    expect(server.address).to.equal(`unix:${path}`);
    expect(server.port).to.equal(undefined);
    const client = await connectSocket(server.address);
    client.send([words(1, 1)]);
    expect(await recorder.received(1)).to.deep.equal([[words(1, 1)]]);
    expect([client.peer.address, ...peers]).to.deep.equal([server.address, server.address]);
    await client.close();
    await server.close();
    expect(existsSync(path)).to.equal(false);
  });

  it("replaces the socket file of a server that was killed", async () => {
    const script = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
    spawnSync(process.execPath, ["-e", script]);
    expect(existsSync(path)).to.equal(true);
    const server = await listenSocket(`unix:${path}`, {}, (transport) => new Recorder(transport));
    const client = await connectSocket(server.address);
    await client.close();
    await server.close();
  });

  it("leaves a live server's socket and other files alone", async () => {
    const server = await listenSocket(`unix:${path}`, {}, (transport) => new Recorder(transport));
    const second = await rejection(listenSocket(`unix:${path}`, {}, () => undefined));
    expect(second.code).to.equal("CAPNP_LISTEN");
    expect(second.message).to.contain("another server is listening");
    const client = await connectSocket(server.address);
    await client.close();
    await server.close();
    writeFileSync(path, "precious");
    const third = await rejection(listenSocket(`unix:${path}`, {}, () => undefined));
    expect(third.message).to.contain("not a socket");
    expect(existsSync(path)).to.equal(true);
  });

  it("says that there is no such socket", async () => {
    const error = await rejection(connectSocket(`unix:${path}`));
    expect(error.code).to.equal("CAPNP_CONNECT");
    expect(error.message).to.contain("ENOENT");
  });
});
