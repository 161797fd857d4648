import { type Endpoint, priorityOf } from "./endpoint.ts";
import type { SessionLoop } from "./session-loop.ts";

/**
 * The loops of a client that has a connection to each of its servers. Servers of a higher number (priority) are connected to only
 * while none of those below them stands.
 */
export class ServerLoops {
  readonly #begin: (server: Endpoint) => SessionLoop;
  readonly #end: (loop: SessionLoop) => void;
  readonly #loops = new Map<string, SessionLoop>();
  #servers: readonly Endpoint[] = [];
  /** The highest priority that is connected to. */
  #level = Number.NEGATIVE_INFINITY;

  constructor(begin: (server: Endpoint) => SessionLoop, end: (loop: SessionLoop) => void) {
    this.#begin = begin;
    this.#end = end;
  }

  get all(): readonly SessionLoop[] {
    return [...this.#loops.values()];
  }

  /** These are the servers now. */
  adopt(servers: readonly Endpoint[]): void {
    this.#servers = servers;
    this.#level = Math.max(this.#level, Math.min(...servers.map(priorityOf)));
    this.#apply();
  }

  /** An attempt has failed: where no server of this priority is left, those of the next one are to help. */
  failed(): void {
    for (const loop of this.#loops.values()) if (loop.session !== undefined || loop.failures === 0) return;
    const higher = this.#servers.map(priorityOf).filter((priority) => priority > this.#level);
    if (higher.length === 0) return;
    this.#level = Math.min(...higher);
    this.#apply();
  }

  /** A session stands: those of a higher number are not needed any more. */
  stands(loop: SessionLoop): void {
    const server = this.#servers.find((one) => this.#loops.get(keyOf(one)) === loop);
    if (server === undefined || priorityOf(server) >= this.#level) return;
    this.#level = priorityOf(server);
    this.#apply();
  }

  #apply(): void {
    const wanted = new Map(
      this.#servers.filter((server) => priorityOf(server) <= this.#level).map((server) => [keyOf(server), server]),
    );
    for (const [key, loop] of this.#loops) {
      if (wanted.has(key)) continue;
      this.#loops.delete(key);
      this.#end(loop);
    }
    for (const [key, server] of wanted) {
      if (this.#loops.has(key)) continue;
      const loop = this.#begin(server);
      this.#loops.set(key, loop);
      loop.run();
    }
  }
}

const keyOf = ({ address, servername = "" }: Endpoint): string => `${address} ${servername}`;
