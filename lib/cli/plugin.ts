import type { Readable } from "node:stream";
import { CapnpError } from "../errors.ts";
import { decodeCompiledSchema } from "../schema/node-codec.ts";
import { generatedFiles } from "./generated-files.ts";
import { writeOutputFiles } from "./output-files.ts";
import { isFileSystemError } from "./run-command.ts";
import { type Terminal, write } from "./terminal.ts";
import { packageVersion } from "./version.ts";

const usage = `Usage: capnp compile -ocapstan FILE.capnp ...

capnpc-capstan is a plugin of the Cap'n Proto compiler: it reads a CodeGeneratorRequest from standard input and writes
FILE.capnp.ts for each requested file below the current folder. Without that compiler, capstan compile does the same.
`;

/** A request is a few hundred bytes per declaration: nobody's schemas come near this, and memory is finite. */
const largestRequest = 256 * 1024 * 1024;

async function readAll(stream: Readable): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestRequest) {
      throw new CapnpError("CAPNP_FRAME_TOO_LARGE", `The request is larger than ${largestRequest} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Runs `capnpc-capstan ARGS`, writes below `folder`, and resolves with its exit status. */
export async function runPlugin(args: readonly string[], terminal: Terminal, folder = "."): Promise<number> {
  if (args[0] === "--version") {
    await write(terminal.stdout, `capnpc-capstan ${packageVersion()}\n`);
    return 0;
  }
  if (args[0] === "--help" || args[0] === "-h") {
    await write(terminal.stdout, usage);
    return 0;
  }
  if (args.length > 0 || terminal.stdin.isTTY === true) {
    await write(terminal.stderr, usage);
    return 2;
  }
  try {
    writeOutputFiles(folder, generatedFiles(decodeCompiledSchema(await readAll(terminal.stdin)), ["ts"]));
    return 0;
  } catch (error) {
    if (!(error instanceof CapnpError) && !isFileSystemError(error)) throw error;
    await write(terminal.stderr, `capnpc-capstan: ${error.message}\n`);
    return 1;
  }
}
