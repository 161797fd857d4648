import { expect } from "chai";
import * as wire from "../../lib/rpc/wire.ts";
import { readException } from "../../lib/rpc/wire-exception.ts";
import { errorCodes } from "../../lib/errors.ts";
import { expectError } from "../support/errors.ts";
import { MessageReader } from "../../lib/serialization/message.ts";
import { Struct } from "../../lib/serialization/struct.ts";
import type { Loose } from "../support/loose.ts";
import { encode, rpc } from "../support/rpc-messages.ts";

/** The structs of rpc.capnp under the names that wire.ts has for them. */
const structs: Readonly<Record<wire.StructName, Loose>> = {
  message: rpc.Message,
  bootstrap: rpc.Bootstrap,
  call: rpc.Call,
  return: rpc.Return,
  finish: rpc.Finish,
  resolve: rpc.Resolve,
  release: rpc.Release,
  disembargo: rpc.Disembargo,
  messageTarget: rpc.MessageTarget,
  payload: rpc.Payload,
  capDescriptor: rpc.CapDescriptor,
  promisedAnswer: rpc.PromisedAnswer,
  op: rpc.PromisedAnswer.Op,
  thirdPartyCapDescriptor: rpc.ThirdPartyCapDescriptor,
  exception: rpc.Exception,
  exceptionDetail: rpc.Exception.Detail,
};

/** The compiled slot of a field, `context.accept` for one in a group. */
const slot = (type: Loose, name: string): Loose => {
  let { schema } = type;
  const names = name.split(".");
  for (const group of names.slice(0, -1)) schema = schema.field(group).type.schema;
  return schema.field(names.at(-1)).node.body;
};

/** Where the tag of a struct's union, or of the union in a group of it, stands, in bytes. */
const tagAt = (type: Loose, group?: string): number => {
  const schema = group === undefined ? type.schema : type.schema.field(group).type.schema;
  return schema.node.body.discriminantOffset * 2;
};

describe("the fixed offsets of rpc.capnp", () => {
  it("give every struct the size that the compiled schema gives it", () => {
    expect(Object.keys(wire.sizes).sort()).to.deep.equal(Object.keys(structs).sort());
    for (const [name, type] of Object.entries(structs)) {
      const { dataBytes, pointerCount } = type.structClass ?? type.schema.structClass;
      expect(wire.sizes[name as wire.StructName], name).to.deep.equal({ data: dataBytes, pointers: pointerCount });
    }
  });

  it("have the tag of every message that this version of the schema knows", () => {
    const tags = Object.fromEntries(
      rpc.Message.schema.unionFields.map((field: Loose) => [field.name, field.discriminantValue]),
    );
    expect(wire.messageTag).to.deep.equal(tags);
    for (const [name, tag] of Object.entries(tags)) expect(wire.messageName(tag as number)).to.equal(name);
    expect(wire.messageName(14)).to.equal("message 14");
    expect(tagAt(rpc.Message)).to.equal(0);
  });

  it("have the place of every field that is read or written", () => {
    const bytes: [Loose, string, number][] = [
      [rpc.Bootstrap, "questionId", 0],
      [rpc.Call, "questionId", 0],
      [rpc.Call, "methodId", 4],
      [rpc.Call, "interfaceId", 8],
      [rpc.Return, "answerId", 0],
      [rpc.Return, "takeFromOtherQuestion", 8],
      [rpc.Finish, "questionId", 0],
      [rpc.Resolve, "promiseId", 0],
      [rpc.Release, "id", 0],
      [rpc.Release, "referenceCount", 4],
      [rpc.Disembargo, "context.senderLoopback", 0],
      [rpc.Disembargo, "context.receiverLoopback", 0],
      [rpc.MessageTarget, "importedCap", 0],
      [rpc.CapDescriptor, "senderHosted", 4],
      [rpc.CapDescriptor, "senderPromise", 4],
      [rpc.CapDescriptor, "receiverHosted", 4],
      [rpc.PromisedAnswer, "questionId", 0],
      [rpc.PromisedAnswer.Op, "getPointerField", 2],
      [rpc.ThirdPartyCapDescriptor, "vineId", 0],
      [rpc.Exception, "type", 4],
    ];
    const width: Record<string, number> = { uint16: 2, uint32: 4, uint64: 8, enum: 2 };
    for (const [type, name, at] of bytes) {
      const { offset, type: fieldType } = slot(type, name);
      expect(offset * (width[fieldType.which] as number), name).to.equal(at);
    }
    const bits: [Loose, string, number, boolean][] = [
      [rpc.Call, "onlyPromisePipeline", 130, false],
      [rpc.Return, "releaseParamCaps", 32, true],
      [rpc.Return, "noFinishNeeded", 33, false],
      [rpc.Finish, "releaseResultCaps", 32, true],
      [rpc.Finish, "requireEarlyCancellationWorkaround", 33, true],
    ];
    for (const [type, name, at, defaultValue] of bits) {
      expect(slot(type, name).offset, name).to.equal(at);
      expect(type.newMessage()[name], `default of ${name}`).to.equal(defaultValue);
    }
    const pointers: [Loose, string, number][] = [
      [rpc.Message, "call", 0],
      [rpc.Bootstrap, "deprecatedObjectId", 0],
      [rpc.Call, "target", 0],
      [rpc.Call, "params", 1],
      [rpc.Call, "sendResultsTo.thirdParty", 2],
      [rpc.Return, "results", 0],
      [rpc.Return, "exception", 0],
      [rpc.Resolve, "cap", 0],
      [rpc.Resolve, "exception", 0],
      [rpc.Disembargo, "target", 0],
      [rpc.MessageTarget, "promisedAnswer", 0],
      [rpc.Payload, "content", 0],
      [rpc.Payload, "capTable", 1],
      [rpc.CapDescriptor, "receiverAnswer", 0],
      [rpc.CapDescriptor, "thirdPartyHosted", 0],
      [rpc.PromisedAnswer, "transform", 0],
      [rpc.Exception, "reason", 0],
      [rpc.Exception, "trace", 1],
      [rpc.Exception, "details", 2],
      [rpc.Exception.Detail, "data", 0],
    ];
    for (const [type, name, at] of pointers) expect(slot(type, name).offset, name).to.equal(at);
    const tags: [Loose, string | undefined, number, string[]][] = [
      [rpc.Call, "sendResultsTo", 6, ["caller", "yourself", "thirdParty"]],
      [
        rpc.Return,
        undefined,
        6,
        ["results", "exception", "canceled", "resultsSentElsewhere", "takeFromOtherQuestion", "acceptFromThirdParty"],
      ],
      [rpc.Resolve, undefined, 4, ["cap", "exception"]],
      [rpc.Disembargo, "context", 4, ["senderLoopback", "receiverLoopback", "accept", "provide"]],
      [rpc.MessageTarget, undefined, 4, ["importedCap", "promisedAnswer"]],
      [
        rpc.CapDescriptor,
        undefined,
        0,
        ["none", "senderHosted", "senderPromise", "receiverHosted", "receiverAnswer", "thirdPartyHosted"],
      ],
      [rpc.PromisedAnswer.Op, undefined, 0, ["noop", "getPointerField"]],
    ];
    for (const [type, group, at, names] of tags) {
      expect(tagAt(type, group), type.schema.path).to.equal(at);
      const schema = group === undefined ? type.schema : type.schema.field(group).type.schema;
      expect(schema.unionFields.map((field: Loose) => field.name)).to.deep.equal(names);
    }
  });

  it("know the kinds of errors in the order of Exception.Type", () => {
    const kinds = [0, 1, 2, 3].map((type) => {
      const message = new wire.OutgoingMessage(wire.messageForms.abort);
      wire.setU16(message.at, 4, type);
      return readException(message.at, 100).kind;
    });
    expect(
      rpc.Exception.schema.field("type").type.schema.node.body.enumerants.map(({ name }: Loose) => name),
    ).to.deep.equal(kinds);
    expect(Object.values(errorCodes).every((kind) => kinds.includes(kind))).to.equal(true);
  });
});

describe("messages", () => {
  const targets: wire.MessageTarget[] = [
    { which: "importedCap", id: 0xfffffffe },
    { which: "promisedAnswer", questionId: 0x80000001, path: [] },
    { which: "promisedAnswer", questionId: 3, path: [0, 65535, 7] },
  ];
  const descriptors: wire.CapDescriptor[] = [
    { which: "none" },
    { which: "senderHosted", id: 1 },
    { which: "senderPromise", id: 0xffffffff },
    { which: "receiverHosted", id: 3 },
    { which: "receiverAnswer", questionId: 4, path: [1, 2] },
  ];

  const nameOf = (form: wire.MessageForm): string =>
    Object.entries(wire.messageForms).find(([, one]) => one === form)?.[0] ?? "";

  const reopened = (message: wire.OutgoingMessage): Struct =>
    wire.child(new MessageReader(message.segments).root(Struct), 0);

  it("begin each message as the compiled schema reads it", () => {
    const { call, results, disembargo } = wire.messageForms;
    for (const form of Object.values(wire.messageForms)) {
      const message = new wire.OutgoingMessage(form);
      const read = new MessageReader(message.segments).root<Loose>(rpc.Message.Reader);
      expect(read.which()).to.equal(form === wire.messageForms.results ? "return" : nameOf(form));
      expect(reopened(message).$data).to.equal(form.at);
    }
    const place = (form: wire.MessageForm, pointer: number): number =>
      wire.child(reopened(new wire.OutgoingMessage(form)), pointer).$data;
    expect([place(call, 0), place(call, 1)]).to.deep.equal([call.part(0), call.part(1)]);
    expect([place(results, 0), place(disembargo, 0)]).to.deep.equal([results.part(0), disembargo.part(0)]);
  });

  it("hold the targets that were written", () => {
    for (const target of targets) {
      const message = new wire.OutgoingMessage(wire.messageForms.call);
      wire.writeMessageTarget(message.part(wire.messageForms.call.part(0), "messageTarget"), target);
      expect(wire.readMessageTarget(wire.child(reopened(message), 0), 64)).to.deep.equal(target);
    }
  });

  it("hold the table of capabilities that was written, as the compiled schema reads it", () => {
    const message = new wire.OutgoingMessage(wire.messageForms.call);
    wire.writeCapTable(message.part(wire.messageForms.call.part(1), "payload"), descriptors);
    expect(wire.readCapTable(wire.child(reopened(message), 1), 5, 64)).to.deep.equal(descriptors);
    const { capTable } = new MessageReader(message.segments).root<Loose>(rpc.Message.Reader).call.params;
    expect([...capTable].map((cap: Loose) => cap.which())).to.deep.equal(descriptors.map(({ which }) => which));
    for (const cap of capTable) expect(cap.attachedFd).to.equal(0xff);
    expectError("CAPNP_LIMIT", () => wire.readCapTable(wire.child(reopened(message), 1), 4, 64), "5 capabilities");
  });

  it("cannot describe a capability of a third party", () => {
    const message = new wire.OutgoingMessage(wire.messageForms.resolve);
    const at = wire.initChild(message.at, 0, "capDescriptor");
    expectError("CAPNP_PROTOCOL", () => wire.writeCapDescriptor(at, { which: "thirdPartyHosted", vineId: 1 }));
  });

  it("of an older version of the protocol read the fields that they lack as their defaults", () => {
    const short = new Struct(new MessageReader([new Uint8Array(8)]).rootSegment, 0, 2, 0, 10);
    expect([wire.u8(short, 2), wire.u16(short, 2), wire.u32(short, 0), wire.u64(short, 0)]).to.deep.equal([
      0,
      0,
      0,
      0n,
    ]);
    expect(wire.bit(short, 33)).to.equal(false);
    expect(wire.hasPointer(short, 0)).to.equal(false);
    expect(wire.child(short, 0)).to.include({ $dataBytes: 0, $pointerCount: 0 });
    expect(readException(short, 100)).to.deep.equal({ kind: "failed", reason: "" });
    expect(wire.readCapTable(short, 1, 64)).to.deep.equal([]);
  });

  it("may have a transform or a table in the place of what is none: it is an error", () => {
    const message = rpc.Message.newMessage();
    const payload = message.init("call").params;
    payload.$segment.view.setInt32(payload.$data + payload.$dataBytes + 8, 0, true);
    payload.$segment.view.setInt32(payload.$data + payload.$dataBytes + 12, 1, true);
    const [segment] = encode(message);
    const read = wire.child(wire.child(new MessageReader([segment as Uint8Array]).root(Struct), 0), 1);
    expectError("CAPNP_POINTER_KIND", () => wire.readCapTable(read, 10, 64));
  });
});
