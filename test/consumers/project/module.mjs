// A consumer in JavaScript: `node --import capstan/register module.mjs`.
import * as capnp from "capstan";
import { Greeter } from "./greeter.capnp";

class Greeting extends Greeter.Greeting.Server {
  text() {
    return { text: "Hello from a module" };
  }
}

class GreeterImpl extends Greeter.Server {
  greet() {
    return { greeting: new Greeting() };
  }
}

const server = await capnp.listen("localhost:0", { bootstrap: () => new GreeterImpl() });
const client = await capnp.connect(server.address);
const { text } = await client.bootstrap(Greeter).greet({ name: "world" }).greeting.text();
console.log(text);
await client.close();
await server.close();
