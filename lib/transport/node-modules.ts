import type * as Crypto from "node:crypto";
import type * as Net from "node:net";
import type * as Tls from "node:tls";

// Modules of Node that take milliseconds to load, each loaded at its first use: who reads and writes messages opens no socket.
// Asked for rather than imported: an import, and so also its first use, would have to wait.

let netModule: typeof Net | undefined;
let tlsModule: typeof Tls | undefined;
let cryptoModule: typeof Crypto | undefined;

/** Whether there is anything to load: browsers have none of it. */
export const isNode = globalThis.process?.getBuiltinModule !== undefined;

export const net = (): typeof Net => {
  netModule ??= process.getBuiltinModule("node:net");
  return netModule;
};

export const tls = (): typeof Tls => {
  tlsModule ??= process.getBuiltinModule("node:tls");
  return tlsModule;
};

export const crypto = (): typeof Crypto => {
  cryptoModule ??= process.getBuiltinModule("node:crypto");
  return cryptoModule;
};
