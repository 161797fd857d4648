import { EventEmitter } from "node:events";
import { MessageChannel, Worker } from "node:worker_threads";
import { expect } from "chai";
import { CapnpError } from "../../lib/errors.ts";
import { encodeFrame } from "../../lib/serialization/framing.ts";
import { type IpcChannel, ipcTransport } from "../../lib/transport/ipc.ts";
import { messagePortTransport } from "../../lib/transport/message-port.ts";
import { childProcessTransport } from "../../lib/transport/pipes.ts";
import { Recorder, turn, words } from "./recorder.ts";

describe("message port transport", () => {
  it("posts a message in a buffer of its own, whatever the segments are views of", async () => {
    const { port1, port2 } = new MessageChannel();
    const posted: unknown[] = [];
    port2.on("message", (value) => posted.push(value));
    const transport = messagePortTransport(port1);
    const secret = new Uint8Array(1024).fill(7);
    transport.send([secret.subarray(8, 16)]);
    while (posted.length === 0) await turn();
    const frame = posted[0] as Uint8Array;
    expect(frame).to.deep.equal(encodeFrame([words(1, 7)]));
    expect(frame.buffer.byteLength).to.equal(frame.byteLength);
    transport.destroy();
  });

  it("ends the connection of a peer that posts what is no message, and tells it", async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(16));
    for (const [value, code] of [
      ["hello", "CAPNP_TYPE"],
      [{ some: "thing" }, "CAPNP_TYPE"],
      [new Uint16Array(8), "CAPNP_TYPE"],
      [-1, "CAPNP_TYPE"],
      [shared, "CAPNP_TYPE"],
      [new Uint8Array(3), "CAPNP_TRUNCATED"],
      [new Uint8Array(16).fill(0xff), "CAPNP_FRAME"],
    ] as const) {
      const { port1, port2 } = new MessageChannel();
      const told: unknown[] = [];
      port2.on("message", (one) => told.push(one));
      const recorder = new Recorder(messagePortTransport(port1, { closeTimeout: 20 }));
      port2.postMessage(value);
      expect(await recorder.ended(), String(value)).to.include({ code });
      // It may have said first how much it took.
      while (typeof (told.at(-1) ?? 0) === "number") await turn();
      expect(told.at(-1)).to.have.property("error").that.is.a("string");
      port2.close();
    }
  });

  it("hears of a port that is closed, and of a worker that ends or fails, where there is no other end", async () => {
    const { port1, port2 } = new MessageChannel();
    const atPort = new Recorder(messagePortTransport(port1));
    port2.close();
    expect(await atPort.ended()).to.include({ code: "CAPNP_DISCONNECTED" });
    for (const [script, why] of [
      ["setTimeout(() => process.exit(3), 10)", "code 3"],
      ['throw new Error("as it pleases")', "as it pleases"],
    ] as const) {
      const recorder = new Recorder(messagePortTransport(new Worker(script, { eval: true })));
      const error = await recorder.ended();
      expect(error).to.include({ code: "CAPNP_DISCONNECTED" });
      expect(error!.message).to.include(why);
    }
  });

  it("works where there are only events, as in a browser", async () => {
    const { port1, port2 } = new MessageChannel();
    const web = (port: typeof port1) => ({
      postMessage: (value: unknown, transfer: ArrayBuffer[]) => port.postMessage(value, transfer),
      addEventListener: (type: string, listener: (event: Event) => void) => port.addEventListener(type, listener),
      start: () => port.start(),
      close: () => port.close(),
    });
    const [a, b] = [messagePortTransport(web(port1)), messagePortTransport(web(port2))];
    const [atA, atB] = [new Recorder(a), new Recorder(b)];
    a.send([words(3, 1)]);
    b.send([words(3, 2)]);
    expect(await atB.received(1)).to.deep.equal([[words(3, 1)]]);
    expect(await atA.received(1)).to.deep.equal([[words(3, 2)]]);
    await Promise.all([a.close(), b.close()]);
    expect([atA.ends, atB.ends]).to.deep.equal([[undefined], [undefined]]);
  });
});

describe("IPC transport", () => {
  class FakeChannel extends EventEmitter {
    connected = true;
    readonly sent: unknown[] = [];
    send(message: unknown, callback: (error: Error | null) => void): boolean {
      this.sent.push(message);
      setImmediate(callback, null);
      return true;
    }
  }

  it("leaves messages that are not its own alone, and the channel in the end", async () => {
    const channel = new FakeChannel();
    const transport = ipcTransport(channel as IpcChannel);
    const recorder = new Recorder(transport);
    const others: unknown[] = [];
    channel.on("message", (message) => others.push(message));
    for (const message of ["text", 5, null, { type: "reload" }]) channel.emit("message", message);
    channel.emit("message", { capnp: Buffer.from(encodeFrame([words(1, 2)])).toString("base64") });
    expect(await recorder.received(1)).to.deep.equal([[words(1, 2)]]);
    expect(others).to.have.lengthOf(5);
    channel.emit("message", { capnp: null });
    await transport.close();
    expect(recorder.ends).to.deep.equal([undefined]);
    expect(channel.sent.at(-1)).to.deep.equal({ capnp: null });
    expect([channel.listenerCount("message"), channel.listenerCount("disconnect")]).to.deep.equal([1, 0]);
  });

  it("hears that the channel was closed, and needs one that is open", async () => {
    const channel = new FakeChannel();
    const recorder = new Recorder(ipcTransport(channel as IpcChannel));
    channel.emit("disconnect");
    expect(await recorder.ended()).to.include({ code: "CAPNP_DISCONNECTED" });
    channel.connected = false;
    expect(() => ipcTransport(channel as IpcChannel)).to.throw(CapnpError, "no open IPC channel");
  });

  it("does not take what is no base64 of a message for one", async () => {
    const channel = new FakeChannel();
    const recorder = new Recorder(ipcTransport(channel as IpcChannel));
    channel.emit("message", { capnp: "%%%" });
    expect(await recorder.ended()).to.include({ code: "CAPNP_TRUNCATED" });
  });
});

describe("child process transport", () => {
  it("says which standard stream is no pipe", () => {
    const child = { stdin: null, stdout: null, pid: 1 } as unknown as Parameters<typeof childProcessTransport>[0];
    expect(() => childProcessTransport(child)).to.throw(CapnpError, "standard input of this process is no pipe");
  });
});
