import type { BehaviorSubject, Observable } from "rxjs";
import { holdBootstrap } from "../bootstrap-source.ts";
import { CapnpError } from "../errors.ts";
import { ended, observables } from "../lazy-rxjs.ts";
import { objectIdMessage } from "../restorer.ts";
import { Client } from "../rpc/capability/client.ts";
import { nullClient } from "../rpc/capability/broken-client.ts";
import type { ClientHook } from "../rpc/capability/client-hook.ts";
import { Connection, type ConnectionStats } from "../rpc/connection/connection.ts";
import type { ConnectionDump } from "../rpc/connection/inspect.ts";
import { AnyPointerReader, type PointerTypeArgument } from "../schema/any-pointer.ts";
import { clientOf, type InterfaceClient, type InterfaceType, requireHook } from "../schema/interface-client.ts";
import { unlimitedNesting } from "../serialization/read-limiter.ts";
import type { PeerInfo } from "../transport/transport.ts";
import type { ConnectionStatus } from "../two-party-vat.ts";
import { DeadlineClient } from "./deadline-client.ts";
import { RetryingClient, type RetryPolicy } from "./retrying-client.ts";
import type { Session } from "./session.ts";
import { SessionLoop, type SessionLoopOptions } from "./session-loop.ts";
import { StableClient } from "./stable-client.ts";

/**
 * `connecting`: an attempt to connect is under way. `connected`: a session stands. `disconnected`: there is none; another attempt
 * follows, unless this is an end. `closed`: for good.
 */
export type ClientStatus = "connecting" | ConnectionStatus;

/** @internal */
export interface RpcClientOptions extends SessionLoopOptions {
  /** Infinity where there is none. */
  readonly deadline: number;
  readonly retry: RetryPolicy | undefined;
  /** Where it will connect to, for people. */
  readonly address: string;
}

/**
 * A client that outlives its connections: `connect` with `reconnect`. It has what a `TwoPartyClient` has; capabilities that it
 * gives stay good when the connection is replaced, while those that calls return end with the connection that they came over.
 */
export class RpcClient {
  readonly #options: RpcClientOptions;
  readonly #loop: SessionLoop;
  #states: BehaviorSubject<ClientStatus> | undefined;
  #status: ClientStatus = "disconnected";

  /** @internal Use `connect`. */
  constructor(options: RpcClientOptions) {
    this.#options = options;
    const release = holdBootstrap(options.vat.bootstrap);
    this.#loop = new SessionLoop(options, (status) => this.#changed(status));
    void this.#loop.closed.then(release);
  }

  #changed(status: ClientStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#states?.next(status);
    if (status === "closed") this.#states?.complete();
  }

  /** Resolves when the first session stands. @internal */
  static started(client: RpcClient, signal: AbortSignal | undefined): Promise<void> {
    return client.#loop.first(signal);
  }

  /** The state now, and whenever it changes; completes after `closed`. */
  get state$(): Observable<ClientStatus> {
    const { BehaviorSubject, Observable } = observables();
    // A subject that has completed would tell nobody what it came to.
    if (this.#status === "closed") return ended(Observable, this.#status);
    this.#states ??= new BehaviorSubject<ClientStatus>(this.#status);
    return this.#states.asObservable();
  }

  /** The state now. */
  get state(): ClientStatus {
    return this.#status;
  }

  /** The connection that stands; undefined while there is none. */
  get session(): Session | undefined {
    return this.#loop.line.session;
  }

  /** How many calls wait for a connection. */
  get waitingCalls(): number {
    return this.#loop.line.length;
  }

  /** Resolves with the reason when the client is closed for good. It never rejects. */
  get closed(): Promise<CapnpError> {
    return this.#loop.closed;
  }

  /** Why the client is closed; undefined while it is not. */
  get closedBy(): CapnpError | undefined {
    return this.#loop.line.closedBy;
  }

  /** Who is at the other end of the connection, or was of the last one. */
  get peer(): PeerInfo {
    return this.#loop.latest?.peer ?? { address: this.#options.address, encrypted: false, authenticated: false };
  }

  /** Rows of the tables and messages so far of the connection, or of the last one. */
  stats(): ConnectionStats {
    return this.#loop.latest?.stats() ?? nothingYet();
  }

  /** True where neither side asks, holds or owes the other anything, and no call waits. */
  get isIdle(): boolean {
    return this.waitingCalls === 0 && (this.#loop.latest?.isIdle ?? true);
  }

  /** Ways in which the tables of the connection contradict each other: none, unless this library has a bug. For tests. */
  check(): string[] {
    return this.#loop.latest?.check() ?? [];
  }

  /** The tables of the connection as plain objects, for people; undefined before the first one. */
  dump(): ConnectionDump | undefined {
    return this.#loop.latest?.dump();
  }

  /** The capability that the server exposes, as the given interface: good for as long as the client is open. */
  bootstrap(): InterfaceClient;
  bootstrap<C extends Client>(type: InterfaceType<C>): C;
  bootstrap(type?: InterfaceType<Client>): Client {
    return clientOf(
      type,
      this.#stable((session) => taken(session.bootstrap())),
    );
  }

  /** The capability that the server restores by an object id (see `TwoPartyClient.restore`): good for as long as the client is open. */
  restore<C extends Client>(objectId: unknown, as: InterfaceType<C>): C;
  restore(objectId: unknown, objectIdType?: PointerTypeArgument): InterfaceClient;
  restore<C extends Client>(objectId: unknown, objectIdType: PointerTypeArgument, as: InterfaceType<C>): C;
  restore(objectId: unknown, type?: PointerTypeArgument | InterfaceType<Client>, as?: InterfaceType<Client>): Client {
    return isInterface(type) ? this.#restored(objectId, undefined, type) : this.#restored(objectId, type, as);
  }

  /** The capability that the server exports under a name: `restore` with a text. */
  ezRestore(name: string): InterfaceClient;
  ezRestore<C extends Client>(name: string, as: InterfaceType<C>): C;
  ezRestore(name: string, as?: InterfaceType<Client>): Client {
    return this.#restored(name, "Text", as);
  }

  #restored(objectId: unknown, type: PointerTypeArgument | undefined, as: InterfaceType<Client> | undefined): Client {
    // As it is now: a builder may be changed before the next session.
    const message = objectIdMessage(objectId, type);
    const id = new AnyPointerReader(message.rootSegment, 0, unlimitedNesting);
    return clientOf(
      as,
      this.#stable((session) => taken(session.restore(id))),
    );
  }

  /**
   * Any other capability that is to stay good across reconnections: found anew in each session, for the first call there.
   *
   *     const nodes = client.stable((session) => session.bootstrap(Host).auth({ key }).nodes, Nodes);
   *
   * What `find` returns is taken over, and released with the session.
   */
  stable(find: (session: Session) => InterfaceClient): InterfaceClient;
  stable<C extends Client>(find: (session: Session) => Client | PromiseLike<Client>, type: InterfaceType<C>): C;
  stable(find: (session: Session) => Client | PromiseLike<Client>, type?: InterfaceType<Client>): Client {
    return clientOf(
      type,
      this.#stable((session) => {
        const found = find(session);
        return found instanceof Client ? taken(found) : requireHook(found);
      }),
    );
  }

  #stable(find: (session: Session) => ClientHook): ClientHook {
    const { deadline, retry, clock } = this.#options;
    let hook: ClientHook = new StableClient(this.#loop.line, find);
    if (retry !== undefined) hook = new RetryingClient(hook, retry);
    return deadline === Number.POSITIVE_INFINITY ? hook : new DeadlineClient(hook, deadline, clock);
  }

  /** Ends the connection for good. Calls in flight and calls that wait fail with `disconnected`. */
  async close(): Promise<void> {
    await this.#loop.close(new CapnpError("CAPNP_DISCONNECTED", "The client was closed on this side."));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The hook of a client that nobody else has. */
const taken = (client: Client): ClientHook => {
  const hook = Client.hook(client).addRef();
  Client.release(client);
  return hook;
};

const isInterface = (type: unknown): type is InterfaceType<Client> =>
  typeof type === "object" && type !== null && (type as Partial<InterfaceType<Client>>).schema?.which === "interface";

/** Those of a connection on which nothing has happened. */
const nothingYet = (): ConnectionStats =>
  new Connection(
    { send: () => undefined, queued: 0 },
    { bootstrap: () => nullClient.addRef(), caller: undefined },
    () => undefined,
  ).stats();
