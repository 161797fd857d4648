import { readFileSync } from "node:fs";

/** The version in package.json: three folders up from where this file is built to. */
export const packageVersion = (): string => {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
};
