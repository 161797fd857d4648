import { CalculatorPad } from "./calculator.ts";
import { ChatRoom } from "./chat.ts";
import { element, reasonOf } from "./elements.ts";
import { Lending } from "./lend.ts";
import { ServerConnection } from "./server-connection.ts";
import { Wire } from "./wire.ts";

const wire = new Wire();
const chat = new ChatRoom();
try {
  const server = await ServerConnection.open(wire.trace, chat.begin);
  wire.watch(server.client);
  new CalculatorPad(server);
  new Lending(server);
  // The first call: from here on the connection is kept.
  const lobby = server.lobby.calculator();
  await lobby;
  lobby.calculator.release();
} catch (error) {
  const alert = element("gone", HTMLElement);
  alert.textContent = `This page cannot work here: ${reasonOf(error)}`;
  alert.hidden = false;
}
