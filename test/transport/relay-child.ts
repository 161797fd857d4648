// A child that passes on what it gets: its standard input and output, or its IPC channel, and what was agreed on at the other side.
import { connect } from "node:net";

const [, , mode, where] = process.argv;

if (mode === "stdio") {
  const socket = connect({ path: where!, allowHalfOpen: true });
  process.stdin.pipe(socket);
  socket.pipe(process.stdout);
  // A pipe never ends the standard output.
  socket.on("end", () => process.stdout.end());
  // Whoever cuts one side off cuts off the other.
  socket.on("error", () => process.exit(1));
  socket.on("close", (hadError) => {
    if (hadError || !socket.readableEnded) process.exit(1);
  });
} else {
  // Lines of JSON at the standard streams are messages at the channel. Bytes are written as base64 there.
  let rest = "";
  process.on("message", (message: { readonly capnp: unknown }) => {
    const { capnp } = message;
    const line = capnp instanceof Uint8Array ? { capnp: Buffer.from(capnp).toString("base64") } : message;
    process.stdout.write(`${JSON.stringify(line)}\n`);
  });
  process.stdin.setEncoding("utf8").on("data", (text: string) => {
    const lines = `${rest}${text}`.split("\n");
    rest = lines.pop()!;
    for (const line of lines) process.send!(JSON.parse(line));
  });
  process.stdin.on("end", () => process.exit(0));
}
