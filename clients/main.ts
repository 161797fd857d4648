import { CapnpError } from "capstan";

const usage = `usage: npm run client NAME -- ARGUMENT

calculator ADDRESS   calculates with the server at host:port, unix:path or tls://host:port
thread ADDRESS       makes long calls there, and comes through restarts of the server
addressbook [FILE]   writes an address book to a file, reads it back and prints it
`;

const [name, argument] = process.argv.slice(2);
try {
  switch (name) {
    case "calculator": {
      if (argument === undefined) throw new CapnpError("CAPNP_ADDRESS", usage);
      const { runCalculator } = await import("./calculator/main.ts");
      await runCalculator(argument);
      break;
    }
    case "thread": {
      if (argument === undefined) throw new CapnpError("CAPNP_ADDRESS", usage);
      const { runThread } = await import("./thread/main.ts");
      await runThread(argument);
      break;
    }
    case "addressbook": {
      const { runAddressBook } = await import("./addressbook/main.ts");
      await runAddressBook(argument);
      break;
    }
    default:
      throw new CapnpError("CAPNP_ADDRESS", name === undefined ? usage : `There is no client ${name}.\n\n${usage}`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
