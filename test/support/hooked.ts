import { join } from "node:path";
import { repositoryRoot } from "./repository.ts";

/** Whether the tests run on Deno, whose command line is another than Node's. */
export const isDeno = process.versions.deno !== undefined;

/** Deno runs a program without any rights unless it is told. */
const deno = ["run", "--allow-all"] as const;

/** What stands before a program on this runtime's command line. */
export const programArgs: readonly string[] = isDeno ? deno : [];

/** What stands before a program that imports schemas. Deno takes no name of a package there. */
export const hookArgs: readonly string[] = isDeno
  ? [...deno, "--preload", join(repositoryRoot, "dist/package/register.js")]
  : ["--import", "capstan/register"];
