// A consumer in TypeScript: the same source with every setting of modules.
import "capstan/register";
import "capstan/require";
import * as browser from "capstan/browser";
import * as capnp from "capstan";
import { Observable } from "capstan/capstan/observable.capnp.js";
import { Message } from "capstan/capnp/rpc.capnp.js";
import { Value } from "capstan/capnp/compat/json.capnp.js";
import { InterfaceServer, load } from "capstan/generated/v1";
import { Greeter } from "./greeter.capnp.js";

class Greeting extends Greeter.Greeting.Server {
  readonly #text: string;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  override text() {
    return { text: this.#text };
  }
}

class GreeterImpl extends Greeter.Server {
  override greet({ name }: { readonly name: string }) {
    return { greeting: new Greeting(`Hello, ${name}!`) };
  }
}

async function main(): Promise<void> {
  const server = await capnp.listen("localhost:0", { bootstrap: () => new GreeterImpl() });
  const client = await capnp.connect(server.address);
  const before = client.stats().roundTrips;
  const greeting = client.bootstrap(Greeter).greet({ name: "world" }).greeting;
  const { text } = await greeting.text();
  const exact: string = text;
  console.log(exact, client.stats().roundTrips - before);
  // @ts-expect-error: the types are exact, and not any
  const wrong: number = text;
  console.log(typeof wrong, browser.CapnpError === capnp.CapnpError);
  console.log(typeof load, new GreeterImpl() instanceof InterfaceServer);
  console.log(
    Message.newMessage({ bootstrap: { questionId: 1 } }).which(),
    typeof Observable,
    Value.newMessage({ number: 1 }).number,
  );
  await client.close();
  await server.close();
}

void main();
