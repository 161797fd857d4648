import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { dirname, extname, join } from "node:path";
import { build } from "esbuild";

interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** What the page may do: load and connect to where it came from, and nothing else. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".map": "application/json",
  ".svg": "image/svg+xml",
};

const source = (): string => join(repositoryRoot(), "clients", "browser");

/** This file also runs from `dist`, where the page's sources are not. */
function repositoryRoot(): string {
  let root = import.meta.dirname;
  while (!existsSync(join(root, "package.json"))) {
    if (dirname(root) === root) throw new Error("no package.json above this file: where is the page?");
    root = dirname(root);
  }
  return root;
}

/** The files of the page, by the path at which it asks for them. Its program is bundled here, from TypeScript. */
export async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const folder = source();
  const { outputFiles } = await build({
    absWorkingDir: repositoryRoot(),
    entryPoints: [
      { in: join(folder, "main.ts"), out: "page" },
      { in: join(folder, "page.css"), out: "page" },
    ],
    outdir: join(folder, "out"),
    bundle: true,
    // The code of a client that reconnects is loaded when it is asked for.
    splitting: true,
    format: "esm",
    platform: "browser",
    target: ["chrome111", "firefox113", "safari16.4"],
    minify: true,
    sourcemap: "linked",
    write: false,
    logLevel: "warning",
  });
  const files = new Map<string, PageFile>();
  for (const { path, contents } of outputFiles) {
    files.set(path.slice(path.lastIndexOf("/")), { type: types[extname(path)]!, bytes: contents });
  }
  files.set("/", { type: types[".html"]!, bytes: await readFile(join(folder, "index.html")) });
  files.set("/icon.svg", { type: types[".svg"]!, bytes: await readFile(join(folder, "icon.svg")) });
  return files;
}

/** Answers requests for these files, and 404 for all else. */
export const serveFiles =
  (files: ReadonlyMap<string, PageFile>): RequestListener =>
  (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    const file = files.get((request.url ?? "/").replace(/\?.*$/s, ""));
    if (file === undefined) {
      response.writeHead(404, { "content-type": "text/plain" }).end("There is no such page here; try /\n");
      return;
    }
    response.writeHead(200, {
      "content-type": file.type,
      "content-length": file.bytes.byteLength,
      // Another start of the server may serve another page.
      "cache-control": "no-cache",
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    response.end(request.method === "HEAD" ? undefined : file.bytes);
  };
