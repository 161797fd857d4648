import { type FSWatcher, watch } from "node:fs";
import { dirname, join } from "node:path";
import type { Terminal } from "./terminal.ts";
import { write } from "./terminal.ts";

/** What a round of work needs to be done again for: absolute paths, of files that need not exist. */
export interface Round {
  readonly ok: boolean;
  readonly lookedFor: readonly string[];
  /** False where one of them has changed since: before it was watched, nothing told. */
  readonly isCurrent: () => boolean;
}

/** Editors write a file in several steps; a round begins when nothing has happened for so many milliseconds. */
const quiet = 50;

/**
 * Watches the folders of files, not the files themselves: an editor that replaces a file leaves a watcher of the old one
 * behind, and a file that is missing cannot be watched at all.
 */
class FolderWatcher {
  readonly #folders = new Map<string, FSWatcher>();
  readonly #changed: () => void;
  #files: ReadonlySet<string> = new Set();

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  set files(paths: readonly string[]) {
    this.#files = new Set(paths);
    const folders = new Set(paths.map((path) => dirname(path)));
    for (const [folder, watcher] of this.#folders) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#folders.delete(folder);
    }
    for (const folder of folders) if (!this.#folders.has(folder)) this.#watch(folder);
  }

  #watch(folder: string): void {
    try {
      const watcher = watch(folder, (_event, name) => {
        if (name === null || this.#files.has(join(folder, name))) this.#changed();
      });
      watcher.on("error", () => {
        // The folder is gone. What was in it is missing now, which the next round says.
        watcher.close();
        this.#folders.delete(folder);
        this.#changed();
      });
      this.#folders.set(folder, watcher);
    } catch (error) {
      // A folder that does not exist holds no file that could change.
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
  }
}

/** Runs `round` now and after every change of a file that it looked for, until the process is ended. */
export function watchAndRepeat(round: () => Promise<Round>, terminal: Terminal): Promise<never> {
  return new Promise((_resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    let running = false;
    const watcher = new FolderWatcher(() => {
      clearTimeout(timer);
      timer = setTimeout(run, quiet);
    });
    const repeat = async () => {
      const { ok, lookedFor, isCurrent } = await round();
      watcher.files = lookedFor;
      if (!isCurrent()) timer = setTimeout(run, quiet);
      const count = lookedFor.length === 1 ? "1 file" : `${lookedFor.length} files`;
      await write(terminal.stderr, `${ok ? "Compiled" : "Not compiled"}. Watching ${count}.\n`);
    };
    const run = () => {
      if (running) {
        timer = setTimeout(run, quiet);
        return;
      }
      running = true;
      repeat().then(() => {
        running = false;
      }, reject);
    };
    run();
  });
}
