import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { expect } from "chai";
import { ensureCertificates } from "../../certs/make.ts";
import { download, upload } from "../../clients/filestore/client.ts";
import * as capnp from "../../lib/index.ts";
import { type File, Store } from "../../servers/filestore/filestore.capnp.ts";
import { FileStore } from "../../servers/filestore/server.ts";
import { Processes } from "../support/processes.ts";
import { rejection } from "../support/vats.ts";
import { startClient, startServer } from "./programs.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe("the file store example's server", () => {
  let folder: string;
  let files: string;
  let servers: capnp.RpcServer[];
  let clients: capnp.TwoPartyClient[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "capstan-filestore-"));
    files = join(folder, "files");
    servers = [];
    clients = [];
  });

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(servers.map((server) => server.close()));
    await rm(folder, { recursive: true });
  });

  const serve = async (maxSize?: number) => {
    const store = await FileStore.at(files, maxSize);
    const listen = async (isOwner: boolean) => {
      const server = await capnp.listen("127.0.0.1:0", { bootstrap: () => store.serve(isOwner) });
      servers.push(server);
      return async () => {
        const client = await capnp.connect(server.address);
        clients.push(client);
        return client;
      };
    };
    const [asOwner, asAnybody] = [await listen(true), await listen(false)];
    const owner = await asOwner();
    return { owner, asAnybody, folder: owner.bootstrap(Store).folder().folder };
  };

  const write = async (file: File.Client, bytes: Uint8Array): Promise<void> => {
    const { from, upload } = file.upload();
    await capnp.pump([bytes], from);
    await upload.stored();
  };

  it("stores files and gives them back, byte for byte, and says what their sha-256 is", async () => {
    const { folder: all } = await serve();
    for (const size of [0, 1, 3_000_000]) {
      const bytes = randomBytes(size);
      await writeFile(join(folder, "original"), bytes);
      const stored = await upload(join(folder, "original"), all.open({ name: "file", mode: "write" }).file);
      expect(stored).to.deep.equal({ size: BigInt(size), sha256: sha256(bytes) });
      expect(await readFile(join(files, "file"))).to.deep.equal(bytes);
      const fetched = await download(all.open({ name: "file", mode: "read" }).file, join(folder, "copy"));
      expect(fetched).to.deep.equal(stored);
      expect(await readFile(join(folder, "copy"))).to.deep.equal(bytes);
      const listed = (await all.list()).files.map(({ name, size }) => ({ name, size }));
      expect(listed).to.deep.equal([{ name: "file", size: BigInt(size) }]);
    }
    await all.open({ name: "file", mode: "write" }).file.remove();
    expect((await all.list()).files).to.have.length(0);
    const gone = all.open({ name: "file", mode: "read" });
    expect((await rejection(gone)).message).to.include('there is no file "file"');
    const failed = download(all.open({ name: "file", mode: "read" }).file, join(folder, "none"));
    expect((await rejection(failed)).message).to.include('there is no file "file"');
    expect((await readdir(folder)).sort()).to.deep.equal(["copy", "files", "original"]);
  });

  it("opens nothing outside of its folder, whatever it is called", async () => {
    const { folder: all } = await serve();
    await writeFile(join(folder, "secret"), "secret");
    const names = ["", ".", "..", "../secret", "/etc/passwd", join(folder, "secret"), "a/b", "a/../../secret"];
    names.push("..\\secret", "C:secret", "file\0", "file\0.txt", "new\nline", ".hidden", ".upload-1", "x".repeat(201));
    for (const name of names) {
      for (const attempt of [
        () => all.open({ name, mode: "read" }),
        () => all.open({ name, mode: "write" }),
        () => all.share({ name }),
      ]) {
        expect((await rejection(attempt())).message, JSON.stringify(name)).to.include("is no name for a file");
      }
    }
    expect(await readdir(files)).to.deep.equal([]);
    expect(await readFile(join(folder, "secret"), "utf8")).to.equal("secret");
  });

  it("follows no link, and takes no folder or pipe for a file", async () => {
    const { folder: all } = await serve();
    await writeFile(join(folder, "secret"), "secret");
    await symlink(join(folder, "secret"), join(files, "link"));
    await symlink(folder, join(files, "up"));
    await symlink("nowhere", join(files, "dangling"));
    await mkdir(join(files, "folder"));
    const hasPipe = spawnSync("mkfifo", [join(files, "pipe")]).status === 0;
    const names = ["link", "up", "dangling", "folder", ...(hasPipe ? ["pipe"] : [])];
    for (const name of names) {
      const { message } = await rejection(all.open({ name, mode: "read" }));
      expect(message).to.include(`"${name}" is not a file of this store`);
      expect(message).not.to.include(folder);
      expect((await rejection(all.open({ name, mode: "write" }).file.download({ to: null }))).message).to.include(
        "not a",
      );
    }
    expect((await all.list()).files).to.have.length(0);

    await write(all.open({ name: "link", mode: "write" }).file, Buffer.from("mine"));
    await write(all.open({ name: "dangling", mode: "write" }).file, Buffer.from("mine"));
    await all.open({ name: "up", mode: "write" }).file.remove();
    expect(await readFile(join(folder, "secret"), "utf8")).to.equal("secret");
    expect((await all.list()).files.map(({ name }) => name)).to.deep.equal(["dangling", "link"]);
    expect((await readdir(folder)).sort()).to.deep.equal(["files", "secret"]);
  });

  it("keeps a file as it was where an upload breaks off, or is too large", async () => {
    const { folder: all } = await serve(1000);
    const { file } = await all.open({ name: "file", mode: "write" });
    await write(file, Buffer.from("before"));

    const broken = await file.upload();
    await broken.from.write({ bytes: Buffer.from("half of") });
    broken.from.release();
    expect((await rejection(broken.upload.stored())).message).to.include("was cut off");

    const large = await file.upload();
    expect((await rejection(capnp.pump([Buffer.alloc(600), Buffer.alloc(600)], large.from))).message).to.include(
      "file is too large: a file may have 1000 bytes",
    );
    expect(await rejection(large.upload.stored())).to.include({ kind: "overloaded" });

    expect(await readFile(join(files, "file"), "utf8")).to.equal("before");
    while ((await readdir(files)).length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it("removes what uploads have left when a server was killed", async () => {
    await mkdir(files);
    await writeFile(join(files, ".upload-1"), "half");
    await writeFile(join(files, ".keep"), "not one of ours");
    await serve();
    expect(await readdir(files)).to.deep.equal([".keep"]);
  });

  it("lets who has opened a file for reading do nothing else", async () => {
    const { folder: all } = await serve();
    await write(all.open({ name: "file", mode: "write" }).file, Buffer.from("text"));
    const { file } = await all.open({ name: "file", mode: "read" });
    expect((await rejection(file.upload())).message).to.include("for reading only");
    expect((await rejection(file.remove())).message).to.include("for reading only");
    const unknown = all.open({ name: "file", mode: 7 as unknown as "read" }).file;
    expect((await rejection(unknown.remove())).message).to.include("for reading only");
  });

  /** A download whose bytes nobody takes from `to`, and how many have come. */
  const stuck = (file: File.Client) => {
    const to = new PassThrough();
    const ended = new Promise<unknown>((resolve) => to.once("error", resolve));
    return { to, ended, call: rejection(file.download({ to: capnp.byteStream(to) })) };
  };

  it("reads no more of a file than its receiver takes, and no further when that is gone", async () => {
    const { folder: all, owner } = await serve();
    await write(all.open({ name: "file", mode: "write" }).file, Buffer.alloc(16 * 1024 * 1024));
    const { file } = await all.open({ name: "file", mode: "read" });
    const before = owner.stats().received;
    const { to, call } = stuck(file);
    await new Promise((resolve) => to.once("readable", resolve));
    for (let i = 0; i < 50; i++) await all.list();
    // A window of the connection, and what the two streams hold.
    expect(owner.stats().received - before).to.be.within(51, 80);
    expect(to.readableLength + to.writableLength).to.be.lessThan(1024 * 1024);
    to.destroy(new Error("enough"));
    expect((await call).message).to.include("enough");
    expect((await all.list()).files).to.have.length(1);
  });

  it("shares a file with who has the link, until it is revoked: at once, in the middle of a download", async () => {
    const { folder: all, asAnybody } = await serve();
    await write(all.open({ name: "file", mode: "write" }).file, Buffer.alloc(4 * 1024 * 1024, 7));
    const { link, share } = await all.share({ name: "file" });
    const store = (await asAnybody()).bootstrap(Store);
    expect((await rejection(store.folder())).message).to.include("the folder is its owner's");

    const { file } = await store.open({ link });
    expect((await download(file, join(folder, "copy"))).size).to.equal(4n * 1024n * 1024n);
    expect((await rejection(file.remove())).message).to.include("for reading only");
    const other = await store.open({ link });
    const { to, call, ended } = stuck(other.file);
    await all.list();

    await share.revoke();
    expect((await call).message).to.include('the link to "file" was revoked');
    to.resume();
    expect(await ended).to.include({ code: "CAPNP_CANCELED" });
    expect((await rejection(download(file, join(folder, "more")))).message).to.include("was revoked");
    expect((await rejection(store.open({ link }))).message).to.include("there is no such link");
    expect((await rejection(store.open({ link: "" }))).message).to.include("there is no such link");
    expect((await download(all.open({ name: "file", mode: "read" }).file, join(folder, "mine"))).size).to.equal(
      4n * 1024n * 1024n,
    );
  });

  it("ends a share with the connection of who shares", async () => {
    const { folder: all, owner, asAnybody } = await serve();
    await write(all.open({ name: "file", mode: "write" }).file, Buffer.from("text"));
    const { link } = await all.share({ name: "file" });
    const store = (await asAnybody()).bootstrap(Store);
    const { file } = await store.open({ link });
    await owner.close();
    while (
      await store.open({ link }).then(
        () => true,
        () => false,
      )
    ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect((await rejection(download(file, join(folder, "copy")))).message).to.include("was revoked");
  });
});

describe("the file store example", () => {
  const processes = new Processes();
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "capstan-filestore-"));
  });

  after(async () => {
    await processes.stop();
    await rm(folder, { recursive: true });
  });

  it("stores, lists, fetches, shares and revokes, with mutual TLS", async function () {
    this.timeout(60_000);
    const { server, address } = await startServer(processes, "filestore", undefined, join(folder, "files"));
    const run = (...args: readonly string[]) => startClient(processes, "filestore", address, ...args).finished();
    const bytes = randomBytes(1_000_000);
    await writeFile(join(folder, "song"), bytes);
    expect(await run("put", join(folder, "song"))).to.deep.equal({
      status: 0,
      stdout: `stored 1000000 bytes, sha-256 ${sha256(bytes)}\n`,
      stderr: "",
    });
    expect((await run("list")).stdout).to.match(/ 1000000 song\n$/);

    const sharing = startClient(processes, "filestore", address, "share", "song");
    const [, link = ""] = await sharing.line(/^link: (.*)$/);
    const fetched = await run("fetch", link, join(folder, "copy"));
    expect(fetched).to.include({ status: 0, stderr: "" });
    expect(await readFile(join(folder, "copy"))).to.deep.equal(bytes);
    await sharing.stop();
    expect(sharing.stdout).to.match(/revoked\n$/);
    const late = await run("fetch", link, join(folder, "late"));
    expect(late).to.include({ status: 1, stderr: "remote exception: there is no such link, or not any more\n" });
    expect((await readdir(folder)).sort()).to.deep.equal(["copy", "files", "song"]);
    await server.stop();
  });

  it("takes nobody for the owner who shows no certificate, or one of somebody else's authority", async function () {
    this.timeout(60_000);
    const { server, address } = await startServer(processes, "filestore", undefined, join(folder, "files"));
    const { ca, clientCert, clientKey } = await ensureCertificates();
    const stranger = await ensureCertificates(join(folder, "other-authority"));
    const ask = async (identity: capnp.ClientTlsOptions) => {
      await using client = await capnp.connect(address, { tls: { ca, ...identity } });
      try {
        await client.bootstrap(Store).folder();
        return "owner";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(await ask({ cert: clientCert, key: clientKey })).to.equal("owner");
    expect(await ask({})).to.include("the folder is its owner's");
    expect(await ask({ cert: stranger.clientCert, key: stranger.clientKey })).to.include("the folder is its owner's");
    await server.stop();

    const plain = await startServer(processes, "filestore", "127.0.0.1:0", join(folder, "files"));
    const listed = await startClient(processes, "filestore", plain.address, "list").finished();
    expect(listed.status).to.equal(1);
    expect(listed.stderr).to.include("connect over TLS with a client certificate");
    await plain.server.stop();
  });
});
