import { lstat, unlink } from "node:fs/promises";
import { CapnpError } from "../errors.ts";
import { codeOf } from "./node-error.ts";
import { net } from "./node-modules.ts";

/**
 * Makes way for a server at `path`, where `listen` found the address in use. A socket file outlives a server that was killed; it is
 * removed when nobody answers behind it. A live server's socket, and a file that is no socket, stay, and CAPNP_LISTEN is thrown.
 *
 * Two servers that start at once can both find the same dead socket. The inode is compared just before the removal, so that the
 * slower one does not remove what the faster one has already made.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const before = await lstat(path);
  if (!before.isSocket()) {
    throw new CapnpError(
      "CAPNP_LISTEN",
      `cannot listen on unix:${path}: a file is there that is not a socket; remove it yourself`,
    );
  }
  if (await answers(path)) {
    throw new CapnpError("CAPNP_LISTEN", `cannot listen on unix:${path}: another server is listening there`);
  }
  const after = await lstat(path).catch((error) => {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  });
  if (after?.ino === before.ino && after.isSocket()) await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = net().connect({ path });
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => {
      const code = codeOf(error);
      if (code === "ECONNREFUSED" || code === "ENOENT") resolve(false);
      // Its queue of connections is full: somebody is there.
      else if (code === "EAGAIN") resolve(true);
      else reject(error);
    });
  });
}
