import { once } from "node:events";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";

/** What happens to the bytes of the connections through a proxy, from when it is set. */
export type Fault =
  | { readonly kind: "none" }
  /** Each piece comes so many milliseconds late. */
  | { readonly kind: "delay"; readonly milliseconds: number }
  /** They come byte by byte, so many in each turn of the event loop. */
  | { readonly kind: "dribble"; readonly bytes: number }
  /** After so many more bytes to the server the connection is cut off, most likely in the middle of a frame. */
  | { readonly kind: "cut"; readonly after: number }
  /** The same of bytes to the client: of answers. */
  | { readonly kind: "cutAnswers"; readonly after: number }
  /** The server's side ends as if it had closed; the client's way there is open, and leads nowhere. */
  | { readonly kind: "halfOpen" }
  /** Nothing comes through in either direction, and nobody is told. */
  | { readonly kind: "blackHole" };

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Something was swallowed: what comes after it would be garbage, and goes the same way. */
  isSwallowing: boolean;
}

/** A TCP proxy that does to its connections what networks do. */
export class FaultyProxy {
  readonly #server: Server;
  readonly #target: () => number;
  readonly #pairs = new Set<Pair>();
  #fault: Fault = { kind: "none" };
  #left = 0;
  /** Whether connections are accepted at all. */
  isRefusing = false;
  /** How many connections were accepted. */
  accepted = 0;

  private constructor(server: Server, target: () => number) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (near) => this.#accept(near));
  }

  /** @param target The port of the server, whichever it is at that time. */
  static async listen(target: () => number): Promise<FaultyProxy> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new FaultyProxy(server, target);
  }

  get address(): string {
    const address = this.#server.address();
    return `127.0.0.1:${typeof address === "object" ? address?.port : address}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  set fault(fault: Fault) {
    this.#fault = fault;
    if ("after" in fault) this.#left = fault.after;
    if (fault.kind === "halfOpen") for (const { near } of this.#pairs) near.end();
  }

  /** Cuts all connections off. */
  reset(): void {
    for (const pair of [...this.#pairs]) this.#drop(pair);
  }

  async close(): Promise<void> {
    this.reset();
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(near: Socket): void {
    if (this.isRefusing) {
      near.destroy();
      return;
    }
    this.accepted++;
    const far = connectTcp({ port: this.#target(), host: "127.0.0.1", allowHalfOpen: true });
    const pair: Pair = { near, far, isSwallowing: false };
    this.#pairs.add(pair);
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.#join(pair, near, far, "cut");
    this.#join(pair, far, near, "cutAnswers");
  }

  #join(pair: Pair, from: Socket, to: Socket, cut: "cut" | "cutAnswers"): void {
    // In their order, whatever happens to each.
    let last: Promise<void> | undefined;
    from.on("data", (piece) => {
      const passed =
        last === undefined
          ? this.#pass(pair, from, to, piece, cut)
          : last.then(() => this.#pass(pair, from, to, piece, cut));
      last = passed?.finally(() => {
        if (last === passed) last = undefined;
      });
    });
    from.on("end", () => {
      if (!pair.isSwallowing && this.#fault.kind !== "blackHole") void (last ?? Promise.resolve()).then(() => to.end());
    });
    // What is broken on one side is cut off on the other: a proxy has nothing better to tell.
    from.on("error", () => this.#drop(pair));
    from.on("close", () => {
      if (pair.isSwallowing || this.#fault.kind === "blackHole") this.#pairs.delete(pair);
      else this.#drop(pair);
    });
  }

  /** What is returned resolves when the next piece may follow; undefined where that is now. */
  #pass(pair: Pair, from: Socket, to: Socket, piece: Buffer, cut: "cut" | "cutAnswers"): Promise<void> | undefined {
    const fault = this.#fault;
    if (fault.kind === "blackHole" || (fault.kind === "halfOpen" && from === pair.near)) pair.isSwallowing = true;
    if (pair.isSwallowing) return undefined;
    if (fault.kind === "delay") {
      return new Promise<void>((resolve) => {
        setTimeout(resolve, fault.milliseconds);
      }).then(() => this.#write(pair, to, piece));
    }
    if (fault.kind === "dribble") return this.#dribble(pair, to, piece, fault.bytes);
    if (fault.kind !== cut) {
      this.#write(pair, to, piece);
      return undefined;
    }
    const passing = Math.min(this.#left, piece.byteLength);
    this.#left -= passing;
    this.#write(pair, to, piece.subarray(0, passing));
    if (this.#left === 0) {
      this.#fault = { kind: "none" };
      pair.isSwallowing = true;
      // What came before must arrive: a reset would take it away.
      to.end();
      from.destroy();
    }
    return undefined;
  }

  async #dribble(pair: Pair, to: Socket, piece: Buffer, bytes: number): Promise<void> {
    for (let at = 0; at < piece.byteLength; at += bytes) {
      this.#write(pair, to, piece.subarray(at, at + bytes));
      await new Promise<void>((resolve) => {
        setImmediate(resolve);
      });
    }
  }

  #write(pair: Pair, to: Socket, piece: Uint8Array): void {
    if (to.writable && !pair.isSwallowing) to.write(piece);
  }

  #drop(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.near.destroy();
    pair.far.destroy();
  }
}
