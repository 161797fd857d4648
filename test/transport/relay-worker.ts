// A worker that passes on what it gets, between its own port and one that it is given.
import { type MessagePort, parentPort, type TransferListItem, workerData } from "node:worker_threads";

const { port } = workerData as { readonly port: MessagePort };
const transferOf = (value: unknown): TransferListItem[] =>
  value instanceof Uint8Array ? [value.buffer as ArrayBuffer] : [];
parentPort!.on("message", (value: unknown) => port.postMessage(value, transferOf(value)));
port.on("message", (value: unknown) => parentPort!.postMessage(value, transferOf(value)));
