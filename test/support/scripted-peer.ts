import { expect } from "chai";
import { setCapabilityIndex } from "../../lib/serialization/pointer-builder.ts";
import { pointerPosition, type Struct } from "../../lib/serialization/struct.ts";
import { type MemoryTransportPair, memoryTransportPair } from "../../lib/transport/memory.ts";
import { TwoPartyServer } from "../../lib/stream-vat.ts";
import type { VatOptions } from "../../lib/two-party-vat.ts";
import type { Loose } from "./loose.ts";
import { decode, describeMessage, encode, rpc, testSchema } from "./rpc-messages.ts";
import { emptyTables, Servers, settle, tablesOf } from "./vats.ts";

/** Makes a pointer of a struct that is being built a capability pointer, whether the table has such an entry or not. */
export const setIndex = (struct: Struct, pointer: number, index: number): void =>
  setCapabilityIndex(struct.$segment, pointerPosition(struct, pointer), index);

/** A vat, and a peer of it that sends exactly what the test says. */
export class ScriptedPeer {
  readonly pair: MemoryTransportPair = memoryTransportPair({ mode: "stepped" });
  readonly vat: TwoPartyServer;
  readonly servers: Servers;
  /** What the vat has sent. */
  readonly received: Loose[] = [];
  /** The raw segments of it. */
  readonly frames: Uint8Array[][] = [];
  isClosed = false;

  constructor(options: VatOptions = {}, servers: Servers = new Servers()) {
    this.servers = servers;
    this.vat = new TwoPartyServer(this.pair.a, options);
    this.pair.b.start({
      message: (segments) => {
        this.frames.push(segments);
        this.received.push(decode(segments));
      },
      closed: () => {
        this.isClosed = true;
      },
    });
  }

  /** A vat that exposes a node with these methods. */
  static ofNode(methods: Loose = {}, options: VatOptions = {}): ScriptedPeer {
    const servers = new Servers();
    return new ScriptedPeer({ ...options, bootstrap: servers.make(methods) }, servers);
  }

  /** Sends a message, given as a plain object or filled in by a function. */
  send(message: object | ((message: Loose) => void)): this {
    const builder = rpc.Message.newMessage(typeof message === "function" ? undefined : message);
    if (typeof message === "function") message(builder);
    return this.sendSegments(encode(builder));
  }

  sendSegments(segments: readonly Uint8Array[]): this {
    this.pair.b.send(segments);
    return this;
  }

  /** Bootstraps: question `questionId`, whose answer is export 0 where nothing was exported before. */
  bootstrap(questionId = 0): this {
    return this.send({ bootstrap: { questionId } });
  }

  /** Calls a method of Node. The params are filled in by a function, as is the rest of the message. */
  call(
    questionId: number,
    target: object,
    method: string,
    params: (params: Loose) => void = () => undefined,
    rest: (call: Loose) => void = () => undefined,
  ): this {
    const schema = testSchema.Node.schema.allMethods.get(method);
    return this.send((message) => {
      const call = message.init("call");
      call.questionId = questionId;
      call.target = target;
      call.interfaceId = schema.interfaceId;
      call.methodId = schema.ordinal;
      params(call.params.content.init(schema.params.structClass));
      rest(call);
    });
  }

  /** Returns results of a method of Node. */
  return(
    answerId: number,
    method: string,
    fill: (results: Loose, ret: Loose) => void = () => undefined,
    flags: object = { releaseParamCaps: false },
  ): this {
    const schema = testSchema.Node.schema.allMethods.get(method);
    return this.send((message) => {
      const ret = message.init("return");
      for (const [name, value] of Object.entries({ answerId, ...flags })) ret[name] = value;
      fill(ret.init("results").content.init(schema.results.structClass), ret);
    });
  }

  /** Delivers everything until both sides are quiet. */
  async settle(): Promise<void> {
    await settle(this.pair);
    expect(this.vat.check(), "contradictions in the tables").to.deep.equal([]);
  }

  /** Settles and returns what the vat has sent since the last time. */
  async heard(): Promise<Loose[]> {
    await this.settle();
    this.frames.length = 0;
    return this.received.splice(0);
  }

  /** The same, each message in a line. */
  async lines(): Promise<string[]> {
    return (await this.heard()).map(describeMessage);
  }

  /** The connection is expected to have been aborted by the vat, for a reason that the text matches. */
  async expectAbort(reason: RegExp | string): Promise<void> {
    const heard = await this.heard();
    const abort = heard.at(-1);
    expect(abort?.which(), heard.map(describeMessage).join()).to.equal("abort");
    expect(abort.abort.reason).to.match(typeof reason === "string" ? new RegExp(reason) : reason);
    expect(this.isClosed, "closed").to.equal(true);
    await this.expectEmptyAfterClose();
  }

  /** Proves that nothing is left, and ends the connection. */
  async expectEmpty(): Promise<void> {
    const rest = await this.lines();
    expect(rest.filter((line) => line === "abort")).to.deep.equal([]);
    expect(tablesOf(this.vat.stats()), "tables").to.deep.equal(emptyTables);
    await this.expectEmptyAfterClose();
  }

  async expectEmptyAfterClose(): Promise<void> {
    const closed = this.vat.close();
    await this.settle();
    await closed;
    expect(tablesOf(this.vat.stats()), "tables").to.deep.equal(emptyTables);
    this.servers.expectDisposed();
  }
}
