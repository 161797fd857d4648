// A consumer in CommonJS: `node commonjs.cjs`. There is one copy of the library, however it is loaded.
const capnp = require("capstan");
require("capstan/require");
const { Greeter } = require("./greeter.capnp");

class Greeting extends Greeter.Greeting.Server {
  text() {
    return { text: "Hello from CommonJS" };
  }
}

class GreeterImpl extends Greeter.Server {
  greet() {
    return { greeting: new Greeting() };
  }
}

async function main() {
  const server = await capnp.listen("localhost:0", { bootstrap: () => new GreeterImpl() });
  const client = await capnp.connect(server.address);
  const { text } = await client.bootstrap(Greeter).greet({ name: "world" }).greeting.text();
  console.log(text);
  await client.close();
  await server.close();

  const imported = await import("capstan");
  console.log(imported.CapnpError === capnp.CapnpError, (await capnp.load("greeter.capnp")).Greeter === Greeter);
}

main();
