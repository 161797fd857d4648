import { join } from "node:path";
import { expect } from "chai";
import { build, type Metafile } from "esbuild";
import { repositoryRoot } from "../support/repository.ts";

/** Bundles a program as a page would have it. */
const bundle = async (source: string): Promise<Metafile> => {
  const { metafile } = await build({
    stdin: { contents: source, resolveDir: join(repositoryRoot, "test", "browser"), loader: "ts" },
    absWorkingDir: repositoryRoot,
    bundle: true,
    splitting: true,
    outdir: "dist/bundle-test",
    format: "esm",
    platform: "browser",
    minify: true,
    metafile: true,
    write: false,
    logLevel: "silent",
  });
  return metafile;
};

/** The modules that a page loads before its program runs. */
const modulesOf = ({ outputs }: Metafile): string[] => {
  const modules = new Set<string>();
  const add = (path: string): void => {
    for (const input of Object.keys(outputs[path]!.inputs)) modules.add(input);
    for (const { path: next, kind } of outputs[path]!.imports) if (kind === "import-statement") add(next);
  };
  for (const [path, { entryPoint }] of Object.entries(outputs)) if (entryPoint === "<stdin>") add(path);
  return [...modules];
};

describe("a bundle for browsers", () => {
  it("of all that the entry has needs nothing of Node", async () => {
    const { inputs } = await bundle('import * as capnp from "capstan/browser"; console.log(capnp);');
    const outside = Object.values(inputs).flatMap(({ imports }) => imports.filter(({ external }) => external === true));
    expect(outside).to.deep.equal([]);
    const modules = Object.keys(inputs);
    expect(modules.filter((path) => /node_modules\/(?!rxjs|tslib)/.test(path))).to.deep.equal([]);
    expect(modules.length).to.be.greaterThan(100);
  });

  it("of a client over a WebSocket has neither the compiler nor other transports, and loads reconnecting at need", async () => {
    const metafile = await bundle(`
      import { connect } from "capstan/browser";
      import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
      const client = await connect("ws://localhost/rpc");
      console.log(await client.bootstrap(Calculator).evaluate({ expression: { literal: 1 } }).value.read());
    `);
    const modules = modulesOf(metafile);
    const needless =
      /\/(compiler|codegen|streams|std)\/|byte-stream|framed-stream|ws-web-socket|two-way-pipe|session-loop/;
    expect(modules.filter((path) => needless.test(path))).to.deep.equal([]);
    expect(modules.some((path) => path.endsWith("lib/rpc/connection/connection.js"))).to.equal(true);
    const later = Object.keys(metafile.inputs).filter((path) => path.endsWith("lib/client/session-loop.js"));
    expect(later).to.have.lengthOf(1);
  });
});
