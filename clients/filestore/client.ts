import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import * as capnp from "capstan";
import type { File } from "../../servers/filestore/filestore.capnp.ts";

export interface Transferred {
  readonly size: bigint;
  /** In hexadecimal digits. */
  readonly sha256: string;
}

/** Writes a file of this machine to the store. Resolves when it is on the disk there, as it is here. */
export const upload = async (path: string, file: File.Client): Promise<Transferred> => {
  // Everything is sent together: the bytes follow the call for the stream that they go to.
  const { from, upload } = file.upload();
  const hash = createHash("sha256");
  const bytes = createReadStream(path);
  await capnp.pump(hashed(bytes, hash), from);
  const { content } = await upload.stored();
  return checked(content, hash.digest("hex"));
};

/** Writes a file of the store to this machine, under its name when all of it is there. */
export const download = async (file: File.Client, path: string): Promise<Transferred> => {
  const part = `${path}.part`;
  try {
    const hash = createHash("sha256");
    const incoming = new PassThrough();
    const written = pipeline(incoming, (bytes) => hashed(bytes, hash), createWriteStream(part));
    // Where the download fails, so does this, and the download says why.
    written.catch(() => undefined);
    const { content } = await file.download({ to: capnp.byteStream(incoming) });
    await written;
    const transferred = checked(content, hash.digest("hex"));
    await rename(part, path);
    return transferred;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
};

async function* hashed(bytes: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>) {
  for await (const piece of bytes) {
    hash.update(piece);
    yield piece;
  }
}

const checked = ({ size, sha256 }: File.Content.Reader, ours: string): Transferred => {
  const theirs = Buffer.from(sha256).toString("hex");
  if (theirs !== ours) throw new Error(`the bytes have changed on their way: sha-256 ${theirs} there, ${ours} here`);
  return { size, sha256: ours };
};
