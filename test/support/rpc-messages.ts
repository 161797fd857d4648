import { join } from "node:path";
import { SchemaParser } from "../../lib/load.ts";
import { toSegments } from "../../lib/schema/message-io.ts";
import type { StructBuilder } from "../../lib/schema/struct-base.ts";
import { type Loose, loadLoosely } from "./loose.ts";
import { readAs } from "./messages.ts";
import { repositoryRoot } from "./repository.ts";

/** rpc.capnp as this library compiles it: what a peer that shares none of the code under test would read and write. */
export const rpc: Loose = new SchemaParser({ importPath: [join(repositoryRoot, "lib/std")] }).loadSync(
  join(repositoryRoot, "lib/std/capnp/rpc.capnp"),
);

/** test/fixtures/rpc-test.capnp. */
export const testSchema: Loose = loadLoosely("test/fixtures/rpc-test.capnp");

/** A message of rpc.capnp, read. */
export const decode = (segments: readonly Uint8Array[]): Loose => readAs(rpc.Message, segments);

/** The segments of a message of rpc.capnp. */
export const encode = (message: StructBuilder): Uint8Array[] => toSegments(message);

/** A message in one line: `call 0 -> promised 0[1] Node.echo`, as far as tests need it. */
export const describeMessage = (message: Loose): string => {
  const which: string = message.which();
  switch (which) {
    case "bootstrap":
      return `bootstrap ${message.bootstrap.questionId}`;
    case "call":
      return `call ${message.call.questionId} to ${describeTarget(message.call.target)}`;
    case "return":
      return `return ${message.return.answerId} ${message.return.which()}`;
    case "finish":
      return `finish ${message.finish.questionId}`;
    case "resolve": {
      const { resolve } = message;
      return `resolve ${resolve.promiseId} ${resolve.which() === "cap" ? describeCap(resolve.cap) : "exception"}`;
    }
    case "release":
      return `release ${message.release.id} x${message.release.referenceCount}`;
    case "disembargo": {
      const { context, target } = message.disembargo;
      return `disembargo ${context.which()} to ${describeTarget(target)}`;
    }
    case "abort":
      return "abort";
    case "unimplemented":
      return `unimplemented (${describeMessage(message.unimplemented)})`;
    default:
      return which;
  }
};

const describePath = (promised: Loose): string =>
  `${promised.questionId}[${[...promised.transform].map((op: Loose) => (op.which() === "noop" ? "-" : op.getPointerField))}]`;

const describeTarget = (target: Loose): string =>
  target.which() === "importedCap" ? `import ${target.importedCap}` : `answer ${describePath(target.promisedAnswer)}`;

const describeCap = (cap: Loose): string => {
  switch (cap.which()) {
    case "none":
      return "none";
    case "receiverAnswer":
      return `receiverAnswer ${describePath(cap.receiverAnswer)}`;
    case "thirdPartyHosted":
      return "thirdPartyHosted";
    default:
      return `${cap.which()} ${cap[cap.which()]}`;
  }
};

/** The cap table of a payload, one word or two for each entry. */
export const describeCapTable = (payload: Loose): string[] => [...payload.capTable].map(describeCap);
