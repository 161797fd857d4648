import { expect } from "chai";
import { type Leak, reportLeaks } from "../../../lib/rpc/capability/leak-watch.ts";
import { memoryTransportPair } from "../../../lib/transport/memory.ts";
import { TwoPartyClient, TwoPartyServer } from "../../../lib/stream-vat.ts";
import { type Loose, parseLoosely } from "../../support/loose.ts";
import { Processes } from "../../support/processes.ts";

const { Maker } = parseLoosely(`
  interface Maker {
    make @0 () -> (made :Maker);
    read @1 () -> (text :Text);
  }
`);

class MakerImpl extends Maker.Server {
  make(): Loose {
    return new MakerImpl();
  }
  read(): string {
    return "text";
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));
const collect = globalThis.gc as () => void;

describe("the report of leaks", function () {
  // Each full collection visits what all tests before have left.
  this.timeout(60_000);
  let leaks: Leak[];
  let client: TwoPartyClient & Loose;
  let server: TwoPartyServer;

  beforeEach(() => {
    leaks = [];
    reportLeaks((leak) => leaks.push(leak));
    const { a: near, b: far } = memoryTransportPair();
    client = new TwoPartyClient(near);
    server = new TwoPartyServer(far, { bootstrap: new MakerImpl() as Loose });
  });
  afterEach(async () => {
    reportLeaks(undefined);
    await client.close();
    await server.close();
  });

  /** Collects what can be, and lets the finalizers run. */
  const settle = async (until: () => boolean): Promise<void> => {
    for (let i = 0; i < 200 && !until(); i++) {
      collect();
      await turn();
    }
  };

  /** Runs with locals of its own, so that nothing stays on the stack; then it waits for something that is sure to be a leak. */
  const leaksOf = async (act: () => Promise<void>): Promise<Leak[]> => {
    await act();
    const marker = async (): Promise<void> => {
      await client.bootstrap(Maker).read();
    };
    await turn();
    const before = leaks.length;
    await marker();
    await settle(() => leaks.some(({ stack }) => stack.includes("marker")));
    // Registries have their finalizers run apart from each other, and V8 may keep what was on the stack for one collection more.
    let more = 20;
    await settle(() => more-- === 0);
    expect(leaks.length, "the marker was not collected").to.be.greaterThan(before);
    return leaks.filter(({ stack }) => !stack.includes("marker"));
  };

  it("names a client that was not released, its interface, and where it was made", async () => {
    const forget = async (): Promise<void> => {
      const maker = client.bootstrap(Maker);
      await maker.read();
    };
    const found = await leaksOf(forget);
    expect(found).to.have.lengthOf(1);
    expect(found[0]).to.include({ what: "client" });
    expect(found[0]!.type).to.include("Maker");
    expect(found[0]!.stack).to.match(/forget/);
    expect(found[0]!.stack.split("\n")[0]).to.match(/^\s+at /);
  });

  it("names the call whose results held capabilities that were neither read nor released", async () => {
    const forget = async (): Promise<void> => {
      using maker = client.bootstrap(Maker);
      await maker.make();
    };
    const found = await leaksOf(forget);
    expect(found).to.have.lengthOf(1);
    expect(found[0]).to.include({ what: "message" });
    expect(found[0]!.stack).to.match(/forget/);
  });

  it("is silent about what was released, lent for a pipelined call, or lost with its connection", async () => {
    const careful = async (): Promise<void> => {
      using maker = client.bootstrap(Maker);
      await maker.make().made.read();
      const { made } = await maker.make();
      made.release();
      using second = maker.castAs(Maker);
      await second.read();
      using _results = maker.make();
      const { a: near, b: far } = memoryTransportPair();
      const gone: Loose = new TwoPartyClient(near);
      const other = new TwoPartyServer(far, { bootstrap: new MakerImpl() as Loose });
      await gone.bootstrap(Maker).read();
      await gone.close();
      await other.close();
    };
    expect(await leaksOf(careful)).to.deep.equal([]);
  });

  it("is turned on by CAPSTAN_LEAKS=1 in the environment, and prints warnings then", async () => {
    const processes = new Processes();
    const library = new URL("../../../lib/index.js", import.meta.url).href;
    const program = `
      const capnp = await import(${JSON.stringify(library)});
      const { Maker } = new capnp.SchemaParser().parse("@0xd3d3d3d3d3d3d3d3; interface Maker { read @0 (); }");
      class MakerImpl extends Maker.Server { read() {} }
      const forgetful = async () => { await new Maker.Client(new MakerImpl()).read(); };
      await forgetful();
      for (let i = 0; i < 50; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 1)); }
    `;
    const run = (env: Record<string, string>) =>
      processes.run(process.execPath, ["--expose-gc", "--input-type=module", "-e", program], { env });
    expect((await run({ CAPSTAN_LEAKS: "" })).stderr).to.equal("");
    const { stderr } = await run({ CAPSTAN_LEAKS: "1" });
    expect(stderr).to.match(/CapstanLeak: A client of \S*Maker was collected without having been released/);
    expect(stderr).to.include("forgetful");
  });
});
