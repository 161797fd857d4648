import { type ChildProcessByStdio, spawn } from "node:child_process";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Node } from "../../lib/schema/node.ts";
import { encodeCompiledSchema } from "../../lib/schema/node-codec.ts";
import { cppProgram } from "../support/interop.ts";
import { repositoryRoot } from "../support/repository.ts";

/** The ways in which a message is used, in the order of the bits that select them. */
const uses = ["text", "dump", "size", "canonical", "copy", "isCanonical"] as const;
export type Use = (typeof uses)[number];

/** What came of one use. */
export type Outcome = { readonly value: Buffer } | { readonly error: string };

/** What came of one use of a mutated message: size and CRC-32 of the result, or undefined for an error. */
export type Digest = { readonly size: number; readonly crc: number } | undefined;

export interface Limits {
  readonly traversalLimitInWords: number;
  readonly nestingLimit: number;
}

export const defaultLimits: Limits = { traversalLimitInWords: 8 * 1024 * 1024, nestingLimit: 64 };

/** A struct type, in schemas that were loaded under a number. */
export interface TypeThere {
  readonly schemas: number;
  readonly id: bigint;
}

export interface Allocation {
  readonly firstSegmentWords: number;
  readonly allocation: "fixed" | "grow";
}

/** Bits to flip in two words of a message; the second ones may be 0. */
export interface Mutation {
  readonly words: readonly [number, number];
  readonly flips: readonly [bigint, bigint];
}

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

const uint64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
};

const typeBytes = ({ schemas, id }: TypeThere): Buffer => Buffer.concat([uint32(schemas), uint64(id)]);
const limitBytes = ({ traversalLimitInWords, nestingLimit }: Limits): Buffer =>
  Buffer.concat([uint64(BigInt(traversalLimitInWords)), uint32(nestingLimit)]);
const allocationBytes = ({ firstSegmentWords, allocation }: Allocation): Buffer =>
  Buffer.concat([uint32(firstSegmentWords), Buffer.from([allocation === "fixed" ? 0 : 1])]);

/** A process of test/interop/cpp/message-oracle.c++, which says what C++ makes of messages. Answers come in order. */
export class MessageOracle {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: { resolve(answer: Buffer): void; reject(error: Error): void }[] = [];
  #received: Buffer[] = [];
  #size = 0;
  #loaded = 0;

  constructor() {
    const program = join(repositoryRoot, "test/interop/cpp/build/message-oracle");
    this.#child = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdout.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#child.on("error", (error) => this.#fail(error));
    this.#child.stdin.on("error", (error) => this.#fail(error));
    this.#child.on("close", (status, signal) => this.#fail(new Error(`message-oracle ended with ${status ?? signal}`)));
  }

  /** Ends the process. */
  stop(): void {
    this.#child.stdin.end();
  }

  /** Loads nodes; those that had the same number are forgotten. Numbers are given in turn without one. */
  async load(nodes: readonly Node[], number = this.#loaded++): Promise<number> {
    const request = encodeCompiledSchema({ nodes: [...nodes], sourceInfo: [], requestedFiles: [] });
    await this.#ask("L", uint32(number), request);
    return number;
  }

  /** What comes of each use of a framed message. */
  async read(type: TypeThere, message: Uint8Array, limits: Limits = defaultLimits): Promise<Record<Use, Outcome>> {
    const answer = await this.#ask("R", typeBytes(type), limitBytes(limits), message);
    let at = 0;
    const outcomes = uses.map((use) => {
      const end = at + 5 + answer.readUInt32LE(at + 1);
      const value = answer.subarray(at + 5, end);
      const outcome: Outcome = answer[at] === 0 ? { value } : { error: value.toString() };
      at = end;
      return [use, outcome] as const;
    });
    return Object.fromEntries(outcomes) as Record<Use, Outcome>;
  }

  /** What comes of the given uses of each mutation of a framed message: a digest for each use, mutation after mutation. */
  async mutate(
    type: TypeThere,
    message: Uint8Array,
    mutations: readonly Mutation[],
    chosen: readonly Use[],
    limits: Limits = defaultLimits,
  ): Promise<Digest[][]> {
    const list = Buffer.alloc(mutations.length * 24);
    for (const [i, { words, flips }] of mutations.entries()) {
      list.writeUInt32LE(words[0], i * 24);
      list.writeBigUInt64LE(flips[0], i * 24 + 4);
      list.writeUInt32LE(words[1], i * 24 + 12);
      list.writeBigUInt64LE(flips[1], i * 24 + 16);
    }
    const bits = uint32(chosen.reduce((set, use) => set | (1 << uses.indexOf(use)), 0));
    const base = [uint32(message.length), message];
    const answer = await this.#ask("M", typeBytes(type), limitBytes(limits), bits, ...base, list);
    let at = 0;
    return mutations.map(() =>
      uses
        .filter((use) => chosen.includes(use))
        .map(() => {
          const digest: Digest =
            answer[at] === 0 ? { size: answer.readUInt32LE(at + 1), crc: answer.readUInt32LE(at + 5) } : undefined;
          at += 9;
          return digest;
        }),
    );
  }

  /** The message, built anew field by field; framed. */
  write(type: TypeThere, message: Uint8Array, allocation: Allocation): Promise<Buffer> {
    return this.#ask("W", typeBytes(type), limitBytes(defaultLimits), allocationBytes(allocation), message);
  }

  /** The message, copied as of one type and changed as of another; framed. Rejects where C++ fails. */
  edit(
    writer: TypeThere,
    editor: TypeThere,
    message: Uint8Array,
    allocation: Allocation,
    switches: boolean,
  ): Promise<Buffer> {
    const options = [limitBytes(defaultLimits), allocationBytes(allocation), Buffer.from([switches ? 1 : 0])];
    return this.#ask("E", typeBytes(writer), typeBytes(editor), ...options, message);
  }

  pack(bytes: Uint8Array): Promise<Buffer> {
    return this.#ask("P", bytes);
  }

  unpack(bytes: Uint8Array, size: number): Promise<Buffer> {
    return this.#ask("U", uint32(size), bytes);
  }

  #ask(letter: string, ...parts: readonly Uint8Array[]): Promise<Buffer> {
    const size = 1 + parts.reduce((sum, part) => sum + part.length, 0);
    const request = Buffer.concat([uint32(size), Buffer.from(letter), ...parts]);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#child.stdin.write(request);
    });
  }

  #receive(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#size += chunk.length;
    for (;;) {
      const first = this.#received[0];
      if (first === undefined || this.#size < 4) return;
      const head = first.length < 4 ? this.#join() : first;
      const size = 4 + head.readUInt32LE(0);
      if (this.#size < size) return;
      const all = head.length < size ? this.#join() : head;
      const rest = all.subarray(size);
      this.#received[0] = rest;
      if (rest.length === 0) this.#received.shift();
      this.#size -= size;
      const answer = all.subarray(5, size);
      const waiting = this.#waiting.shift();
      if (all[4] === 0) waiting?.resolve(answer);
      else waiting?.reject(new OracleError(answer.toString()));
    }
  }

  #join(): Buffer {
    const all = Buffer.concat(this.#received);
    this.#received = [all];
    return all;
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}

/** C++ refused to do what it was asked. */
export class OracleError extends Error {}

/**
 * The oracle, its program built where it is not. Call it in a `before` hook: `oracle = await messageOracle.call(this)`, and
 * `oracle?.stop()` in `after`. Where the tools are missing the tests are skipped, or fail where CAPSTAN_REQUIRE_INTEROP is 1.
 */
export async function messageOracle(this: Mocha.Context): Promise<MessageOracle> {
  await cppProgram.call(this, "message-oracle");
  return new MessageOracle();
}
