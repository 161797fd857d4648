import { CalculatorImpl } from "../calculator/server.ts";
import { ChatImpl } from "../chat/server.ts";
import { Lobby } from "./lobby.capnp.ts";

/** What a page is given when it connects. One object serves all pages, and the chat is the same for all. */
export class LobbyImpl extends Lobby.Server {
  readonly #chat = new ChatImpl();

  override calculator() {
    return new CalculatorImpl();
  }

  override chat() {
    return this.#chat;
  }
}
