// Compiled with declarations, which must be able to name every type that is inferred here.
import * as capnp from "capstan";
import { Greeter, greetings, Guest, guests } from "./greeter.capnp.js";

export class Greeting extends Greeter.Greeting.Server {
  override text() {
    return { text: "Hello" };
  }
}

export class GreeterImpl extends Greeter.Server {
  override greet() {
    return { greeting: new Greeting() };
  }
}

export const guest = Guest.newMessage({ name: "Alice" });
export const friends = guest.init("friends", 1);
export const [friend] = friends;
export const orphan = guest.disown("friends");
export const anything = guest.anything;
export const read = guest.asReader().friends;
export const plain = guest.toObject();
export const constants = { greetings, guests };

export const serve = (address: string) => capnp.listen(address, { bootstrap: new GreeterImpl() });
export const connect = (address: string) => capnp.connect(address);
export const stay = (address: string) => capnp.connect(address, { reconnect: {} });
export const peers = (server: capnp.RpcServer) => server.connections;

export const greeter = (client: capnp.TwoPartyClient) => client.bootstrap(Greeter);
export const greet = (client: Greeter.Client) => client.greet({ name: "Bob" });
export const greeting = (client: Greeter.Client) => client.greet({ name: "Bob" }).greeting;
export const greeted = async (client: Greeter.Client) => (await client.greet({ name: "Bob" })).greeting;
export const request = (client: Greeter.Client) => client.greetRequest({ name: "Bob" });
export const load = () => capnp.load<typeof import("./greeter.capnp.js")>("greeter.capnp");
