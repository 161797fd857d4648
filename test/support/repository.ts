import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

function findRoot(start: string): string {
  let folder = start;
  while (!existsSync(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json in ${start} or in any folder above it`);
    folder = parent;
  }
  return folder;
}

/** The absolute path of the folder that holds package.json. Tests run from dist/, their sources and fixtures do not. */
export const repositoryRoot = findRoot(import.meta.dirname);
