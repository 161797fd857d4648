import { createHash, type Hash, randomBytes } from "node:crypto";
import { addAbortSignal } from "node:stream";
import * as capnp from "capstan";
import { checkName, Disk } from "./disk.ts";
import { File, Folder, Share, Store } from "./filestore.capnp.ts";
import { Upload } from "./upload.ts";

const gibibyte = 1024 ** 3;

/** A folder whose files are served, and the links to them. */
export class FileStore {
  readonly disk: Disk;
  readonly maxSize: number;
  readonly #links = new Map<string, File.Client>();

  private constructor(disk: Disk, maxSize: number) {
    this.disk = disk;
    this.maxSize = maxSize;
  }

  /** @param maxSize How many bytes one file may have. */
  static async at(folder: string, maxSize = gibibyte): Promise<FileStore> {
    return new FileStore(await Disk.at(folder), maxSize);
  }

  /** What a peer gets: the folder where it is the owner's, and otherwise what links lead to. */
  serve(isOwner: boolean): Store.Server {
    return new StoreImpl(this, isOwner);
  }

  file(link: string): File.Client {
    const file = this.#links.get(link);
    if (file === undefined) throw new capnp.CapnpError("CAPNP_CALL", "there is no such link, or not any more");
    return file;
  }

  share(name: string): { readonly link: string; readonly revoke: () => void } {
    const link = randomBytes(24).toString("base64url");
    const access = new AbortController();
    // What a membrane lets in, like the stream that a download goes to, is cut off with it: more than the calls on the file are.
    const file = capnp.membrane(new File.Client(new FileImpl(this, name, "read")), { onRevoked: access.signal });
    this.#links.set(link, file);
    const revoke = (): void => {
      if (!this.#links.delete(link)) return;
      access.abort(new capnp.CapnpError("CAPNP_REVOKED", `the link to ${JSON.stringify(name)} was revoked`));
      file.release();
    };
    return { link, revoke };
  }
}

class StoreImpl extends Store.Server {
  readonly #store: FileStore;
  readonly #isOwner: boolean;

  constructor(store: FileStore, isOwner: boolean) {
    super();
    this.#store = store;
    this.#isOwner = isOwner;
  }

  override folder() {
    if (!this.#isOwner) {
      const text = "the folder is its owner's: connect over TLS with a client certificate, or open a link";
      throw new capnp.CapnpError("CAPNP_REFUSED", text);
    }
    return { folder: new FolderImpl(this.#store) };
  }

  override open({ link }: Store.OpenParams.Reader) {
    return { file: this.#store.file(link) };
  }
}

class FolderImpl extends Folder.Server {
  readonly #store: FileStore;

  constructor(store: FileStore) {
    super();
    this.#store = store;
  }

  override async list() {
    return { files: await this.#store.disk.list() };
  }

  override async open({ name, mode }: Folder.OpenParams.Reader) {
    if (mode === "write") checkName(name);
    else await this.#mustBeThere(name);
    return { file: new FileImpl(this.#store, name, mode) };
  }

  override async share({ name }: Folder.ShareParams.Reader) {
    await this.#mustBeThere(name);
    const { link, revoke } = this.#store.share(name);
    return { link, share: new ShareImpl(revoke) };
  }

  async #mustBeThere(name: string): Promise<void> {
    await (await this.#store.disk.open(name)).close();
  }
}

class ShareImpl extends Share.Server {
  readonly #revoke: () => void;

  constructor(revoke: () => void) {
    super();
    this.#revoke = revoke;
  }

  override revoke() {
    this.#revoke();
  }

  /** Who shares has gone. */
  [Symbol.dispose]() {
    this.#revoke();
  }
}

class FileImpl extends File.Server {
  readonly #store: FileStore;
  readonly #name: string;
  readonly #mode: Folder.OpenParams.Reader["mode"];

  constructor(store: FileStore, name: string, mode: Folder.OpenParams.Reader["mode"]) {
    super();
    this.#store = store;
    this.#name = name;
    this.#mode = mode;
  }

  override async download(params: File.DownloadParams.Reader, { signal }: File.DownloadContext) {
    const file = await this.#store.disk.open(this.#name);
    // Read no faster than `to` takes it, and no further once nobody waits for it.
    const bytes = addAbortSignal(signal, file.createReadStream());
    try {
      const { to } = params;
      if (to === null) throw new capnp.CapnpError("CAPNP_CALL", "there is no stream to download to");
      const hash = createHash("sha256");
      const size = await capnp.pump(hashed(bytes, hash), to);
      return { content: { size, sha256: hash.digest() } };
    } finally {
      bytes.destroy();
    }
  }

  override async upload() {
    this.#mustBeWritable();
    const upload = await Upload.begin(this.#store.disk, this.#name, this.#store.maxSize);
    return { from: capnp.byteStream(upload), upload: new UploadImpl(upload) };
  }

  override async remove() {
    this.#mustBeWritable();
    await this.#store.disk.remove(this.#name);
  }

  #mustBeWritable(): void {
    if (this.#mode === "write") return;
    throw new capnp.CapnpError("CAPNP_REFUSED", `${JSON.stringify(this.#name)} was opened for reading only`);
  }
}

class UploadImpl extends File.Upload.Server {
  readonly #upload: Upload;

  constructor(upload: Upload) {
    super();
    this.#upload = upload;
  }

  override async stored() {
    return { content: await this.#upload.stored };
  }
}

/** Passes bytes on, and has them hashed. */
async function* hashed(bytes: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
}
