import { createHash } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { rm } from "node:fs/promises";
import { Writable } from "node:stream";
import { CapnpError } from "capstan";
import type { Disk } from "./disk.ts";
import type { File } from "./filestore.capnp.ts";

/** Bytes on their way to a file. It is replaced when the stream is ended, and stays as it was when the stream is destroyed. */
export class Upload extends Writable {
  /** What was stored, when it is. */
  readonly stored: Promise<File.Content.Init>;
  readonly #disk: Disk;
  readonly #name: string;
  readonly #maxSize: number;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #hash = createHash("sha256");
  #size = 0;

  private constructor(disk: Disk, name: string, maxSize: number, path: string, handle: FileHandle) {
    super();
    this.#disk = disk;
    this.#name = name;
    this.#maxSize = maxSize;
    this.#path = path;
    this.#handle = handle;
    this.stored = new Promise((resolve, reject) => {
      this.once("finish", () => resolve({ size: this.#size, sha256: this.#hash.digest() }));
      this.once("error", reject);
    });
    // Nobody has to ask.
    this.stored.catch(() => undefined);
  }

  static async begin(disk: Disk, name: string, maxSize: number): Promise<Upload> {
    const { path, handle } = await disk.begin();
    return new Upload(disk, name, maxSize, path, handle);
  }

  override _write(bytes: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#append(bytes).then(() => callback(), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#finish().then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    // After `finish` there is nothing of this left to remove.
    const cleanUp = async (): Promise<void> => {
      await this.#handle.close();
      await rm(this.#path, { force: true });
    };
    cleanUp().then(
      () => callback(error),
      (failure: Error) => callback(error ?? failure),
    );
  }

  async #append(bytes: Buffer): Promise<void> {
    if (this.#size + bytes.length > this.#maxSize) {
      throw new CapnpError("CAPNP_LIMIT", `${this.#name} is too large: a file may have ${this.#maxSize} bytes`);
    }
    for (let at = 0; at < bytes.length; ) at += (await this.#handle.write(bytes, at)).bytesWritten;
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  async #finish(): Promise<void> {
    await this.#handle.sync();
    await this.#disk.finish(this.#path, this.#name);
  }
}
