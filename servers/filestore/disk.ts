import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, realpath, rename, rm, unlink } from "node:fs/promises";
import { join } from "node:path";
import { CapnpError } from "capstan";

export interface Entry {
  readonly name: string;
  readonly size: bigint;
  readonly modified: number;
}

/** Uploads that are under way. No name of a file begins with a dot, so that nobody can ask for one of these. */
const uploadPrefix = ".upload-";
const maxNameBytes = 200;

/** The plain files of one folder: no path leads out of it, and no link, pipe, device or folder in it is opened. */
export class Disk {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folder where there is none, and removes what uploads have left behind when an earlier server was killed. */
  static async at(folder: string): Promise<Disk> {
    await mkdir(folder, { recursive: true });
    const root = await realpath(folder);
    const left = (await readdir(root)).filter((name) => name.startsWith(uploadPrefix));
    await Promise.all(left.map((name) => rm(join(root, name), { force: true })));
    return new Disk(root);
  }

  async list(): Promise<Entry[]> {
    const found = await readdir(this.#root, { withFileTypes: true });
    const names = found
      .filter((entry) => entry.isFile() && whyNoName(entry.name) === undefined)
      .map(({ name }) => name);
    const entries = await Promise.all(names.sort().map((name) => this.#entry(name)));
    return entries.filter((entry) => entry !== undefined);
  }

  async #entry(name: string): Promise<Entry | undefined> {
    try {
      const { size, mtimeMs } = await lstat(join(this.#root, name), { bigint: true });
      return { name, size, modified: Number(mtimeMs) };
    } catch {
      // Removed since the folder was read.
      return undefined;
    }
  }

  /** Throws where there is no such file to read. */
  async open(name: string): Promise<FileHandle> {
    const path = this.#path(name);
    let handle: FileHandle | undefined;
    try {
      // Not through a link; and a pipe is not waited for.
      handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      if ((await handle.stat()).isFile()) return handle;
    } catch (error) {
      throw this.#failure(name, error);
    }
    await handle.close();
    throw notAFile(name);
  }

  /** Where the bytes of an upload go until they are complete. */
  async begin(): Promise<{ readonly path: string; readonly handle: FileHandle }> {
    const path = join(this.#root, `${uploadPrefix}${randomUUID()}`);
    return { path, handle: await open(path, "wx", 0o600) };
  }

  /** Makes an upload the file of that name. A link of that name is replaced, and what it leads to stays as it is. */
  async finish(upload: string, name: string): Promise<void> {
    try {
      await rename(upload, this.#path(name));
    } catch (error) {
      throw this.#failure(name, error);
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await unlink(this.#path(name));
    } catch (error) {
      throw this.#failure(name, error);
    }
  }

  #path(name: string): string {
    checkName(name);
    return join(this.#root, name);
  }

  /** The texts of Node's errors have paths that are nobody else's business. */
  #failure(name: string, error: unknown): CapnpError {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "ENOENT") return new CapnpError("CAPNP_CALL", `there is no file ${JSON.stringify(name)}`);
    if (code === "ELOOP" || code === "EISDIR" || code === "EPERM") return notAFile(name);
    return new CapnpError("CAPNP_CALL", `the file ${JSON.stringify(name)} cannot be used (${code})`, { cause: error });
  }
}

const notAFile = (name: string): CapnpError =>
  new CapnpError("CAPNP_CALL", `${JSON.stringify(name)} is not a file of this store`);

/** Throws where a name could mean anything but a file in the folder itself. */
export const checkName = (name: string): void => {
  const reason = whyNoName(name);
  if (reason === undefined) return;
  throw new CapnpError("CAPNP_CALL", `${JSON.stringify(name.slice(0, 100))} is no name for a file: it ${reason}`);
};

const whyNoName = (name: string): string | undefined => {
  if (name === "") return "is empty";
  if (name.startsWith(".")) return "begins with a dot";
  if (/[/\\:]/.test(name)) return "has a slash, backslash or colon";
  if (/\p{Cc}/u.test(name)) return "has a control character";
  if (Buffer.byteLength(name) > maxNameBytes) return `has more than ${maxNameBytes} bytes`;
  return undefined;
};
