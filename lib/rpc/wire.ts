import { CapnpError } from "../errors.ts";
import { MessageBuilder, MessageReader } from "../serialization/message.ts";
import { initStruct, initStructList } from "../serialization/pointer-builder.ts";
import type { ReaderOptions } from "../serialization/read-limiter.ts";
import { followPointer, resolveBytes, resolveList, target } from "../serialization/resolve-pointer.ts";
import type { Segment } from "../serialization/segment.ts";
import { pointerPosition, readStruct, Struct } from "../serialization/struct.ts";
import { decodeText } from "../serialization/blob.ts";
import { elementSize } from "../serialization/wire-pointer.ts";
import { giveMemory, type MessageMemory, takeMemory } from "./message-memory.ts";
import { giveSegmentMemory, takeSegmentMemory } from "./segment-memory.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";

/**
 * The structures of rpc.capnp at fixed offsets. A test holds every number here against the compiled rpc.capnp.
 *
 * Sizes are bytes of data and pointers, as this version of the protocol has them; a peer's may be smaller or larger.
 */
export const messageTag = {
  unimplemented: 0,
  abort: 1,
  call: 2,
  return: 3,
  finish: 4,
  resolve: 5,
  release: 6,
  obsoleteSave: 7,
  bootstrap: 8,
  obsoleteDelete: 9,
  provide: 10,
  accept: 11,
  join: 12,
  disembargo: 13,
} as const;

/** The union of `Return`. */
export const returnTag = {
  results: 0,
  exception: 1,
  canceled: 2,
  resultsSentElsewhere: 3,
  takeFromOtherQuestion: 4,
  acceptFromThirdParty: 5,
} as const;

const tagNames = new Map<number, string>(Object.entries(messageTag).map(([name, tag]) => [tag, name]));

/** `call`, `return`, ... or the number of a message that this version does not know. */
export const messageName = (tag: number): string => tagNames.get(tag) ?? `message ${tag}`;

export const sizes = {
  message: { data: 8, pointers: 1 },
  bootstrap: { data: 8, pointers: 1 },
  call: { data: 24, pointers: 3 },
  return: { data: 16, pointers: 1 },
  finish: { data: 8, pointers: 0 },
  resolve: { data: 8, pointers: 1 },
  release: { data: 8, pointers: 0 },
  disembargo: { data: 8, pointers: 1 },
  messageTarget: { data: 8, pointers: 1 },
  payload: { data: 0, pointers: 2 },
  capDescriptor: { data: 8, pointers: 1 },
  promisedAnswer: { data: 8, pointers: 1 },
  op: { data: 8, pointers: 0 },
  thirdPartyCapDescriptor: { data: 8, pointers: 1 },
  exception: { data: 8, pointers: 3 },
  exceptionDetail: { data: 8, pointers: 1 },
} as const;

export type StructName = keyof typeof sizes;

// Reading

export const u8 = (s: Struct, at: number): number =>
  at < s.$dataBytes ? (s.$segment.bytes[s.$data + at] as number) : 0;
export const u16 = (s: Struct, at: number): number =>
  at + 2 <= s.$dataBytes ? s.$segment.view.getUint16(s.$data + at, true) : 0;
export const u32 = (s: Struct, at: number): number =>
  at + 4 <= s.$dataBytes ? s.$segment.view.getUint32(s.$data + at, true) : 0;
export const u64 = (s: Struct, at: number): bigint =>
  at + 8 <= s.$dataBytes ? s.$segment.view.getBigUint64(s.$data + at, true) : 0n;
/** A Bool at a bit offset, whose default is false. */
export const bit = (s: Struct, at: number): boolean => (u8(s, at >> 3) & (1 << (at & 7))) !== 0;

/** A struct behind a pointer of a struct; an empty one where that is null. */
export const child = (s: Struct, index: number): Struct =>
  index < s.$pointerCount
    ? readStruct(Struct, s.$segment, pointerPosition(s, index), s.$depth)
    : readStruct(Struct, emptyPointer, 0, 0);

const emptyPointer: Segment = new MessageReader([new Uint8Array(8)]).rootSegment;

/**
 * A text behind a pointer of a struct, of which no more than so many bytes are read. What is no text reads as empty: it only
 * serves people.
 */
export const text = (s: Struct, index: number, limit: number): string => {
  if (index >= s.$pointerCount) return "";
  if (!resolveBytes(s.$segment, pointerPosition(s, index), "Text") || target.length === 0) return "";
  const { segment, start, length } = target;
  const all = length - 1;
  if (all <= limit) return decodeText(segment.bytes, start, start + all);
  let end = start + limit;
  // Not in the middle of a character: its bytes after the first begin with the bits 10.
  while (end > start && ((segment.bytes[end] as number) & 0xc0) === 0x80) end--;
  return `${decodeText(segment.bytes, start, end)}... (${start + all - end} bytes more)`;
};

/** A call's target, or what a disembargo names. */
export type MessageTarget =
  | { readonly which: "importedCap"; readonly id: number }
  | { readonly which: "promisedAnswer"; readonly questionId: number; readonly path: readonly number[] };

/** Structs of a list behind a pointer, one at a time, until `visit` returns false. */
export const forEachStruct = (s: Struct, index: number, visit: (element: Struct) => unknown): void => {
  if (!findStructs(s, index)) return;
  const { segment, start, length, stepBits, dataBytes, pointerCount } = target;
  for (let i = 0; i < length; i++) {
    if (visit(new Struct(segment, start + (i * stepBits) / 8, dataBytes, pointerCount, s.$depth - 1)) === false) return;
  }
};

/** Leaves a list of structs in `target`; false where there is none. */
const findStructs = (s: Struct, index: number): boolean => {
  if (index >= s.$pointerCount) return false;
  return resolveList(s.$segment, pointerPosition(s, index), elementSize.inlineComposite, s.$depth);
};

/** Refuses the list in `target` where it is longer than a limit, the option of that name. */
const atMost = (limit: number, what: string, option: string): void => {
  if (target.length <= limit) return;
  throw new CapnpError("CAPNP_LIMIT", `A message has ${target.length} ${what}; the limit is ${limit} (${option}).`);
};

/**
 * `PromisedAnswer.transform`, of which nearly every one has one step.
 *
 * @param maxOps The longest that is accepted, noops included.
 */
const readTransform = (s: Struct, maxOps: number): number[] => {
  let path: number[] | undefined;
  if (!findStructs(s, 0)) return [];
  atMost(maxOps, "operations in a transform", "maxTransformOps");
  const { segment, start, length, stepBits, dataBytes } = target;
  const { view } = segment;
  for (let i = 0; i < length; i++) {
    const at = start + (i * stepBits) / 8;
    const which = dataBytes >= 2 ? view.getUint16(at, true) : 0;
    if (which === 1) {
      const step = dataBytes >= 4 ? view.getUint16(at + 2, true) : 0;
      if (path === undefined) path = [step];
      else path.push(step);
    } else if (which !== 0) throw protocolError(`unknown PromisedAnswer.Op ${which}`);
  }
  return path ?? [];
};

export const readMessageTarget = (s: Struct, maxOps: number): MessageTarget => {
  const which = u16(s, 4);
  switch (which) {
    case 0:
      return { which: "importedCap", id: u32(s, 0) };
    case 1: {
      const answer = child(s, 0);
      return { which: "promisedAnswer", questionId: u32(answer, 0), path: readTransform(answer, maxOps) };
    }
    default:
      throw protocolError(`unknown MessageTarget ${which}`);
  }
};

export type CapDescriptor =
  | { readonly which: "none" }
  | { readonly which: "senderHosted" | "senderPromise" | "receiverHosted"; readonly id: number }
  | { readonly which: "receiverAnswer"; readonly questionId: number; readonly path: readonly number[] }
  /** Level 3; at level 1 the vine stands for the capability. */
  | { readonly which: "thirdPartyHosted"; readonly vineId: number };

export const readCapDescriptor = (s: Struct, maxOps: number): CapDescriptor => {
  const which = u16(s, 0);
  switch (which) {
    case 0:
      return { which: "none" };
    case 1:
      return { which: "senderHosted", id: u32(s, 4) };
    case 2:
      return { which: "senderPromise", id: u32(s, 4) };
    case 3:
      return { which: "receiverHosted", id: u32(s, 4) };
    case 4: {
      const answer = child(s, 0);
      return { which: "receiverAnswer", questionId: u32(answer, 0), path: readTransform(answer, maxOps) };
    }
    case 5:
      return { which: "thirdPartyHosted", vineId: u32(child(s, 0), 0) };
    default:
      throw protocolError(`unknown CapDescriptor ${which}`);
  }
};

const noDescriptors: readonly CapDescriptor[] = [];

/** The descriptors of a payload's capabilities. */
export const readCapTable = (payload: Struct, limit: number, maxOps: number): readonly CapDescriptor[] => {
  if (!findStructs(payload, 1) || target.length === 0) return noDescriptors;
  atMost(limit, "capabilities", "maxCapabilitiesPerMessage");
  const { segment, start, length, stepBits, dataBytes, pointerCount } = target;
  const at = (i: number): CapDescriptor => {
    const s = new Struct(segment, start + (i * stepBits) / 8, dataBytes, pointerCount, payload.$depth - 1);
    return readCapDescriptor(s, maxOps);
  };
  const descriptors = [at(0)];
  for (let i = 1; i < length; i++) descriptors.push(at(i));
  return descriptors;
};

/** True where the pointer of a struct is not null. */
export const hasPointer = (s: Struct, index: number): boolean =>
  index < s.$pointerCount && followPointer(s.$segment, pointerPosition(s, index));

export const protocolError = (what: string): CapnpError =>
  new CapnpError("CAPNP_PROTOCOL", `The peer broke the RPC protocol: ${what}.`);

export const openMessage = (segments: readonly Uint8Array[], options?: ReaderOptions): MessageReader =>
  new MessageReader(segments, options);

// Writing

/**
 * How a message begins: a `Message` of a tag, the struct that its pointer leads to, and the structs behind that one's first pointers.
 * All of it is the same words each time, so it is copied and not built.
 */
export class MessageForm {
  readonly #tag: number;
  readonly name: StructName;
  readonly #parts: readonly StructName[];
  #words: Uint8Array | undefined;
  /** Byte offset of the struct that the message is about; the root pointer and the `Message` come before it. */
  readonly at = 8 + sizes.message.data + 8 * sizes.message.pointers;

  constructor(tag: number, name: StructName, ...parts: StructName[]) {
    this.#tag = tag;
    this.name = name;
    this.#parts = parts;
  }

  get words(): Uint8Array {
    this.#words ??= this.#build();
    return this.#words;
  }

  /** Byte offset of a part. They follow each other. */
  part(index: number): number {
    let at = this.at + bytesOf(this.name);
    for (const part of this.#parts.slice(0, index)) at += bytesOf(part);
    return at;
  }

  #build(): Uint8Array {
    const builder = new MessageBuilder();
    const message = builder.initRoot(Struct, sizes.message.data, sizes.message.pointers);
    setU16(message, 0, this.#tag);
    const child = initChild(message, 0, this.name);
    for (const [index, part] of this.#parts.entries()) initChild(child, index, part);
    return builder.segments()[0] as Uint8Array;
  }
}

const bytesOf = (name: StructName): number => sizes[name].data + 8 * sizes[name].pointers;

export const messageForms = {
  abort: new MessageForm(messageTag.abort, "exception"),
  bootstrap: new MessageForm(messageTag.bootstrap, "bootstrap"),
  call: new MessageForm(messageTag.call, "call", "messageTarget", "payload"),
  disembargo: new MessageForm(messageTag.disembargo, "disembargo", "messageTarget"),
  finish: new MessageForm(messageTag.finish, "finish"),
  release: new MessageForm(messageTag.release, "release"),
  resolve: new MessageForm(messageTag.resolve, "resolve"),
  results: new MessageForm(messageTag.return, "return", "payload"),
  /** A Return that brings no results. */
  return: new MessageForm(messageTag.return, "return"),
} as const;

/** A message on its way out, begun as its form says; `at` is the struct that it is about. */
export class OutgoingMessage {
  builder: MessageBuilder;
  readonly at: Struct;
  /** Undefined once it was given back. */
  #memory: MessageMemory | undefined;
  #isSent = false;
  #isDone = false;

  constructor(form: MessageForm) {
    const memory = takeMemory();
    this.#memory = memory;
    this.builder = builderIn(memory);
    const { words, at, name } = form;
    const { rootSegment } = this.builder;
    // Its first word, for the root pointer, is there already.
    rootSegment.allocate(words.length - 8);
    memory.bytes.set(words);
    const { data, pointers } = sizes[name];
    this.at = new Struct(rootSegment, at, data, pointers, unlimitedNesting);
  }

  /** A struct that the form has begun. */
  part(at: number, name: StructName): Struct {
    const { data, pointers } = sizes[name];
    return new Struct(this.builder.rootSegment, at, data, pointers, unlimitedNesting);
  }

  /** To be sent, or looked at. Good until the message is both sent and done. */
  get segments(): Uint8Array[] {
    return this.builder.arena.lend();
  }

  get bytes(): number {
    let bytes = 0;
    const { segments } = this.builder.arena;
    for (let i = 0; i < segments.length; i++) bytes += (segments[i] as Segment).end;
    return bytes;
  }

  /** The transport is through with its segments. */
  sent(): void {
    this.#isSent = true;
    if (this.#isDone) this.#giveBack();
  }

  /** Nobody will read or write it any more. */
  done(): void {
    this.#isDone = true;
    if (this.#isSent) this.#giveBack();
  }

  #giveBack(): void {
    const memory = this.#memory;
    const { builder } = this;
    const { rootSegment, arena } = builder;
    if (memory === undefined || rootSegment.isExposed) return;
    this.#memory = undefined;
    if (arena.segments.length > 1) arena.detachFurther(giveSegmentMemory);
    const used = rootSegment.end;
    if (arena.end()) {
      // It may be the builder of another message in a moment, which is none of ours.
      this.builder = noBuilder;
      memory.builder = builder;
    }
    giveMemory(memory, used);
  }
}

const builderIn = (memory: MessageMemory): MessageBuilder => {
  const { bytes, view, builder: known } = memory;
  if (known !== undefined) {
    memory.builder = undefined;
    known.begin(bytes, view);
    return known;
  }
  const builder = new MessageBuilder(undefined, bytes, undefined, undefined, view);
  builder.arena.releasedByOwner = true;
  builder.arena.newMemory = takeSegmentMemory;
  return builder;
};

/** Of messages that were given back. */
const noBuilder = new MessageBuilder({ firstSegmentWords: 1 });
noBuilder.arena.end();

export const setU16 = (s: Struct, at: number, value: number): void =>
  s.$segment.view.setUint16(s.$data + at, value, true);
export const setU32 = (s: Struct, at: number, value: number): void =>
  s.$segment.view.setUint32(s.$data + at, value, true);
export const setU64 = (s: Struct, at: number, value: bigint): void =>
  s.$segment.view.setBigUint64(s.$data + at, value, true);
export const setBit = (s: Struct, at: number): void => {
  const byte = s.$data + (at >> 3);
  s.$segment.bytes[byte] = (s.$segment.bytes[byte] as number) | (1 << (at & 7));
};

export const initChild = (s: Struct, index: number, name: StructName): Struct => {
  const { data, pointers } = sizes[name];
  initStruct(s.$segment, pointerPosition(s, index), data, pointers);
  return new Struct(target.segment, target.start, data, pointers, unlimitedNesting);
};

const writePromisedAnswer = (s: Struct, questionId: number, path: readonly number[]): void => {
  setU32(s, 0, questionId);
  if (path.length === 0) return;
  initStructList(s.$segment, pointerPosition(s, 0), path.length, sizes.op.data, sizes.op.pointers);
  const { view } = target.segment;
  path.forEach((index, i) => {
    view.setUint16(target.start + i * 8, 1, true);
    view.setUint16(target.start + i * 8 + 2, index, true);
  });
};

export const writeMessageTarget = (s: Struct, to: MessageTarget): void => {
  if (to.which === "importedCap") {
    setU32(s, 0, to.id);
    setU16(s, 4, 0);
  } else {
    setU16(s, 4, 1);
    writePromisedAnswer(initChild(s, 0, "promisedAnswer"), to.questionId, to.path);
  }
};

export const writeCapDescriptor = (s: Struct, descriptor: CapDescriptor): void => {
  // attachedFd is 0xff where there is none, which is its default: zero on the wire
  switch (descriptor.which) {
    case "none":
      return;
    case "senderHosted":
    case "senderPromise":
    case "receiverHosted":
      setU16(s, 0, descriptor.which === "senderHosted" ? 1 : descriptor.which === "senderPromise" ? 2 : 3);
      setU32(s, 4, descriptor.id);
      return;
    case "receiverAnswer":
      setU16(s, 0, 4);
      writePromisedAnswer(initChild(s, 0, "promisedAnswer"), descriptor.questionId, descriptor.path);
      return;
    case "thirdPartyHosted":
      throw protocolError("a third-party capability cannot be described at level 1");
  }
};

/** Writes a payload's table of capabilities. */
export const writeCapTable = (payload: Struct, descriptors: readonly CapDescriptor[]): void => {
  if (descriptors.length === 0) return;
  const { data, pointers } = sizes.capDescriptor;
  initStructList(payload.$segment, pointerPosition(payload, 1), descriptors.length, data, pointers);
  const { segment, start } = target;
  descriptors.forEach((descriptor, i) => {
    writeCapDescriptor(new Struct(segment, start + i * (data + pointers * 8), data, pointers, 0), descriptor);
  });
};
