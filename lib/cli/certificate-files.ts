import { chmod, open, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";

/** Making takes a fraction of a second; an older lock is that of a process which was killed. */
const lockLifetime = 30_000;

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** A reader sees the old file or the new one, never a part. */
export async function replaceFile(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.${process.pid}.pem`;
  await writeFile(temporary, text, { mode });
  await chmod(temporary, mode);
  await rename(temporary, path);
}

/** Waits until this process is the only one between here and the call of what it returns. */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  for (;;) {
    try {
      await (await open(path, "wx")).close();
      return () => unlink(path);
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
    try {
      if (Date.now() - (await stat(path)).mtimeMs > lockLifetime) await unlink(path);
    } catch (error) {
      // Whoever held it has just let it go.
      if (!hasCode(error, "ENOENT")) throw error;
    }
    await delay(20);
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
