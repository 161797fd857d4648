import { type ClientStatus, connect, type RpcClient, type Session } from "capstan/browser";
import { Lobby } from "../../servers/browser/lobby.capnp.ts";
import { element } from "./elements.ts";

/** The server that this page came from. */
const serverAddress = (page: Location): string => `${page.protocol === "https:" ? "wss:" : "ws:"}//${page.host}/rpc`;

/** How the state of the connection is called. */
const statusTexts: Readonly<Record<ClientStatus, string>> = {
  connecting: "connecting",
  connected: "connected",
  disconnected: "no server",
  closed: "closed",
};

/** How often the badge learns how many calls wait. Milliseconds. */
const look = 250;

/** The connection to the server, which is made anew when it is lost; and the badge that tells of it. */
export class ServerConnection {
  readonly client: RpcClient;
  /** What the server has for pages. It stays good when the connection is replaced. */
  readonly lobby: Lobby.Client;
  readonly #badge = element("status", HTMLElement);
  readonly #text = element("status-text", HTMLElement);
  readonly #alert = element("gone", HTMLElement);
  #wasConnected = false;

  private constructor(client: RpcClient) {
    this.client = client;
    this.lobby = client.bootstrap(Lobby);
    client.state$.subscribe((status) => this.#show(status));
  }

  /**
   * @param trace Hears of every message.
   * @param begin Runs at the beginning of every connection.
   */
  static async open(
    trace: (line: string) => void,
    begin: (session: Session) => Promise<void>,
  ): Promise<ServerConnection> {
    const client = await connect(serverAddress(location), {
      // Resolves at once: the page works, and says that there is no server, where there is none.
      lazy: true,
      reconnect: { minDelay: 100, maxDelay: 2_000 },
      keepalive: { idle: 10_000, timeout: 5_000 },
      onSession: begin,
      trace,
    });
    return new ServerConnection(client);
  }

  #show(status: ClientStatus): void {
    // While it tries again and again, one text is calmer than two in turn.
    const shown = status === "connecting" && this.#wasConnected ? "disconnected" : status;
    this.#wasConnected ||= status === "connected" || status === "disconnected";
    this.#badge.dataset.state = shown;
    this.#text.textContent = statusTexts[shown];
    if (shown === "connected") this.#alert.hidden = true;
    else if (shown !== "connecting") this.#tellGone(shown);
  }

  #tellGone(status: ClientStatus): void {
    const text =
      status === "closed"
        ? "The connection is closed for good. Load the page again to connect."
        : "The server cannot be reached. This page goes on trying; what you ask meanwhile waits.";
    // Said once, and not each time that an attempt fails.
    if (this.#alert.hidden || this.#alert.textContent !== text) this.#alert.textContent = text;
    this.#alert.hidden = false;
    this.#countWaiting();
  }

  #countWaiting(): void {
    if (this.#alert.hidden || this.client.state === "closed") return;
    const { waitingCalls } = this.client;
    const waiting = waitingCalls === 0 ? "" : ` · ${waitingCalls} ${waitingCalls === 1 ? "call waits" : "calls wait"}`;
    this.#text.textContent = `${statusTexts.disconnected}${waiting}`;
    setTimeout(() => this.#countWaiting(), look);
  }
}
