import { CapnpError } from "capstan";

const usage = `usage: npm run client NAME -- [ARGUMENTS]

addressbook [FILE]              writes an address book to a file, reads it back and prints it
calculator  [ADDRESS]           calculates with the server
thread      [ADDRESS]           makes long calls there, and comes through restarts of the server
chat        [ADDRESS NICK ROOM] talks with whoever is in the room
filestore   [ADDRESS] COMMAND   list, put FILE, get NAME [FILE], remove NAME, share NAME or fetch LINK FILE
workerpool  [ADDRESS]           counts primes and paints the Mandelbrot set

ADDRESS  tls://host:port, host:port or unix:path. Default: tls://localhost:60000
`;

const defaultAddress = "tls://localhost:60000";
const [name, ...args] = process.argv.slice(2);
const [address = defaultAddress] = args;
try {
  switch (name) {
    case "addressbook": {
      const { runAddressBook } = await import("./addressbook/main.ts");
      await runAddressBook(args[0]);
      break;
    }
    case "calculator": {
      const { runCalculator } = await import("./calculator/main.ts");
      await runCalculator(address);
      break;
    }
    case "thread": {
      const { runThread } = await import("./thread/main.ts");
      await runThread(address);
      break;
    }
    case "chat": {
      const { runChat } = await import("./chat/main.ts");
      await runChat(address, args[1], args[2]);
      break;
    }
    case "filestore": {
      const { runFileStore } = await import("./filestore/main.ts");
      const [at, ...command] = args[0]?.includes(":") ? args : [defaultAddress, ...args];
      await runFileStore(at ?? defaultAddress, ...command);
      break;
    }
    case "workerpool": {
      const { runWorkerPool } = await import("./workerpool/main.ts");
      await runWorkerPool(address);
      break;
    }
    default:
      throw new CapnpError("CAPNP_ADDRESS", name === undefined ? usage : `There is no client ${name}.\n\n${usage}`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
