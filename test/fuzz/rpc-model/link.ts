import { type MemoryTransport, type MemoryTransportPair, memoryTransportPair } from "../../../lib/transport/memory.ts";
import { TwoPartyClient, TwoPartyServer } from "../../../lib/stream-vat.ts";
import type { VatOptions } from "../../../lib/two-party-vat.ts";
import type { Loose } from "../../support/loose.ts";
import { emptyTables, tablesOf } from "../../support/vats.ts";

type End = TwoPartyClient | TwoPartyServer;

/** A connection of a vat, whose messages move when the run says so. */
export abstract class Link {
  /** Who is at its ends; a malicious vat has no number. */
  readonly vats: readonly (number | undefined)[];
  readonly pair: MemoryTransportPair;
  /** The ends that are made of the library. */
  abstract readonly ends: readonly End[];
  abstract readonly isMalicious: boolean;
  /** True once the run has begun to end it. */
  isCut = false;
  readonly #closing: Promise<unknown>[] = [];

  constructor(vats: readonly (number | undefined)[]) {
    this.vats = vats;
    this.pair = memoryTransportPair({ mode: "stepped" });
  }

  side(index: number): MemoryTransport {
    return index === 0 ? this.pair.a : this.pair.b;
  }

  /** Ends it on one side, in order or as a network would. */
  cut(side: number, orderly: boolean): void {
    this.isCut = true;
    const end = this.ends[side] ?? this.ends[0];
    if (orderly && end !== undefined) this.#closing.push(end.close());
    else this.side(side).destroy();
  }

  close(): void {
    this.isCut = true;
    this.#closing.push(...this.ends.map((end) => end.close()));
  }

  closed(): Promise<unknown> {
    return Promise.all(this.#closing);
  }

  /** How its tables contradict themselves. */
  *contradictions(): Generator<string> {
    for (const [i, end] of this.ends.entries()) {
      for (const text of end.check()) yield `vat ${this.vats[i]} about vat ${this.vats[1 - i]}: ${text}`;
    }
  }

  /** What its tables still hold. */
  *remains(): Generator<string> {
    for (const [i, end] of this.ends.entries()) {
      const tables = tablesOf(end.stats());
      for (const name of Object.keys(emptyTables) as (keyof typeof emptyTables)[]) {
        if (tables[name] > 0)
          yield `vat ${this.vats[i]} about vat ${this.vats[1 - i]}: ${tables[name]} ${name} are left`;
      }
    }
  }
}

/** The options of one end, which tells what it sends and receives where somebody wants to know. */
export const endOptions = (who: string, bootstrap: Loose, trace?: (line: string) => void): VatOptions => ({
  bootstrap,
  ...(trace === undefined ? {} : { trace: (line: string) => trace(`  [${who}] ${line}`) }),
});

/** A connection between two vats that keep to the protocol. */
export class HonestLink extends Link {
  readonly ends: readonly [End, End];
  readonly isMalicious = false;

  constructor(vats: readonly [number, number], bootstraps: readonly [Loose, Loose], trace?: (line: string) => void) {
    super(vats);
    const [a, b] = vats;
    this.ends = [
      new TwoPartyClient(this.pair.a, endOptions(`${a} with ${b}`, bootstraps[0], trace)),
      new TwoPartyServer(this.pair.b, endOptions(`${b} with ${a}`, bootstraps[1], trace)),
    ];
  }
}
