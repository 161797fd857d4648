import type { Struct } from "../../serialization/struct.ts";
import { Struct as StructClass } from "../../serialization/struct.ts";
import {
  bit,
  type CapDescriptor,
  child,
  type MessageTarget,
  messageName,
  messageTag,
  openMessage,
  readCapDescriptor,
  readCapTable,
  readMessageTarget,
  u16,
  u32,
  u64,
} from "../wire.ts";
import { readException } from "../wire-exception.ts";

/** Hears of every message of a connection, in one line for people. */
export type Trace = (line: string) => void;

/** What people call a method; undefined where nobody knows. */
export type NameMethod = (interfaceId: bigint, methodId: number) => string | undefined;

/** A message of any size is one line of bounded length. */
const most = { capabilities: 8, steps: 64, text: 200 };

const returns = [
  "results",
  "exception",
  "canceled",
  "resultsSentElsewhere",
  "takeFromOtherQuestion",
  "acceptFromThirdParty",
];
const contexts = ["senderLoopback", "receiverLoopback", "accept", "provide"];

const describePath = ({ questionId, path }: { questionId: number; path: readonly number[] }): string =>
  `${questionId}[${path.join()}]`;

const describeTarget = (s: Struct): string => {
  const to: MessageTarget = readMessageTarget(s, most.steps);
  return to.which === "importedCap" ? `export ${to.id}` : `answer ${describePath(to)}`;
};

const describeCap = (cap: CapDescriptor): string => {
  if (cap.which === "none") return "none";
  if (cap.which === "receiverAnswer") return `receiverAnswer ${describePath(cap)}`;
  return `${cap.which} ${cap.which === "thirdPartyHosted" ? cap.vineId : cap.id}`;
};

const describeCaps = (payload: Struct): string => {
  const caps = readCapTable(payload, 65_536, most.steps);
  if (caps.length === 0) return "";
  const more = caps.length > most.capabilities ? `, and ${caps.length - most.capabilities} more` : "";
  return ` with ${caps.slice(0, most.capabilities).map(describeCap).join(", ")}${more}`;
};

const describeException = (s: Struct): string => {
  const { kind, reason } = readException(s, most.text);
  return `${kind}: ${reason.replace(unprintable, escaped)}`;
};

/** Text of a peer's that would end the line, control a terminal or turn the line's direction: it could forge lines of its own. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;
const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/**
 * Writes the trace of a connection: `-> call 0 to export 1: Calculator.evaluate`, with an arrow for the direction, ids as the
 * sender of the message has them, and the names of methods where they are known.
 */
export class Tracer {
  readonly #trace: Trace;
  readonly #nameMethod: NameMethod;
  /** Names of the methods that were called, by the id of the question, until they return. */
  readonly #called = { "->": new Map<number, string>(), "<-": new Map<number, string>() };

  constructor(trace: Trace, nameMethod: NameMethod) {
    this.#trace = trace;
    this.#nameMethod = nameMethod;
  }

  sent(segments: readonly Uint8Array[]): void {
    this.#message("->", segments);
  }

  received(segments: readonly Uint8Array[]): void {
    this.#message("<-", segments);
  }

  #message(arrow: "->" | "<-", segments: readonly Uint8Array[]): void {
    let text: string;
    try {
      text = this.#describe(arrow, openMessage(segments).root(StructClass));
    } catch (error) {
      text = `what cannot be read: ${(error as Error).message}`;
    }
    this.#trace(`${arrow} ${text}`);
  }

  #describe(arrow: "->" | "<-", message: Struct): string {
    const tag = u16(message, 0);
    const s = child(message, 0);
    switch (tag) {
      case messageTag.bootstrap:
        return `bootstrap ${u32(s, 0)}`;
      case messageTag.call:
        return this.#call(arrow, s);
      case messageTag.return:
        return this.#return(arrow, s);
      case messageTag.finish:
        return `finish ${u32(s, 0)}${bit(s, 32) ? "" : ", releasing what it returned"}`;
      case messageTag.resolve: {
        const to =
          u16(s, 4) === 1 ? describeException(child(s, 0)) : describeCap(readCapDescriptor(child(s, 0), most.steps));
        return `resolve ${u32(s, 0)} to ${to}`;
      }
      case messageTag.release:
        return `release ${u32(s, 0)} x${u32(s, 4)}`;
      case messageTag.disembargo: {
        const context = contexts[u16(s, 4)] ?? `context ${u16(s, 4)}`;
        return `disembargo ${context} ${u32(s, 0)} to ${describeTarget(child(s, 0))}`;
      }
      case messageTag.abort:
        return `abort, ${describeException(s)}`;
      case messageTag.unimplemented: {
        const inner = u16(s, 0);
        const id = u32(child(s, 0), 0);
        return `unimplemented ${messageName(inner)} ${id}`;
      }
      default:
        return messageName(tag);
    }
  }

  #call(arrow: "->" | "<-", s: Struct): string {
    const id = u32(s, 0);
    const interfaceId = u64(s, 8);
    const methodId = u16(s, 4);
    const name = this.#nameMethod(interfaceId, methodId) ?? `0x${interfaceId.toString(16)}.${methodId}`;
    const forPipeline = bit(s, 130);
    if (!forPipeline) this.#called[arrow].set(id, name);
    const to = [" ", " (results stay) ", " (results to a third party) "][u16(s, 6)] ?? " ";
    return `call ${id}${forPipeline ? " (for its pipeline)" : ""}${to}to ${describeTarget(child(s, 0))}: ${name}${describeCaps(child(s, 1))}`;
  }

  #return(arrow: "->" | "<-", s: Struct): string {
    const id = u32(s, 0);
    const called = this.#called[arrow === "->" ? "<-" : "->"];
    const name = called.get(id);
    called.delete(id);
    const which = u16(s, 6);
    const outcome = returns[which] ?? `outcome ${which}`;
    let rest = "";
    if (which === 0) rest = describeCaps(child(s, 0));
    else if (which === 1) rest = `, ${describeException(child(s, 0))}`;
    else if (which === 4) rest = ` ${u32(s, 8)}`;
    return `return ${id}${name === undefined ? "" : ` of ${name}`}: ${outcome}${rest}${bit(s, 33) ? ", no finish needed" : ""}`;
  }
}
