// What a page has to load before it can call one interface: a client over a WebSocket and a generated module, bundled as for
// production. What such a client loads at need (the part that reconnects) is not in it.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));

const program = `
  import { connect } from "capstan/browser";
  import { Calculator } from "../../servers/calculator/calculator.capnp.js";
  const client = await connect("wss://example.com/rpc");
  const calculator = client.bootstrap(Calculator);
  console.log((await calculator.evaluate({ expression: { literal: 1 } }).value.read()).value);
`;

/** Kilobytes of each folder in a bundle, before gzip, the largest first. */
const contributors = (inputs) => {
  const sums = new Map();
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const place = path.match(/(?:dist\/lib|node_modules)\/((?:[\w-]+\/)*)/)?.[1] ?? "program/";
    const name = place === "" ? "lib/" : place.split("/").slice(0, 2).join("/");
    sums.set(name, (sums.get(name) ?? 0) + bytesInOutput);
  }
  return [...sums].sort(([, a], [, b]) => b - a).map(([name, bytes]) => `${name} ${(bytes / 1024).toFixed(1)}`);
};

const browserBundle = async () => {
  const { build } = await import("esbuild");
  const folder = await mkdtemp(`${root}dist/bundle-`);
  try {
    await writeFile(`${folder}/page.js`, program);
    const { outputFiles, metafile } = await build({
      absWorkingDir: root,
      entryPoints: [`${folder}/page.js`],
      outdir: `${folder}/out`,
      bundle: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      minify: true,
      legalComments: "none",
      metafile: true,
      write: false,
      plugins: [
        {
          // One file, less what is loaded at need: the same modules as with `splitting`, which spreads them over several files.
          name: "late-modules",
          setup: ({ onResolve }) =>
            onResolve({ filter: /kept-client/ }, ({ kind, path }) =>
              kind === "dynamic-import" ? { path, external: true } : undefined,
            ),
        },
      ],
    });
    const [{ contents }] = outputFiles;
    const [{ inputs }] = Object.values(metafile.outputs);
    console.log(
      `  minified ${contents.length} bytes; kilobytes by folder: ${contributors(inputs).slice(0, 9).join(", ")}`,
    );
    return {
      work: "browser-bundle",
      unit: "bytes",
      capstan: gzipSync(contents, { level: 9 }).length,
      peers: {},
      target: "under 30,720, minified and gzipped",
    };
  } finally {
    await rm(folder, { recursive: true });
  }
};

/** @type {Record<string, () => Promise<Result>>} */
export const bundleWorks = { "browser-bundle": browserBundle };
