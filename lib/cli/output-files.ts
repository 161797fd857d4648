import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join, normalize, sep } from "node:path";
import { CapnpError } from "../errors.ts";

export interface OutputFile {
  /** From the output folder. */
  readonly path: string;
  readonly text: string;
}

function unchanged(path: string, text: string): boolean {
  try {
    return readFileSync(path, "utf8") === text;
  } catch {
    // Missing or not readable: writing it tells.
    return false;
  }
}

/**
 * Writes generated files below `folder`. A file that has its text already is not touched, so that what watches it rests.
 *
 * @throws CAPNP_SCHEMA for a path that leads out of the folder, which only a request made by hand has.
 */
export function writeOutputFiles(folder: string, files: readonly OutputFile[]): void {
  for (const { path } of files) {
    const way = normalize(path);
    if (isAbsolute(way) || way === ".." || way.startsWith(`..${sep}`) || way.includes("\0")) {
      throw new CapnpError(
        "CAPNP_SCHEMA",
        `The output file ${JSON.stringify(path)} would lie outside of the output folder ${JSON.stringify(folder)}.`,
      );
    }
  }
  for (const { path, text } of files) {
    const target = join(folder, path);
    if (unchanged(target, text)) continue;
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
}
