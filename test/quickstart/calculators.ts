import { networkInterfaces } from "node:os";
import { join } from "node:path";
import * as capnp from "capstan";
import * as generated from "../../servers/calculator/calculator.capnp.ts";
import { repositoryRoot } from "../support/repository.ts";

type CalculatorSchema = Pick<typeof generated, "Calculator">;

export const calculatorFile = join(repositoryRoot, "servers/calculator/calculator.capnp");

/** The calculator's schema by both ways in; the second has types of its own, loaded from the file. */
export const waysIn: readonly { readonly way: string; readonly schema: CalculatorSchema }[] = [
  { way: "with a generated module", schema: generated },
  {
    way: "with a schema loaded at run time",
    schema: new capnp.SchemaParser().loadSync<CalculatorSchema>(calculatorFile),
  },
];

/** Whether this machine has IPv6. Where it has none, a test of the fall back from IPv4 to it is skipped: nothing is there to fall back to. */
export const hasIPv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ family }) => family === "IPv6"),
);

/** What a test opened, closed in the opposite order. */
export class Opened {
  readonly #closing: (() => unknown)[] = [];

  add<T extends { close(): unknown }>(one: T): T {
    this.#closing.push(() => one.close());
    return one;
  }

  async listen(address: string, options: capnp.ListenOptions): Promise<capnp.RpcServer> {
    return this.add(await capnp.listen(address, options));
  }

  async connect(address: string, options: capnp.ConnectOptions & { readonly reconnect?: false } = {}) {
    return this.add(await capnp.connect(address, options));
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
  }
}
