import { CapnpError } from "capstan";
import { serve } from "./serve.ts";

const usage = `usage: npm run server NAME -- ADDRESS

NAME     browser, calculator or thread
ADDRESS  host:port, *:port, unix:path or tls://host:port; port 0 takes a free one;
         for browser host:port or https://host:port
`;

const [name, address] = process.argv.slice(2);
try {
  if (address === undefined) throw new CapnpError("CAPNP_ADDRESS", usage);
  switch (name) {
    case "calculator": {
      const { CalculatorImpl } = await import("./calculator/server.ts");
      await serve(address, () => new CalculatorImpl());
      break;
    }
    case "browser": {
      const { serveBrowser } = await import("./browser/main.ts");
      await serveBrowser(address);
      break;
    }
    case "thread": {
      const { ExampleImpl } = await import("./thread/server.ts");
      await serve(address, () => new ExampleImpl());
      break;
    }
    default:
      throw new CapnpError("CAPNP_ADDRESS", `There is no server ${name}.\n\n${usage}`);
  }
} catch (error) {
  if (!(error instanceof CapnpError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
