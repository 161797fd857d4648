import { expect } from "chai";
import { WebSocket } from "ws";
import * as browser from "../../lib/browser.ts";
import * as capnp from "../../lib/index.ts";
import { Calculator } from "../../servers/calculator/calculator.capnp.ts";
import { CalculatorImpl } from "../../servers/calculator/server.ts";
import { rejection } from "../transport/recorder.ts";
import { StandardSocket } from "../transport/standard-socket.ts";

/** What a browser has. */
class PlatformSocket extends StandardSocket {
  constructor(address: string) {
    super(new WebSocket(address));
  }
}

describe("connect of the browser entry", () => {
  const platform = globalThis as { WebSocket?: unknown };
  const { WebSocket: before } = platform;
  let server: capnp.RpcServer;
  const open: { close(): Promise<void> }[] = [];

  const serve = async (address = "ws://127.0.0.1:0/rpc"): Promise<void> => {
    server = await capnp.listen(address, { bootstrap: () => new CalculatorImpl() });
  };
  const evaluate = async (client: browser.TwoPartyClient | browser.RpcClient, literal: number): Promise<number> => {
    using calculator = client.bootstrap(Calculator);
    return (await calculator.evaluate({ expression: { literal } }).value.read()).value;
  };

  beforeEach(async () => {
    platform.WebSocket = PlatformSocket;
    await serve();
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((client) => client.close()));
    await server.close();
    platform.WebSocket = before;
  });

  it("connects over the platform's WebSocket, and tells its state", async () => {
    const client = await browser.connect(server.address);
    open.push(client);
    expect(client).to.be.instanceOf(browser.TwoPartyClient);
    expect(await evaluate(client, 7)).to.equal(7);
    const states: string[] = [];
    client.state$.subscribe((state) => states.push(state));
    await client.close();
    client.state$.subscribe((state) => states.push(`later ${state}`));
    expect(states).to.deep.equal(["connected", "closed", "later closed"]);
  });

  it("outlives its connections where it is asked to", async () => {
    const sessions: number[] = [];
    const client = await browser.connect(server.address, {
      reconnect: { minDelay: 5, maxDelay: 20 },
      onSession: (session) => {
        sessions.push(session.number);
      },
    });
    open.push(client);
    using calculator = client.bootstrap(Calculator);
    const value = async (literal: number) =>
      (await calculator.evaluate({ expression: { literal } }).value.read()).value;
    expect(await value(1)).to.equal(1);
    const { address } = server;
    await server.close();
    await client.session?.closed;
    const waiting = value(2);
    await serve(address);
    expect(await waiting).to.equal(2);
    expect(sessions).to.deep.equal([1, 2]);
    expect(client.state).to.equal("connected");
  });

  it("tries its addresses in turn", async () => {
    const client = await browser.connect(["ws://127.0.0.1:1/", server.address]);
    open.push(client);
    expect(client.peer.address).to.equal(server.address);
    const failure = await rejection(browser.connect(["ws://127.0.0.1:1/", "ws://127.0.0.1:2/"]));
    expect(failure).to.include({ code: "CAPNP_CONNECT", kind: "disconnected" });
    expect(failure.message).to.include("none of 2 servers can be reached");
  });

  it("says what an address may be, and what it cannot do", async () => {
    expect(await rejection(browser.connect("127.0.0.1:60000"))).to.include({ code: "CAPNP_ADDRESS" });
    expect(await rejection(browser.connect([]))).to.include({ code: "CAPNP_ADDRESS" });
    expect(await rejection(browser.connect(7 as never))).to.include({ code: "CAPNP_ADDRESS" });
    expect(await rejection(browser.connect(server.address, { pick: "last" as never }))).to.include({
      code: "CAPNP_RANGE",
    });
    expect(await rejection(browser.connect(server.address, { keepalive: { idle: -1 } }))).to.include({
      code: "CAPNP_RANGE",
    });
    delete platform.WebSocket;
    const failure = await rejection(browser.connect(server.address));
    expect(failure).to.include({ code: "CAPNP_CONNECT", kind: "unimplemented" });
  });

  it("gives up when its time is over, or when it is told to", async () => {
    const hanging = class extends PlatformSocket {
      override addEventListener(type: string, listener: (event: never) => void): void {
        if (type !== "open") super.addEventListener(type, listener);
      }
    };
    platform.WebSocket = hanging;
    const late = await rejection(browser.connect(server.address, { connectTimeout: 20 }));
    expect(late).to.include({ code: "CAPNP_CONNECT" });
    expect(late.message).to.include("within 20 ms");
    const controller = new AbortController();
    const given = rejection(browser.connect(server.address, { signal: controller.signal }));
    controller.abort();
    expect(await given).to.include({ code: "CAPNP_CANCELED" });
  });
});
